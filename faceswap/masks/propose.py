"""From a crop to the mask that a network predicts, and from a mask to polygons that a person can edit."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.geometry import invert_transform
from faceswap.faces.warp import resample
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.polygons import Kind, Polygon
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
