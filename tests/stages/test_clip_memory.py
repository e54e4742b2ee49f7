"""Memory of extract and encode does not grow with the clip: 200 frames of 1080p against 2,000."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from faceswap.io.files import list_images

REPOSITORY = Path(__file__).parents[2]


def peak_mib(folder: Path, *words: str) -> float:
    """Run a stage and return the largest sum of resident memory of its process tree, in MiB."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    stage = subprocess.Popen([sys.executable, "-m", *words], cwd=folder, env=environment)
    peak, tree = 0, psutil.Process(stage.pid)
    while stage.poll() is None:
        total = 0
        for process in [tree, *_children(tree)]:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, total)
        time.sleep(0.05)
    assert stage.returncode == 0
    return peak / 2**20


def _children(tree: psutil.Process) -> list[psutil.Process]:
    try:
        return tree.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.slow
def test_ten_times_the_frames_need_the_same_memory(shared_data, toy_clip, tmp_path):
    peaks: dict[tuple[str, int], float] = {}
    for count in (200, 2000):
        work = tmp_path / str(count)
        work.mkdir()
        loops = {"stream_loop": count // 150 + 1}
        source = shared_data / "clips" / "host_1080p.mp4"
        toy_clip.rewrap(source, work / "data_dst.mp4", {"frames:v": count, "map": "0:v"}, **loops)
        # As many frames are under way in jpg as in png, and the test takes half the time.
        words = ("stages.extract_dst", "--workspace", ".", "--format", "jpg")
        peaks["extract", count] = peak_mib(work, *words)
        (work / "data_dst/merged").mkdir()
        for path in list_images(work / "data_dst"):
            path.rename(path.parent / "merged" / path.name)
        assert len(list_images(work / "data_dst/merged")) == count
        peaks["encode", count] = peak_mib(work, "stages.encode", "--workspace", ".")
    print(peaks)
    for stage in ("extract", "encode"):
        assert peaks[stage, 2000] < 1.1 * peaks[stage, 200], peaks
