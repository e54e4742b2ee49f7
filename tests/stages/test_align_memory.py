"""Memory of align does not grow with the clip (issue 2, "memory"): 200 frames of 1080p against 2,000."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from faceswap.benchmark.memory import PeakMemory
from faceswap.io.images import write_image

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_ten_times_the_frames_need_the_same_memory_to_align(shared_data: Path, tmp_path: Path) -> None:
    with av.open(str(shared_data / "clips" / "host_1080p.mp4")) as clip:
        pictures = [
            frame.to_ndarray(format="rgb24")
            for _, frame in zip(range(20), clip.decode(video=0), strict=False)
        ]
    originals = [tmp_path / f"{index}.jpg" for index in range(len(pictures))]
    for path, picture in zip(originals, pictures, strict=True):
        write_image(path, picture)
    peaks = {}
    for count in (200, 2000):
        frames = tmp_path / str(count) / "data_dst"
        frames.mkdir(parents=True)
        for index in range(count):
            os.link(originals[index % len(originals)], frames / f"{index:05d}.jpg")
        command = [sys.executable, "-m", "stages.align_dst", "--workspace", str(frames.parent)]
        stage = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
        with PeakMemory(stage.pid) as memory:
            assert stage.wait() == 0
        peaks[count] = memory.peak_bytes
    assert peaks[2000] < 1.1 * peaks[200], peaks
