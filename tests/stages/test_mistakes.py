"""A user's mistake ends every stage with 2 and in sentences, at once, and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
# Every stage that works on a workspace, with what it cannot do without.
STAGES = {
    name: words.split()
    for name, words in {
        "align_dst": "", "align_src": "", "denoise": "", "encode": "", "export_base": "--output base",
        "extract_dst": "", "extract_src": "", "faceset": "list", "mask_apply": "", "mask_edit": "",
        "mask_export": "", "mask_fetch": "", "mask_remove": "", "mask_train": "", "merge": "",
        "model": "backup new", "selftest": "", "train": "",
    }.items()
}  # fmt: skip
HEAVY = ("torch", "transformers", "sklearn")
# Each in a child of its own, which inherits the libraries that all stages load.
RUN = """
import json, os, runpy, sys, tempfile
import faceswap.config, numpy, cv2, faceswap.faceset.store
def tried(words):
    reading, writing = os.pipe()
    if not os.fork():
        with tempfile.TemporaryFile("w+") as told:
            os.dup2(told.fileno(), 1), os.dup2(told.fileno(), 2)
            sys.argv, code = [words[0], *words[2:]], 0
            try:
                sys.argv = words
                runpy.run_module(f"stages.{words[0]}", run_name="__main__", alter_sys=True)
            except SystemExit as end:
                code = end.code
            except BaseException as error:
                code = repr(error)
            sys.stdout.flush(), sys.stderr.flush(), told.seek(0)
            heavy = [name for name in HEAVY if name in sys.modules]
            os.write(writing, json.dumps([code, told.read(), heavy]).encode())
            os._exit(0)
    os.close(writing)
    os.wait()
    with os.fdopen(reading) as answer:
        return json.loads(answer.read())
print(json.dumps([tried(words) for words in json.loads(sys.argv[1])]))
"""


def run_all(commands: list[list[str]], folder: Path) -> list[tuple[int | str, str, list[str]]]:
    """Exit code, words and heavy libraries of each command, which run in `folder`."""
    program = f"HEAVY = {HEAVY}\n{RUN}"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands)],
        cwd=folder, env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True, encoding="utf-8", timeout=300, check=True,
    )  # fmt: skip
    return [(code, told, heavy) for code, told, heavy in json.loads(done.stdout)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
@pytest.mark.parametrize("workspace", ["nowhere", "a_file/below", "empty"])
def test_a_wrong_workspace_is_told_at_once_and_nothing_is_made(tmp_path: Path, workspace: str) -> None:
    (tmp_path / "a_file").write_text("kept")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    # An empty folder is all that a benchmark needs.
    stages = STAGES if workspace == "empty" else STAGES | {"benchmark": []}
    commands = [[name, *words, "--workspace", workspace] for name, words in stages.items()]
    for words, (code, told, heavy) in zip(commands, run_all(commands, tmp_path), strict=True):
        assert (code, heavy) == (2, []), (words, told)
        assert told.startswith("error: ") and "Traceback" not in told, words
    assert sorted(tmp_path.rglob("*")) == before
