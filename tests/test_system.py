"""What pip cannot carry is named in a sentence with the line to type, before any traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap.system import HINT, LIBRARIES, PACKAGES, explain_import, missing_libraries

REPOSITORY = Path(__file__).parent.parent
pytestmark = pytest.mark.bare
# As the loader says it: of OpenCV, of Qt, of a library of Qt's plugins.
LACKING = [
    "libGL.so.1: cannot open shared object file: No such file or directory",
    "libxcb.so.1: cannot open shared object file: No such file or directory",
    "libxkbcommon-x11.so.0: cannot open shared object file: No such file or directory",
]


@pytest.mark.parametrize("words", LACKING)
def test_a_missing_library_is_a_sentence_with_the_line_to_type(words: str) -> None:
    error = explain_import(ImportError(words))
    assert error is not None
    assert words.partition(":")[0] in error.what
    assert error.hint == HINT
    assert LIBRARIES[words.partition(":")[0]][0] in error.hint


@pytest.mark.parametrize("words", ["No module named 'cv2'", "cannot import name 'x' from 'y'"])
def test_an_import_that_fails_for_other_reasons_is_not_explained_away(words: str) -> None:
    assert explain_import(ImportError(words)) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux leaves these libraries out")
def test_only_a_library_that_cannot_be_loaded_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "libfaceswap-nowhere.so.9", ("nowhere", "this test"))
    monkeypatch.setitem(LIBRARIES, "libc.so.6", ("libc6", "everything"))
    missing = missing_libraries()
    assert missing["libfaceswap-nowhere.so.9"] == "this test"
    assert "libc.so.6" not in missing


# A stage whose OpenCV cannot be loaded, as on a system that has nothing but Python.
@pytest.mark.parametrize("stage", ["extract_src", "merge", "demo"])
def test_a_stage_without_opencvs_libraries_says_so_and_ends_with_2(stage: str, tmp_path: Path) -> None:
    broken = tmp_path / "cv2"
    broken.mkdir()
    (broken / "__init__.py").write_text(f"raise ImportError({LACKING[1]!r})")
    (tmp_path / "data_src.mp4").touch()
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", "--workspace", str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])},
        cwd=tmp_path, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: this system lacks libxcb.so.1")
    assert HINT in done.stderr


def test_readme_names_and_ci_installs_exactly_this_list() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    line = readme.replace("\\\n", " ").partition("apt-get install -y ")[2].partition("\n")[0]
    assert tuple(line.split()) == PACKAGES
    ci = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert "-m faceswap.system" in ci
    assert not re.search(r"\blib(?!raries)[a-z]+\d", ci), "the list lies in faceswap/system.py alone"
