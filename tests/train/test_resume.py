"""Continuing equals never having stopped, bit for bit, after a real SIGKILL (issue: row "resume")."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceswap.learn import checkpoint
from faceswap.types import Side

REPOSITORY = Path(__file__).parents[2]
PARTS = ["weights", "optimizer"]
SMALL = "--arch DF-UD --resolution 64 --ae-dims 32 --encoder-dims 16 --decoder-dims 16 --mask-dims 16"
COMMAND = [sys.executable, "-m", "stages.train", *SMALL.split(), "--device", "cpu", "--batch-size", "2"]


def start(workspace: Path, iterations: int) -> subprocess.Popen[bytes]:
    words = [*COMMAND, "--workspace", str(workspace), "--iterations", str(iterations), "--seed", "7"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def train(workspace: Path, iterations: int) -> None:
    process = start(workspace, iterations)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors.decode()


def history(workspace: Path) -> list[tuple[int, float, float]]:
    """Whole lines only: the last one may be half written when it is read."""
    path = workspace / "model" / "new" / "history.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    return [(entry["iteration"], entry["src"], entry["dst"]) for entry in map(json.loads, lines)]


def train_and_kill(workspace: Path, at: int) -> None:
    """Kill the process, with no chance to save, once it has done iteration `at`."""
    process = start(workspace, iterations=100_000)
    while not any(iteration >= at for iteration, _, _ in history(workspace)):
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.communicate()


@pytest.fixture
def workspaces(tmp_path: Path, make_faces: Callable[..., None]) -> tuple[Path, Path]:
    """Two equal jobs of five and three faces."""
    for name in ("straight", "stopped"):
        make_faces(tmp_path / name / "data_src" / "aligned", 5, Side.SRC)
        make_faces(tmp_path / name / "data_dst" / "aligned", 3, Side.DST)
    return tmp_path / "straight", tmp_path / "stopped"


def test_ten_saved_some_lost_in_a_kill_and_ten_more_equal_twenty_straight(
    workspaces: tuple[Path, Path],
) -> None:
    straight, stopped = workspaces
    train(straight, 20)
    train(stopped, 10)
    train_and_kill(stopped, at=15)
    assert checkpoint.load(stopped / "model" / "new", PARTS).iteration == 10, "the kill came between saves"
    train(stopped, 20)
    expected, got = (checkpoint.load(place / "model" / "new", PARTS) for place in workspaces)
    assert expected.iteration == got.iteration == 20
    for part in PARTS:
        assert expected.tensors[part].keys() == got.tensors[part].keys()
        for name, tensor in expected.tensors[part].items():
            assert torch.equal(tensor, got.tensors[part][name]), f"{part} {name} differs"
    assert history(straight) == history(stopped), "one line an iteration, with the same losses"
