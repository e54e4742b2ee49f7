"""From a mask to polygons that a person can edit: a network's proposal, and a free-hand brush."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.polygons import Kind, Polygon, rasterise
from faceswap.geometry.geometry import invert_transform
from faceswap.geometry.warp import resample
from faceswap.masks.crops import MaskNetwork, show
from faceswap.types import Frame, Mask, Points

# Shares of the crop's side and area: a line a person would draw, and specks nobody would.
_TOLERANCE, _LEAST = 1.25 / 512, 40 / 512**2

# Contours run through pixels, so a finer picture makes them finer.
_FINENESS = 4
_SMOOTH = 2 * _FINENESS


def propose(crop: Frame, meta: FaceMeta, network: MaskNetwork) -> tuple[Polygon, ...]:
    """What `network` takes for face in a crop (size_px, size_px, 3) uint8, as polygons in its pixels."""
    mask = predict(crop, meta, network)
    side = meta.size_px
    return trace(mask, _TOLERANCE * side, least_px=_LEAST * side**2)


def predict(crop: Frame, meta: FaceMeta, network: MaskNetwork) -> Mask:
    """The predicted mask (size_px, size_px) of a crop (size_px, size_px, 3) uint8."""
    picture, crop_to_input, size_px = show(crop, meta, network)
    input_to_crop = invert_transform(crop_to_input)
    mask = resample(network([picture])[0], input_to_crop, size_px, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    return np.asarray(mask.clip(0, 1), np.float32)


def trace(mask: Mask, tolerance_px: float, least_px: float = 0.0, level: float = 0.5) -> tuple[Polygon, ...]:
    """Where `mask` (H, W) exceeds `level`, as include polygons, and the holes in it as exclude polygons.

    A face within a hole is lost with it, as excludes draw last. tolerance_px: how far the outline may leave
    the contour (Douglas and Peucker, "Algorithms for the reduction of the number of points required to
    represent a digitized line or its caricature", 1973); least_px: areas below this many pixels are left out.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    fine = cv2.resize(padded, None, fx=_FINENESS, fy=_FINENESS, interpolation=cv2.INTER_LINEAR)
    found, hierarchy = cv2.findContours(
        (fine > level).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    polygons = []
    for number, contour in enumerate(found):
        if cv2.contourArea(contour) < max(1.0, least_px * _FINENESS**2):
            continue
        kind: Kind = "include" if hierarchy[0][number][3] < 0 else "exclude"
        outline = (_on_the_edge(contour[:, 0]) + 0.5) / _FINENESS - 0.5 - 1
        points = cv2.approxPolyDP(outline[:, None], tolerance_px, True)[:, 0]
        polygons.append(Polygon(kind, np.asarray(points, np.float32)))
    return tuple(one for one in sorted(polygons, key=lambda one: one.kind == "exclude") if one.is_area)


def _on_the_edge(contour: NDArray[np.int32]) -> Points:
    """The contour, which runs through the outermost pixels inside, moved out by half a pixel.

    OpenCV goes round areas and holes in opposite ways, so outside lies on the same hand of both.
    """
    points = contour.astype(np.float32)
    if len(points) < 2 * _SMOOTH:
        return points
    along = np.roll(points, -_SMOOTH // 2, 0) - np.roll(points, _SMOOTH // 2, 0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1)
    length = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    return np.asarray(points + 0.5 * normal / length, np.float32)


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
