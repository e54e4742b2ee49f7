"""Sharper, softer, coarser: filters of the swapped face and of the frame around it (dfl-facts §11.6).

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

from faceswap.merge.settings import MergeSettings, SharpenMode
from faceswap.types import Frame, Image

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
