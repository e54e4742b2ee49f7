"""Face boxes of a frame from the pack's finder, in the frame as a whole, in tiles of it, and turned."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.align.answers import asked, believed_boxes
from faceswap.align.packs import Pack
from faceswap.geometry.boxes import Boxes, suppress
from faceswap.geometry.geometry import apply_transform, compose_transforms
from faceswap.io.images import as_uint8
from faceswap.types import Frame, Transform

# The finder sees the frame with this longer side; small frames are enlarged at most twofold.
FINDER_PX = 640
_MOST_ENLARGED = 2.0
# Shorter side of a face in the finder's picture. The bundled finder is sure of every actor at 16 px,
# at 13 px (40 px in 1080p) of 85 in 100, at 10 px of 25; of heads cut out tightly from 20 px on.
# Frames whose least face would be below 13 px are looked at anew.
_LEAST_PX = 13.0
_SURE_PX = 20.0
# Two scales at most this far apart, in tiles that overlap by what the coarser may miss: 20 px × 5 × 1.4.
_MOST_FINER = 5.0
_OVERLAP_PX = 144
_TILE_PX = 1024
# Two boxes of one scale that share more are one face.
_MOST_IOU = 0.4
# Degrees clockwise, in the order of deepfacelab.md §5.3, with cv2's codes.
TURNS = {
    0: None,
    90: cv2.ROTATE_90_CLOCKWISE,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
}


@dataclass(frozen=True, eq=False)
class View:
    """A part of a frame as the finder sees it: picture (RGB, uint8), its pixels to the frame's.

    bounds: (4,) left, top, right, bottom in frame pixels; a box that reaches them may be half a face.
    """

    picture: Frame
    to_frame: Transform
    bounds: Boxes


def views(frame: Frame, min_face_px: int) -> Iterator[list[View]]:
    """What is to be searched for faces of `min_face_px` and more: the frame, then ever finer tiles.

    Up to 1080p and at 40 px the frame as a whole is enough. 0 promises nothing and never takes tiles.
    """
    height, width = frame.shape[:2]
    scale = min(FINDER_PX / max(height, width), _MOST_ENLARGED)
    yield _tiles(frame, scale, _TILE_PX)
    if min_face_px <= 0 or min_face_px * scale >= _LEAST_PX:
        return
    ratio = min(_SURE_PX / min_face_px, _MOST_ENLARGED) / scale
    steps = max(0, math.ceil(math.log(max(ratio, 1.0), _MOST_FINER)))
    for step in range(1, steps + 1):
        yield _tiles(frame, scale * ratio ** (step / steps), _TILE_PX)


def _tiles(frame: Frame, scale: float, tile_px: int) -> list[View]:
    """The frame scaled and cut into tiles of at most `tile_px`, which overlap."""
    height, width = frame.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = as_uint8(cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
    stretch = np.array([width, height], np.float64) / size
    found = []
    for top, bottom in _spans(size[1], tile_px):
        for left, right in _spans(size[0], tile_px):
            to_frame = np.column_stack([np.diag(stretch), stretch * (left, top) + (stretch - 1) / 2])
            bounds = np.array(
                [
                    (left + 1) * stretch[0] if left else -np.inf,
                    (top + 1) * stretch[1] if top else -np.inf,
                    (right - 1) * stretch[0] if right < size[0] else np.inf,
                    (bottom - 1) * stretch[1] if bottom < size[1] else np.inf,
                ],
                np.float32,
            )
            found.append(View(small[top:bottom, left:right], to_frame, bounds))
    return found


def _spans(length: int, tile_px: int) -> list[tuple[int, int]]:
    """Starts and ends of equal parts of `length` that overlap by `_OVERLAP_PX` at least."""
    if length <= tile_px:
        return [(0, length)]
    count = math.ceil((length - _OVERLAP_PX) / (tile_px - _OVERLAP_PX))
    # Multiples of the finder's largest stride need no padding.
    part = min(tile_px, -(-(length + (count - 1) * _OVERLAP_PX) // (32 * count)) * 32)
    starts = np.linspace(0, length - part, count).round().astype(int).tolist()
    return [(start, start + part) for start in starts]


def find_boxes(pack: Pack, level: Sequence[View], degrees: int) -> list[tuple[Boxes, float]]:
    """Boxes (4,) in frame pixels with their scores, largest first, found in views turned by `degrees`."""
    found = [item for view in level for item in _find_in_view(pack, view, degrees)]
    if len(level) > 1 and found:
        boxes, scores = np.stack([box for box, _ in found]), np.array([score for _, score in found])
        found = [found[index] for index in suppress(boxes, scores, _MOST_IOU)]
    return sorted(found, key=lambda item: -area(item[0]))


def _find_in_view(pack: Pack, view: View, degrees: int) -> Iterator[tuple[Boxes, float]]:
    """Boxes and scores of one view, without those that a neighbouring tile has whole."""
    code = TURNS[degrees]
    found = run_finder(pack, view.picture if code is None else cv2.rotate(view.picture, code))
    to_frame = compose_transforms(view.to_frame, turn_back(degrees, *view.picture.shape[:2]))
    for row in found:
        corners = apply_transform(to_frame, row[:4].reshape(2, 2))
        box = np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32)
        if (box[:2] > view.bounds[:2]).all() and (box[2:] < view.bounds[2:]).all():
            yield box, float(row[4])


def run_finder(pack: Pack, picture: Frame) -> NDArray[np.float32]:
    """(N, 5): corners in the picture's pixels and score, of an RGB uint8 picture at its own size."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if pack.finder.static_input_size is not None:
        return _detect(pack, bgr)
    # Just enough padding for the finder's largest stride, instead of insightface's square.
    height, width = (-(-side // 32) * 32 for side in bgr.shape[:2])
    below, right = height - bgr.shape[0], width - bgr.shape[1]
    padded = cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return _detect(pack, padded, input_size=(width, height))


def _detect(pack: Pack, bgr: NDArray[np.uint8], **size: tuple[int, int]) -> NDArray[np.float32]:
    found = asked(pack.folder, "face finder", lambda: pack.finder.detect(bgr, **size)[0])
    return believed_boxes(pack.folder, found)


def turn_back(degrees: int, height: int, width: int) -> Transform:
    """From pixels of a picture turned clockwise by `degrees` to those of the picture (height × width)."""
    return {
        0: np.array([[1, 0, 0], [0, 1, 0]], np.float64),
        90: np.array([[0, 1, 0], [-1, 0, height - 1]], np.float64),
        180: np.array([[-1, 0, width - 1], [0, -1, height - 1]], np.float64),
        270: np.array([[0, -1, width - 1], [1, 0, 0]], np.float64),
    }[degrees]


def area(box: Boxes) -> float:
    """px² of a box (4,)."""
    return float(np.prod(box[2:] - box[:2]))
