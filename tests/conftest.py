"""Shared fixtures: where the test data lies, and a stage run as a user would run it."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from faceswap.faces.geometry import crop_transform
from faceswap.faces.template import HEAD_MODEL
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.types import FaceType, Side

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared" / "data"

RunStage = Callable[..., "subprocess.CompletedProcess[str]"]

MakeFaces = Callable[..., None]

# Two cores are shared with whatever else runs: more threads than this only fight.
cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Clips and truth that may not be committed; tests that need them skip where they are absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data, which lies beside the repository only where it is developed")
    return SHARED


@pytest.fixture(scope="session")
def demo_clips() -> Path:
    """The bundled clips of the two synthetic actors, with their truth."""
    return REPOSITORY / "assets" / "demo"


@pytest.fixture(scope="session")
def toy() -> SimpleNamespace:
    """tests/toy_pack.py: `build` writes a pack of buffalo_l's shape, `draw` a face that it finds."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_pack.py")))


@pytest.fixture(scope="session")
def toy_clip() -> SimpleNamespace:
    """tests/toy_clip.py: `make` writes a small clip, `shown` and `click_s` tell what one shows and sounds."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_clip.py")))


@pytest.fixture(scope="session")
def toy_pack(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy pack."""
    return Path(toy.build(tmp_path_factory.mktemp("packs") / "toy"))


@pytest.fixture
def run_stage(tmp_path: Path) -> RunStage:
    """Run `python -m stages.NAME …` as a process; returns its exit code, output and errors."""

    def run(*words: object, check: bool = False) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", f"stages.{words[0]}", *map(str, words[1:])]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=600
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run


@pytest.fixture(scope="session")
def make_faces() -> MakeFaces:
    """Fill a folder with crops of smooth random colours, each with the mean head's landmarks as metadata."""

    def make(
        folder: Path, count: int, side: Side, face_type: FaceType = FaceType.WHOLE, size_px: int = 96
    ) -> None:
        landmarks = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
        to_face = crop_transform(landmarks, size_px, face_type)
        for index in range(count):
            colours = np.random.default_rng([index, len(side), ord(side[0])]).integers(0, 256, (6, 6, 3))
            crop = cv2.resize(colours.astype(np.uint8), (size_px, size_px), interpolation=cv2.INTER_LINEAR)
            meta = FaceMeta(f"{index:05d}.png", to_face, size_px, landmarks, face_type, side, 0, 0.9)
            write_face(folder / f"{index:05d}_0.png", crop, meta)

    return make
