"""Pixels between a frame and a crop, and between two crops."""

import math
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.geometry.geometry import (
    apply_transform,
    compose_transforms,
    crop_transform,
    invert_transform,
    resize_transform,
)
from faceswap.types import FaceType, Frame, Image, Mask, Points, Transform

# Below this many crop pixels per frame pixel a cubic kernel (4 × 4 frame pixels) skips detail and aliases.
_ALIASING_SCALE = 0.75

Picture = TypeVar("Picture", bound=NDArray[Any])


def cut_crop(frame: Frame, frame_to_face: Transform, size_px: int) -> Frame:
    """The crop (size_px, size_px, 3) of a frame, of the frame's dtype; black beyond the frame.

    Cubic where the face is enlarged or kept; where it shrinks, the mean over each crop pixel's area (a
    bilinear crop of about frame scale, then cv2's INTER_AREA by a whole factor, whose averaging hides
    what cubic would add). DeepFaceLab meant Lanczos and got bilinear (deepfacelab.md §16.1), which is softer
    when enlarging and aliases when shrinking; Lanczos rings more than cubic at four times the cost.
    """
    scale = float(np.sqrt(abs(np.linalg.det(frame_to_face[:, :2]))))
    # The finer crop has 0.67 to 1.5 of the frame's own scale.
    factor = 1 if scale >= _ALIASING_SCALE else max(2, int(1 / scale))
    fine_px = size_px * factor
    frame_to_fine = compose_transforms(resize_transform(size_px, fine_px), frame_to_face)
    kernel = cv2.INTER_CUBIC if factor == 1 else cv2.INTER_LINEAR
    crop = cv2.warpAffine(frame, frame_to_fine, (fine_px, fine_px), flags=kernel)
    if factor > 1:
        crop = cv2.resize(crop, (size_px, size_px), interpolation=cv2.INTER_AREA)
    cut: Frame = crop
    return cut


def resample(picture: Picture, a_to_b: Transform, size_px: int, interpolation: int, border: int) -> Picture:
    """A picture (H, W) or (H, W, 3) warped to size_px²; interpolation, border: cv2's.

    Where that shrinks, at a whole multiple of the size first, then averaged down.
    """
    shrink = 1 / np.sqrt(abs(np.linalg.det(a_to_b[:, :2])))
    times = max(1, round(float(shrink)))
    a_to_large = compose_transforms(resize_transform(size_px, times * size_px), a_to_b)
    side = (times * size_px, times * size_px)
    large = cv2.warpAffine(picture, a_to_large, side, flags=interpolation, borderMode=border)
    small = large if times == 1 else cv2.resize(large, (size_px, size_px), interpolation=cv2.INTER_AREA)
    resampled: Picture = small
    return resampled


class Rectangle(NamedTuple):
    """Whole pixels of a frame; may be empty."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a frame with."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def crop_face(
    frame: Frame, landmarks: Points, size_px: int, face_type: FaceType, scale: float = 1.0
) -> Image:
    """The face as the model sees it, (size_px, size_px, 3) float32 in [0, 1], black outside the frame.

    scale > 1 enlarges it within the crop, as in `placement`.
    """
    crop = cut_crop(frame, crop_transform(landmarks, size_px, face_type, scale), size_px)
    return crop * np.float32(1 / np.iinfo(frame.dtype).max)


def visible(height: int, width: int, frame_to_face: Transform, size_px: int) -> NDArray[np.bool_]:
    """Where a crop of size_px² shows a (height, width) frame, but for pixels that are mixed with beyond."""
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float64)
    drawn = np.zeros((size_px, size_px), np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(apply_transform(frame_to_face, corners)).astype(np.int32), 1)
    return np.asarray(cv2.erode(drawn, np.ones((3, 3), np.uint8)) > 0)


def placement(landmarks: Points, size_px: int, face_type: FaceType, scale: float) -> Transform:
    """face_to_frame of a crop of `size_px`²; `scale` > 1 pastes a smaller face (deepfacelab.md §11.5)."""
    return invert_transform(crop_transform(landmarks, size_px, face_type, scale))


def covered(mask: Mask, face_to_frame: Transform, height: int, width: int) -> Rectangle:
    """The pixels of a (height, width) frame that the positive part of a crop-space mask can reach."""
    left, top, across, down = cv2.boundingRect((mask > 0).astype(np.uint8))
    if not across:
        return Rectangle(0, 0, 0, 0)
    # Interpolation carries a value almost one pixel further, averaging before it one pixel of the frame.
    x0, y0, x1, y1 = left - 1, top - 1, left + across, top + down
    corners = apply_transform(face_to_frame, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64))
    low = np.clip(np.floor(corners.min(0)) - 1, 0, (width, height)).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 2, 0, (width, height)).astype(int)
    return Rectangle(int(low[0]), int(low[1]), *(int(side) for side in np.maximum(high - low, 0)))


def paste_face(face: Image, face_to_frame: Transform, into: Rectangle) -> Image:
    """A square crop in the frame's pixels, (into.height, into.width, 3), its border carried outwards."""
    return _paste(face, face_to_frame, into, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)


def paste_mask(mask: Mask, face_to_frame: Transform, into: Rectangle) -> Mask:
    """A square crop-space mask in the frame's pixels, (into.height, into.width), zero outside the crop."""
    return _paste(mask, face_to_frame, into, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)


def _paste(crop: Image, face_to_frame: Transform, into: Rectangle, interpolation: int, border: int) -> Image:
    size_px = crop.shape[0]
    scale = float(np.sqrt(abs(np.linalg.det(face_to_frame[:, :2]))))
    # Twice smaller or less, interpolation would skip pixels of the crop: average first.
    if scale <= 0.5:
        small_px = max(1, math.ceil(size_px * scale))
        crop = cv2.resize(crop, (small_px, small_px), interpolation=cv2.INTER_AREA)
        face_to_frame = compose_transforms(face_to_frame, resize_transform(small_px, size_px))
    moved = face_to_frame.copy()
    moved[:, 2] -= (into.left, into.top)
    warped = cv2.warpAffine(crop, moved, (into.width, into.height), flags=interpolation, borderMode=border)
    return np.asarray(warped, np.float32)
