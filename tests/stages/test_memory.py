"""Memory does not grow with the clip: every stage of the main job on 200 frames of 1080p and on 2,000."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from faceswap.benchmark.machine import PeakMemory, tree_bytes
from faceswap.faceset.store import Faceset, write_face
from tests.stages.test_merge import make_model

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


@pytest.mark.slow
def test_a_stream_of_2000_frames_needs_the_same_memory_from_its_begin_to_its_end(
    shared_data: Path, toy_clip: SimpleNamespace, tmp_path: Path
) -> None:
    short, work = tmp_path / "short", tmp_path / "long"
    source = shared_data / "clips" / "host_1080p.mp4"
    for folder, count in ((short, 150), (work, 2000)):
        folder.mkdir()
        loops = {"stream_loop": count // 150}
        toy_clip.rewrap(source, folder / "data_dst.mp4", {"frames:v": count, "map": "0:v"}, **loops)
    peak(short, "extract_dst", "--format", "jpg")
    peak(short, "align_dst")
    # The faces of every loop are those of the first; their pixels are not looked at.
    faces = {face.meta.source: face.meta for face in Faceset.open(short / "data_dst" / "aligned").faces}
    for number in range(2000):
        meta = faces.get(f"{number % 150 + 1:05d}.jpg")
        if meta is not None:
            crop = np.zeros((meta.size_px, meta.size_px, 3), np.uint8)
            path = work / "data_dst" / "aligned" / f"{number + 1:05d}_0.jpg"
            write_face(path, crop, dataclasses.replace(meta, source=f"{number + 1:05d}.png"))
    make_model(work, "new")
    begun = time.perf_counter()
    course = memory_course(start(work, "merge", "--stream"))
    quarters = [float(np.mean(part)) / 2**20 for part in np.array_split(course, 4)]
    print(f"{quarters} MiB in the quarters of {time.perf_counter() - begun:.0f} s")
    # The first holds the start and the counting of the frames.
    assert max(quarters[1:]) < 1.05 * min(quarters[1:]), quarters


def start(folder: Path, stage: str, *words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"stages.{stage}", "--workspace", str(folder), *map(str, words)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})


def memory_course(process: subprocess.Popen[bytes]) -> list[int]:
    """The memory of a stage's process tree every half second until it has ended well, in bytes."""
    course, root = [], psutil.Process(process.pid)
    while process.poll() is None:
        course.append(tree_bytes(root))
        time.sleep(0.5)
    assert process.returncode == 0
    return course


def peak(folder: Path, stage: str, *words: object) -> int:
    """Run a stage; returns the largest sum of memory of its process tree, in bytes."""
    process = start(folder, stage, *words)
    with PeakMemory(process.pid) as memory:
        assert process.wait() == 0
    return memory.peak_bytes
