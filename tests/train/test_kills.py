"""Killed fifty times at random: a model loads that lost at most the time since its last save."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faceswap.learn import backups, checkpoint
from faceswap.types import Side

REPOSITORY = Path(__file__).parents[2]
SMALL = "--arch DF-UD --resolution 64 --ae-dims 32 --encoder-dims 16 --decoder-dims 16 --mask-dims 16"
COMMAND = [sys.executable, "-m", "stages.train", *SMALL.split(), "--device", "cpu", "--batch-size", "2"]
SAVE_MINUTES = 0.05
KILLS = 50


def start(workspace: Path) -> subprocess.Popen[bytes]:
    words = ["--workspace", str(workspace), "--save-minutes", str(SAVE_MINUTES), "--preview-seconds", "1"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_fifty_kills(tmp_path: Path, make_faces: Callable[..., None]) -> None:
    make_faces(tmp_path / "data_src" / "aligned", 5, Side.SRC)
    make_faces(tmp_path / "data_dst" / "aligned", 3, Side.DST)
    folder = tmp_path / "model" / "new"
    moments, before = random.Random(0), 0
    for number in range(KILLS):
        process = start(tmp_path)
        known = before
        while known == before:
            assert process.poll() is None, process.communicate()[1].decode()
            known = newest(folder)
            time.sleep(0.05)
        # Some kills fall into the time between two saves, some into a save.
        time.sleep(moments.uniform(0, 2 * 60 * SAVE_MINUTES))
        known = newest(folder)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        loaded = checkpoint.load(folder)
        assert loaded.rejected == (), f"kill {number}"
        assert loaded.iteration >= known, "what was on the disk is still there"
        for backup in backups.list_backups(folder):
            checkpoint.read(backup.path)
        before = loaded.iteration


def newest(folder: Path) -> int:
    """The iteration of the newest checkpoint, by its name alone, as it is being written beside it."""
    return max((int(path.name.partition(".")[0]) for path in checkpoint.saved(folder)), default=0)
