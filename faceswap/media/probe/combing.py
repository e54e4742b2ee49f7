"""Whether pictures in a row show two moments in their even and odd lines."""

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

# So many levels of 255 a point must change by to count as moving.
_MOVES = 12
# Every so many columns are looked at.
_STEP = 4

Kind = Literal["tff", "bff", "progressive", "undetermined"]


@dataclass(frozen=True)
class Verdict:
    """Of a picture: which field is first if it has two, whether it says so, which one it repeats."""

    kind: Kind
    flagged: bool
    repeats: Literal["neither", "top", "bottom"]


class Detector:
    """ffmpeg's idet for pictures in a row, confirmed: it takes some that move up or down for interlaced."""

    def __init__(self, stream: VideoStream) -> None:
        self._graph = av.filter.Graph()
        parts = (self._graph.add_buffer(template=stream), self._graph.add("idet"))
        self._graph.link_nodes(*parts, self._graph.add("buffersink"))
        self._graph.configure()
        # Of the pictures that no verdict was given on yet, and the one before.
        self._seen: deque[tuple[bool, NDArray[np.int16]]] = deque()
        self._before: NDArray[np.int16] | None = None

    def verdicts(self, frame: VideoFrame | None) -> list[Verdict]:
        """Take the next picture, None for the end, and give what is known by now: it is a picture late.

        Raises FFmpegError for pictures that cannot be looked at or have another size.
        """
        if frame is not None:
            self._seen.append((bool(frame.interlaced_frame), _luma(frame)))
        self._graph.push(frame)
        found: list[Verdict] = []
        while True:
            try:
                # PyAV's stubs do not know what graphs give.
                told: Any = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return found
            found.append(self._verdict(told.metadata))

    def _verdict(self, told: dict[str, str]) -> Verdict:
        flagged, luma = self._seen.popleft()
        kind: Any = told["lavfi.idet.single.current_frame"]
        if kind in ("tff", "bff") and not is_combed(luma, self._before):
            kind = "undetermined"
        self._before = luma
        repeats: Any = told["lavfi.idet.repeated.current_frame"]
        return Verdict(kind, flagged, repeats)


def is_combed(luma: NDArray[np.int16], before: NDArray[np.int16] | None) -> bool:
    """Whether lines (H, W) are more like the next but one than like the next where they moved."""
    if before is None or luma.shape != before.shape or len(luma) < 5:
        return False
    moving = (np.abs(luma - before) > _MOVES)[2:-2]
    middle = luma[2:-2]
    across = np.abs(2 * middle - luma[1:-3] - luma[3:-1])[moving].sum()
    within = np.abs(2 * middle - luma[:-4] - luma[4:])[moving].sum()
    return bool(across > within)


def _luma(frame: VideoFrame) -> NDArray[np.int16]:
    """Some columns of the brightness, 0 to 255."""
    name, bits = frame.format.name, frame.format.components[0].bits
    if not name.startswith(("yuv", "gray")) or not frame.format.is_planar:
        return frame.to_ndarray(format="gray")[:, ::_STEP].astype(np.int16)
    plane = frame.planes[0]
    kind = "u1" if bits <= 8 else ">u2" if name.endswith("be") else "<u2"
    lines = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)[:, : plane.width : _STEP]
    return (lines >> max(0, bits - 8)).astype(np.int16)
