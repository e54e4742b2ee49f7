"""Memory does not grow with the clip: every stage of the main job on 200 frames of 1080p and on 2,000."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceswap.benchmark.memory import PeakMemory

REPOSITORY = Path(__file__).parents[2]
SMALL = ("--resolution", "64", "--ae-dims", "32", "--encoder-dims", "16", "--decoder-dims", "16")


@pytest.mark.slow
def test_ten_times_the_frames_need_the_same_memory(
    shared_data: Path, toy_clip: SimpleNamespace, tmp_path: Path
) -> None:
    peaks: dict[tuple[str, int], int] = {}
    for count in (200, 2000):
        work = tmp_path / str(count)
        work.mkdir()
        loops = {"stream_loop": count // 150 + 1}
        source = shared_data / "clips" / "host_1080p.mp4"
        toy_clip.rewrap(source, work / "data_dst.mp4", {"frames:v": count, "map": "0:v"}, **loops)
        # As many frames are under way in jpg as in png, and the test takes half the time.
        peaks["extract", count] = peak(work, "extract_dst", "--format", "jpg")
        peaks["align", count] = peak(work, "align_dst")
        faces = work / "data_dst" / "aligned"
        peak(work, "train", *SMALL, "--src", faces, "--dst", faces, "--iterations", "1")
        peaks["merge", count] = peak(work, "merge")
        peaks["encode", count] = peak(work, "encode")
    print({key: round(value / 2**20) for key, value in peaks.items()})
    for stage in ("extract", "align", "merge", "encode"):
        assert peaks[stage, 2000] < 1.1 * peaks[stage, 200], (stage, peaks)


def peak(folder: Path, stage: str, *words: object) -> int:
    """Run a stage; returns the largest sum of memory of its process tree, in bytes."""
    command = [sys.executable, "-m", f"stages.{stage}", "--workspace", str(folder), *map(str, words)]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    with PeakMemory(process.pid) as memory:
        assert process.wait() == 0
    return memory.peak_bytes
