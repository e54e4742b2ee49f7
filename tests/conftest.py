"""Shared fixtures: where the test data lies, and a stage run as a user would run it."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared" / "data"

RunStage = Callable[..., "subprocess.CompletedProcess[str]"]

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
