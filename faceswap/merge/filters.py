"""Filters of the swapped face and of the frame around it: sharper, softer, coarser, moved.

Order of a merge: `treat_background` makes the frame that faces are laid over, after the model has seen it
as it was filmed; `filter_face` is part of laying a face over it (compose); `degrade_colors` comes last and
takes in the whole picture, faces and all (§16.72).
The amounts are DFL's own numbers (§16.71), so that what its users know by heart looks as they know it:
sharpening multiplies, a blur of 10 is one median, and denoising counts down in tens: 100 is a full median
and nine ever weaker ones, 500 is 41 full ones and those nine.
"""

import math
from collections.abc import Iterable
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from faceswap.geometry.geometry import apply_transform, crop_transform, invert_transform
from faceswap.merge.settings import MergeSettings, SharpenMode
from faceswap.types import FaceType, Frame, Image, Mask, Points, Transform

# Side in pixels of what is called fine by sharpening, and of every median.
_SHARPEN_PX, _MEDIAN_PX = 3, 5
# Pixels that a palette is chosen from.
_PALETTE_COLORS, _PALETTE_PIXELS = 256, 1 << 14

_Picture = TypeVar("_Picture", bound=Frame | Image)


def filter_face(face: Image, mode: SharpenMode, amount: int) -> Image:
    """The face sharpened (amount > 0) or blurred (< 0, in any mode), not clipped.

    box adds `amount` times what a mean over 3 × 3 takes away, gaussian half of that of a Gaussian.
    """
    if amount < 0:
        return _median(face, (min(rest, 10) / 10 for rest in range(-amount, 0, -10)))
    if mode == "none" or not amount:
        return face
    side = (_SHARPEN_PX, _SHARPEN_PX)
    if mode == "box":
        return _accented(face, cv2.blur(face, side), amount)
    return _accented(face, cv2.GaussianBlur(face, side, 0), 0.5 * amount)


def treat_background(frame: Frame, settings: MergeSettings) -> Frame:
    """The frame that faces are laid over: with less noise, then softer; itself where neither is wanted."""
    if settings.image_denoise_power:
        frame = denoise(frame, settings.image_denoise_power)
    if settings.bicubic_degrade_power:
        frame = degrade_bicubic(frame, settings.bicubic_degrade_power)
    return frame


def denoise(frame: Frame, power: int) -> Frame:
    """Medians over 5 × 5 pixels, mixed in by power/100, (power − 10)/100 and so on; 0…500."""
    return _median(frame, (min(rest, 100) / 100 for rest in range(power, 0, -10)))


def degrade_bicubic(frame: Frame, power: int) -> Frame:
    """Shrunk to 1 − power/101 of its size and enlarged again, both cubic; 0…100."""
    height, width = frame.shape[:2]
    rest = 1 - power / 101
    small = (max(1, int(width * rest)), max(1, int(height * rest)))
    shrunk = cv2.resize(frame, small, interpolation=cv2.INTER_CUBIC)
    return cast(Frame, cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC))


