"""Swaps by other programs, half against half."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.detector.measures.exam import examine
from faceswap.detector.network.judge import Verdict
from faceswap.errors import UserError
from tests.detector.toy_set import actor_frames


class Green:
    """Calls a crop fake as far as its middle is green."""

    def __call__(self, crops: Iterable[NDArray[np.uint8]]) -> Iterator[Verdict]:
        for crop in crops:
            red, green, _ = crop[60:100, 60:100].reshape(-1, 3).mean(axis=0)
            score = float(np.clip(0.5 + (green - red) / 255, 0, 1))
            yield Verdict(0.0, score, np.zeros((8, 8), np.float32))


@pytest.fixture(scope="module")
def analyst() -> FaceAnalyzer:
    return FaceAnalyzer(load_pack("bundled", threads=1), max_faces=1)


def write_halves(path: Path, which: str, shift: int) -> None:
    """The actor at left, and at right with a face greener by `shift`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1024, 512, "yuv420p"
        for frame, points in actor_frames(which, 4):
            fake = frame.astype(int)
            left, top = points.min(0).astype(int)
            right, bottom = points.max(0).astype(int)
            fake[top:bottom, left:right] += np.array([-shift, shift, 0])
            both = np.concatenate((frame, np.clip(fake, 0, 255).astype(np.uint8)), axis=1)
            for packet in stream.encode(av.VideoFrame.from_ndarray(both, "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def test_each_half_is_judged_as_what_it_is(analyst: FaceAnalyzer, tmp_path: Path) -> None:
    for which in "ab":
        write_halves(tmp_path / "fakes" / "DeepFaceLive" / f"{which}.mp4", which, 60)
    found = examine(tmp_path, analyst, Green(), {"0.05": 0.5})["swaps"]  # type: ignore[arg-type]
    assert found["frames"] == 8
    assert found["frame_auc"] == found["clip_auc"] == 1.0
    assert found["at_threshold"]["0.05"] == {"tpr": 1.0, "fpr": 0.0}
    for clip in found["clips"].values():
        assert clip["fake"] - clip["real"] == pytest.approx(2 * 60 / 255, abs=0.08)


def test_without_the_clips_there_is_no_exam(analyst: FaceAnalyzer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="DeepFaceLive"):
        examine(tmp_path, analyst, Green(), {})  # type: ignore[arg-type]
