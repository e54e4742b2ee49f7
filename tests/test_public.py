"""The library as others use it: light to import, its names are there, and what the README shows runs."""

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import faceswap
from faceswap.learn import checkpoint
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.types import Frame

REPOSITORY = Path(__file__).parent.parent
SPEC = ModelSpec(Arch.parse("LIAE"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)


@pytest.fixture
def frame(demo_clips: Path) -> Frame:
    with av.open(str(demo_clips / "actor_b.mp4")) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An untrained model's folder, where the README's example has one."""
    folder = tmp_path / "workspace" / "model" / "new"
    state = {"iteration": 7, "spec": SPEC.to_json(), "face_type": "whole"}
    checkpoint.save(folder, {"weights": build(SPEC, 0).state_dict()}, state)
    return folder


def test_every_public_name_is_there_and_known_to_editors() -> None:
    assert all(hasattr(faceswap, name) for name in faceswap.__all__)
    assert set(faceswap.__all__) <= set(dir(faceswap))
    tree = ast.parse(Path(faceswap.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("faceswap.")
        for alias in node.names
    }
    assert typed == set(faceswap.__all__)
    assert (Path(faceswap.__file__).parent / "py.typed").is_file()


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = "import sys, faceswap; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, encoding="utf-8")
    assert not {"torch", "numpy", "cv2", "av", "pydantic"} & set(done.stdout.split())


def test_what_is_no_public_name_is_told() -> None:
    with pytest.raises(AttributeError, match="swap_faces"):
        faceswap.swap_faces  # noqa: B018


def test_the_readmes_example_swaps_a_face_and_leaves_the_rest(
    frame: Frame, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "swap_frame" in block)
    assert len(example.strip().split("\n")) <= 20
    faceswap.write_image(tmp_path / "film.png", frame)
    monkeypatch.chdir(tmp_path)
    ran: dict[str, object] = {}
    exec(example, ran)
    mask, swapped = np.asarray(ran["mask"]), np.asarray(Image.open(tmp_path / "swapped.png"))
    # The mask of an untrained model is grey.
    assert mask.max() > 0.1 and (mask == 0).mean() > 0.2
    assert (swapped[mask == 0] == frame[mask == 0]).all() and (swapped != frame).any()


def test_the_example_script_marks_what_it_makes(
    frame: Frame,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    faceswap.write_image(tmp_path / "a.png", frame)
    script = REPOSITORY / "examples" / "swap_a_picture.py"
    monkeypatch.setattr(
        sys, "argv", [str(script), str(tmp_path / "a.png"), str(model), str(tmp_path / "b.png")]
    )
    runpy.run_path(str(script), run_name="__main__")
    assert "1 faces swapped" in capsys.readouterr().out
    assert "Synthetic" in Image.open(tmp_path / "b.png").text["Comment"]


def test_a_mask_that_needs_a_faceset_is_refused(frame: Frame, model: Path) -> None:
    with pytest.raises(ValueError, match="faceset"):
        faceswap.swap_frame(
            frame, [], faceswap.load_model(model), faceswap.MergeSettings(mask_mode="xseg-dst")
        )


def test_the_console_script_runs_stages_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, function = scripts["faceswap"].partition(":")
    monkeypatch.setattr(sys, "argv", ["faceswap", "trian"])
    with pytest.raises(SystemExit) as end:
        getattr(import_module(module), function)()
    assert end.value.code == 2 and "train" in capsys.readouterr().err