def degrade_colors(frame: Frame, power: int) -> Frame:
    """Mixed by power/100 with itself in the 256 colours that suit it best (median cut); 0…100.

    The palette is that of some pixels, and every pixel gets its colour by its upper five bits a channel:
    searching the palette for all pixels takes ten times as long and looks the same. A frame of 16 bits gets
    the colours of its upper 8.
    """
    if not power:
        return frame
    levels = int(np.iinfo(frame.dtype).max) // 255
    bytes_ = frame if levels == 1 else (frame // levels).astype(np.uint8)
    step = max(1, math.isqrt(bytes_[..., 0].size // _PALETTE_PIXELS))
    sample = Pillow.fromarray(np.ascontiguousarray(bytes_[::step, ::step]))
    palette = sample.quantize(_PALETTE_COLORS, dither=Pillow.Dither.NONE).getpalette() or []
    coarse = bytes_ >> 3
    cell = coarse[..., 0].astype(np.uint16) << 10
    cell |= coarse[..., 1].astype(np.uint16) << 5
    cell |= coarse[..., 2]
    few = np.take(_nearest_colors(np.reshape(palette, (-1, 3)).astype(np.float32)), cell, axis=0)
    return _mixed(frame, cast(Frame, np.multiply(few, levels, dtype=frame.dtype)), power / 100)


def _nearest_colors(palette: Image) -> NDArray[np.uint8]:
    """(32768, 3): the palette's (N, 3) nearest colour to the middle of every cell of five bits a channel."""
    cells = np.arange(1 << 15)
    middles = np.stack([cells >> 10, cells >> 5 & 31, cells & 31], axis=1).astype(np.float32) * 8 + 3.5
    # |a − b|² less |a|², which does not change which b is nearest.
    away = np.square(palette).sum(1) - 2 * middles @ palette.T
    return np.asarray(palette[away.argmin(1)], np.uint8)


def _accented(face: Image, smooth: Image, amount: float) -> Image:
    return np.asarray(cv2.addWeighted(face, 1 + amount, smooth, -amount, 0), np.float32)


def _median(picture: _Picture, weights: Iterable[float]) -> _Picture:
    for weight in weights:
        picture = _mixed(picture, cast(_Picture, cv2.medianBlur(picture, _MEDIAN_PX)), weight)
    return picture


def _mixed(picture: _Picture, other: _Picture, weight: float) -> _Picture:
    if weight == 1:
        return other
    return cast(_Picture, cv2.addWeighted(picture, 1 - weight, other, weight, 0))


# DFL's longest blur is 50 pixels of the crop, a fifth of it at the resolution where its units are ours.
_LONGEST = 0.2
# DFL measures the movement of a full-face crop's middle, whatever the model's face type.
_CROP_PX = 256
_MIDDLE = np.array([[127.0, 127.0]])


def movement(before: Points, after: Points) -> tuple[float, float]:
    """How far (x, y) in frame pixels the face moves between two frames, from landmarks (68, 2) in each.

    For frame i DFL takes frames i − 1 and i + 1, at a clip's ends frame i itself for the missing one.
    """
    middles = [
        apply_transform(invert_transform(crop_transform(points, _CROP_PX, FaceType.FULL)), _MIDDLE)[0]
        for points in (before, after)
    ]
    x, y = middles[1] - middles[0]
    return float(x), float(y)


def blur_along(face: Image, motion: tuple[float, float], frame_to_face: Transform, power: int) -> Image:
    """The face blurred over `power` percent of its `motion`, a vector in frame pixels.

    Length and direction are those that the motion has in the crop. (DFL takes the frame's, so that its
    blur lies askew on a tilted head and grows with the frame's resolution, §16.66.)
    """
    across, down = frame_to_face[:, :2] @ np.array(motion)
    length_px = min(1 + power / 100 * math.hypot(across, down), max(1, _LONGEST * len(face)))
    kernel = motion_kernel(length_px, -math.degrees(math.atan2(down, across)))
    blurred = cv2.filter2D(face, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def motion_kernel(length_px: float, angle_deg: float) -> Mask:
    """A line of `length_px` ≥ 1 pixels through the middle of a square of odd side, its sum 1.

    angle_deg: from the x axis, counter-clockwise as seen. A line of one pixel changes nothing; parts of a
    pixel at its ends are shaded, so that the blur grows steadily from frame to frame.
    """
    reach = math.ceil((length_px - 1) / 2)
    side = 2 * reach + 1
    kernel = np.zeros((side, side), np.float32)
    kernel[reach] = np.clip(length_px / 2 + 0.5 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    turn = cv2.getRotationMatrix2D((reach, reach), angle_deg, 1.0)
    kernel = cv2.warpAffine(kernel, turn, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(kernel / kernel.sum(), np.float32)
