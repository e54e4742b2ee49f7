"""One picture of several clips side by side at the same moments."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.images import as_uint8
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import Clip, probe
from faceswap.types import Frame

TILE_PX = 256
BAR_PX = 28


def storyboard(clips: Mapping[str, Path], moments: Sequence[float]) -> Frame:
    """A labelled row a clip, a column a moment (fraction of the clip, in [0, 1]); RGB uint8.

    Raises UserError when a clip holds no picture.
    """
    rows = []
    for label, path in clips.items():
        tiles = [_fit(frame) for frame in frames_at(path, moments)]
        bar = np.full((BAR_PX, TILE_PX * len(tiles), 3), 24, np.uint8)
        cv2.putText(bar, label, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (235, 235, 235), 1, cv2.LINE_AA)
        rows += [bar, np.hstack(tiles)]
    return np.vstack(rows)


def frames_at(path: Path, moments: Sequence[float]) -> list[NDArray[np.uint8]]:
    """The frames of a clip at fractions of its frame count; only those asked for are kept in memory."""
    clip = surveyed(probe(path))
    count = sum(1 for _ in _frames(clip))
    if not count:
        raise UserError(f"{path} holds no picture")
    wanted = [min(count - 1, int(moment * count)) for moment in moments]
    kept = {index: frame for index, frame in enumerate(_frames(clip)) if index in wanted}
    return [kept[index] for index in wanted]


def _frames(clip: Clip) -> Iterator[NDArray[np.uint8]]:
    with Decoder(extract_command(clip, 0, False, ffmpeg_binary())) as decoder:
        yield from (as_uint8(frame) for _, frame in decoder.frames())


def _fit(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = TILE_PX / max(frame.shape[:2])
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    top, left = (TILE_PX - size[1]) // 2, (TILE_PX - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile
