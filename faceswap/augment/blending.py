"""What makes a forgery out of two pictures: colour jitter, warps, soft masks and ways to blend.

Pictures are (S, S, 3) RGB uint8, masks (S, S) float32 in [0, 1]. All functions are pure.
"""

from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.geometry.geometry import compose_transforms, invert_transform, resize_transform
from faceswap.types import Mask, Transform

Picture: TypeAlias = NDArray[np.uint8]
_Floats: TypeAlias = NDArray[np.float32]

# Rec. 601 luma and the two colour axes of NTSC, in which hue is an angle and saturation a length.
_RGB_TO_YIQ = np.array([(0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])
# Less than half a grey level of any picture shows through a mask of this much.
_INVISIBLE = 1 / 510
# What a blurred mask must reach to count as inside: keeps the core of the shape.
_CORE = 0.9
# Poisson blending only adds a smooth correction, which half the resolution holds at a quarter of the cost.
_POISSON_SHRINK = 2


class ColorJitter(NamedTuple):
    """brightness: shift in [−1, 1]; contrast (about mid grey), saturation: gains; tint: shift of R, G, B."""

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue_deg: float = 0.0
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)


def draw_color_jitter(
    rng: np.random.Generator, brightness: float, gain: float, hue_deg: float, tint: float = 0.0
) -> ColorJitter:
    """Draw from ±brightness, ±hue_deg, ±tint and gains between 1/(1 + gain) and 1 + gain."""
    shift, *gains, turn, red, green, blue = (float(draw) for draw in rng.uniform(-1, 1, 7))
    contrast, saturation = ((1 + gain) ** power for power in gains)
    return ColorJitter(
        brightness * shift, contrast, saturation, hue_deg * turn, (tint * red, tint * green, tint * blue)
    )


def jitter_color(picture: Picture, jitter: ColorJitter) -> Picture:
    """The picture in other colours, rounded and cut to 0 … 255; the default jitter changes nothing."""
    angle = np.deg2rad(jitter.hue_deg)
    turn = np.eye(3)
    turn[1:, 1:] = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    turn[1:] *= jitter.saturation
    gain = jitter.contrast * np.linalg.solve(_RGB_TO_YIQ, turn @ _RGB_TO_YIQ)
    offset = 127.5 * (1 - jitter.contrast) + 255 * (jitter.brightness + np.array(jitter.tint))
    return np.asarray(cv2.transform(picture, np.column_stack([gain, offset])), np.uint8)


def down_up(picture: Picture, factor: float) -> Picture:
    """Shrunk to `factor` of its size (area average) and enlarged again (bicubic); the size stays."""
    height, width = picture.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def sharpen(picture: Picture, amount: float) -> Picture:
    """Unsharp masking: `amount` times what a blur of one pixel takes away is added."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.0)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0), np.uint8)


def warp(picture: Picture, a_to_b: Transform, side_px: int, interpolation: int = cv2.INTER_CUBIC) -> Picture:
    """The square picture moved into a square of `side_px`; beyond its border it goes on mirrored.

    A picture that shrinks to less than half is averaged first, so that nothing is skipped.
    """
    side = picture.shape[0]
    shrink = int(1 / np.sqrt(abs(np.linalg.det(a_to_b[:, :2]))))
    if shrink >= 2:
        small = max(1, side // shrink)
        picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        a_to_b = compose_transforms(a_to_b, invert_transform(resize_transform(side, small)))
    size = (side_px, side_px)
    moved = cv2.warpAffine(picture, a_to_b, size, flags=interpolation, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def warp_mask(mask: Mask, a_to_b: Transform, side_px: int) -> Mask:
    """The mask moved like its picture, linearly."""
    size = (side_px, side_px)
    moved = cv2.warpAffine(mask, a_to_b, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.float32)


def draw_displacement(rng: np.random.Generator, side_px: int, spread_px: float, nodes: int = 8) -> _Floats:
    """A smooth random field (S, S, 2) of shifts, about `spread_px` each way at its `nodes`² nodes."""
    coarse = rng.normal(0, spread_px, (nodes, nodes, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.float32)


def deform(mask: Mask, displacement: _Floats) -> Mask:
    """The mask with each pixel taken from where `displacement` (S, S, 2) points, in pixels (x, y)."""
    height, width = mask.shape
    rows, columns = np.indices((height, width), np.float32)
    x, y = columns + displacement[..., 0], rows + displacement[..., 1]
    moved = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def feather(mask: Mask, inset_px: float, softness_px: float) -> Mask:
    """Blur by `inset_px`, keep the core, blur by `softness_px` (standard deviations), peak again at 1.

    Two blurs with a cut between them, Shiohara and Yamasaki, "Detecting deepfakes with self-blended
    images", CVPR 2022: the first rounds the shape and draws it in, the second is the seam.
    Beyond the border the mask goes on, so a face that the crop cuts is not framed. Empty stays empty.
    """
    core = (_blur(mask, inset_px) > _CORE).astype(np.float32)
    soft = _blur(core, softness_px)
    peak = float(soft.max())
    soft = soft / peak if peak > 0 else soft
    soft[soft < _INVISIBLE] = 0
    return np.asarray(soft, np.float32)


def composite(background: Picture, foreground: Picture | _Floats, mask: Mask) -> Picture:
    """background + mask · (foreground − background), rounded; where the mask is 0, the background itself.

    foreground: (S, S, 3) in 0 … 255.
    """
    base = background.astype(np.float32)
    mixed = base + mask[..., None] * (foreground - base)
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def pyramid_blend(background: Picture, foreground: Picture, mask: Mask, levels: int = 5) -> _Floats:
    """Each band of frequencies blended over a width of its own, (S, S, 3) float32 around 0 … 255.

    Burt and Adelson, "A multiresolution spline with application to image mosaics", ACM TOG 1983.
    """
    # Blending is linear: one pyramid of the difference stands for those of both pictures.
    difference = foreground.astype(np.float32) - background
    differences, masks = [difference], [mask]
    for _ in range(levels - 1):
        differences.append(cv2.pyrDown(differences[-1]))
        masks.append(cv2.pyrDown(masks[-1]))
    blended = differences[-1] * masks[-1][..., None]
    for level in range(levels - 2, -1, -1):
        size = differences[level].shape[1::-1]
        band = differences[level] - cv2.pyrUp(differences[level + 1], dstsize=size)
        blended = cv2.pyrUp(blended, dstsize=size) + band * masks[level][..., None]
    return np.asarray(background + blended, np.float32)


def poisson_blend(background: Picture, foreground: Picture, mask: Mask) -> _Floats | None:
    """The foreground with the gradients it has and the border the background has; None where impossible.

    Pérez, Gangnet, Blake, "Poisson image editing", SIGGRAPH 2003: foreground plus the membrane
    spanned by the difference along the edge of mask > ½. OpenCV finds it at half the resolution.
    It needs background all around: a mask that is empty or touches the picture's border gives None.
    """
    side = mask.shape[0]
    half = side // _POISSON_SHRINK
    small_back, small_fore, small_mask = (
        cv2.resize(plane, (half, half), interpolation=cv2.INTER_AREA)
        for plane in (background, foreground, mask)
    )
    hard = np.where(small_mask > 0.5, 255, 0).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(hard)
    # OpenCV solves on a frame of one pixel around the mask.
    if not width or min(left, top) < 2 or max(left + width, top + height) > half - 2:
        return None
    centre = (left + width // 2, top + height // 2)
    try:
        cloned = cv2.seamlessClone(small_fore, small_back, hard, centre, cv2.NORMAL_CLONE)
    except cv2.error:
        # It cannot take every mask, such as one of a few pixels.
        return None
    membrane = cloned.astype(np.float32) - small_fore
    return np.asarray(foreground + cv2.resize(membrane, (side, side)), np.float32)


def _blur(mask: Mask, sigma_px: float) -> Mask:
    if sigma_px <= 0:
        return mask
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE), np.float32)
