"""A free-hand brush whose strokes end as polygons."""

from collections.abc import Sequence

import cv2
import numpy as np

from faceswap.faceset.polygons import Kind, Polygon, rasterise
from faceswap.masks.propose import trace
from faceswap.types import Mask, Points

_TOLERANCE_PX = 0.5
# Drawn this much finer and averaged, in 1/16 of such a pixel.
_STROKE_FINENESS, _SUBPIXEL_BITS = 4, 4


def paint(
    polygons: Sequence[Polygon], path: Points, radius_px: float, kind: Kind, size_px: int
) -> tuple[Polygon, ...]:
    """The polygons after a stroke of a round brush along `path` (N, 2), N ≥ 1, in a crop of side `size_px`.

    An include stroke adds what it covers to the face, an exclude stroke takes it away. Polygons that the
    stroke does not come near stay as they are, point for point; the others are traced anew.
    """
    near = _reached(polygons, path, radius_px)
    touched = [one for one, is_near in zip(polygons, near, strict=True) if is_near]
    kept = [one for one, is_near in zip(polygons, near, strict=True) if not is_near]
    mask, covered = rasterise(touched, size_px, size_px), stroke(path, radius_px, size_px)
    painted = np.maximum(mask, covered) if kind == "include" else np.minimum(mask, 1 - covered)
    if np.array_equal(painted, mask):
        return tuple(polygons)
    return (*kept, *trace(painted, _TOLERANCE_PX, least_px=4))


def stroke(path: Points, radius_px: float, size_px: int) -> Mask:
    """What a round brush covers along `path` (N, 2), as a mask (size_px, size_px) with soft edges."""
    fine = np.zeros((size_px * _STROKE_FINENESS, size_px * _STROKE_FINENESS), np.uint8)
    fixed = np.rint(((path + 0.5) * _STROKE_FINENESS - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    width = max(1, round(2 * radius_px * _STROKE_FINENESS))
    cv2.polylines(fine, [fixed.reshape(-1, 1, 2)], False, 255, width, shift=_SUBPIXEL_BITS)
    for x, y in fixed[[0, -1]].tolist():
        cv2.circle(fine, (x, y), width * 2 ** (_SUBPIXEL_BITS - 1), 255, -1, shift=_SUBPIXEL_BITS)
    soft = cv2.resize(fine, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(soft, np.float32) / np.float32(255)


def _reached(polygons: Sequence[Polygon], path: Points, radius_px: float) -> list[bool]:
    """Of each polygon, whether its surroundings and the stroke's overlap, directly or through others'."""
    boxes = [
        np.concatenate([one.points.min(0), one.points.max(0)]) if len(one.points) else np.full(4, np.inf)
        for one in polygons
    ]
    reach = radius_px + 2
    reached, waiting = [False] * len(boxes), [np.concatenate([path.min(0) - reach, path.max(0) + reach])]
    while waiting:
        box = waiting.pop()
        for number, other in enumerate(boxes):
            if not reached[number] and (other[:2] <= box[2:]).all() and (box[:2] <= other[2:]).all():
                reached[number] = True
                waiting.append(other)
    return reached
