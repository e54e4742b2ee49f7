"""Cutting a crop out of a frame, or out of another crop."""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.geometry import compose_transforms, resize_transform
from faceswap.types import Frame, Transform

# Below this many crop pixels per frame pixel a cubic kernel (4 × 4 frame pixels) skips detail and aliases.
_ALIASING_SCALE = 0.75

Picture = TypeVar("Picture", bound=NDArray[Any])


def cut_crop(frame: Frame, frame_to_face: Transform, size_px: int) -> Frame:
    """The crop (size_px, size_px, 3) of a frame, of the frame's dtype; black beyond the frame.

    Cubic where the face is enlarged or kept; where it shrinks, the mean over each crop pixel's area (a
    bilinear crop of about frame scale, then cv2's INTER_AREA by a whole factor, whose averaging hides
    what cubic would add). DeepFaceLab meant Lanczos and got bilinear (dfl-facts §16.1), which is softer
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
