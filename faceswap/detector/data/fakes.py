"""Forgeries made on the fly from real crops, each with the mask of what is foreign (detection.md §4.1).

A manipulation takes a generator, a real crop (S, S, 3) RGB uint8 and its landmarks (68, 2) in crop pixels,
and the same of a donor, somebody else's square crop of any size; the same state of the generator gives the
same fake. Where the mask is 0 the fake is the real, bit for bit. Landmarks that show no face (not finite,
in one place, outside the crop) give the untouched crop and an empty mask: nothing to learn a forgery from.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.augment.blending import (
    Picture,
    composite,
    deform,
    down_up,
    draw_color_jitter,
    draw_displacement,
    feather,
    jitter_color,
    poisson_blend,
    pyramid_blend,
    sharpen,
    warp,
    warp_mask,
)
from faceswap.color.transfer import rct
from faceswap.geometry.geometry import apply_transform, compose_transforms, fit_similarity, resize_transform
from faceswap.geometry.landmarks import eyes_mask, hull_mask, mirror_landmarks, mouth_mask, outer_eye_distance
from faceswap.types import Mask, Points, Transform

_EYES, _MOUTH, _INNER = np.arange(36, 48), np.arange(48, 68), np.arange(17, 68)
# Each row averages landmarks to one of five points: eyes, nose tip, mouth corners.
_FIVE = np.zeros((5, 68))
_FIVE[0, 36:42] = _FIVE[1, 42:48] = 1 / 6
_FIVE[[2, 3, 4], [30, 48, 54]] = 1

# A face fills at least this part of its crop; less is a landmarker's failure.
_SMALLEST_FACE = 0.01
# Ranges of the self-blended images (detection.md §2.3); lengths are fractions of the crop's side.
_FOREHEAD_CHANCE = 0.75
_BRIGHTNESS, _GAIN, _HUE_DEG, _TINT = 0.1, 0.3, 10.0, 20 / 255
_TINT_CHANCE = 0.3
_SHIFT, _SCALE = (0.03, 0.015), 1 / 0.95
_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
_ELASTIC, _INSET, _SOFTNESS = 0.015, (0.005, 0.02), (0.006, 0.03)
# Around the opening of eyes or lips, in distances between the outer eye corners.
_PART_MARGIN = (0.16, 0.28)
_NULL_ENLARGED = (1.25, 1.5)


class Fake(NamedTuple):
    """picture (S, S, 3) uint8; mask (S, S) float32 in [0, 1], how much of each pixel is foreign."""

    picture: Picture
    mask: Mask


Manipulation: TypeAlias = Callable[[np.random.Generator, Picture, Points, Picture, Points], Fake]


def self_blended(rng: np.random.Generator, real: Picture, landmarks: Points) -> Fake:
    """The face blended into itself after a change of colour, sharpness, place and size.

    Own implementation of Shiohara and Yamasaki, "Detecting deepfakes with self-blended images", CVPR
    2022 (detection.md §2.3). There, source or target is changed. Here the target must stay the real
    crop, so a change of the target is made as the opposite change of the source: colour ranges hold
    each change and its opposite, a softer target is a sharper source, and the other way round.
    """
    side = real.shape[0]
    if not _shows_face(landmarks, side):
        return _untouched(real)
    tint = _TINT if rng.random() < _TINT_CHANCE else 0.0
    source = jitter_color(real, draw_color_jitter(rng, _BRIGHTNESS, _GAIN, _HUE_DEG, tint))
    softer = rng.random() < 0.5
    source = down_up(source, rng.uniform(0.35, 0.8)) if softer else sharpen(source, rng.uniform(0.3, 1.0))
    moved = _draw_affine(rng, side)
    mask = _soften(rng, warp_mask(_draw_hull(rng, landmarks, side), moved, side))
    mask = mask * np.float32(rng.choice(_RATIOS))
    return Fake(composite(real, warp(source, moved, side), mask), mask)


def affine_swap(
    rng: np.random.Generator, real: Picture, landmarks: Points, donor: Picture, donor_landmarks: Points
) -> Fake:
    """The donor's face, moved onto the real one by a similarity, in its colours, feathered."""
    return _swap(rng, real, landmarks, donor, donor_landmarks, _paste)


def seamless(
    rng: np.random.Generator, real: Picture, landmarks: Points, donor: Picture, donor_landmarks: Points
) -> Fake:
    """The donor's face blended without an edge: Poisson or Laplacian pyramid, by chance.

    Poisson blending needs skin all around, so a face that the crop cuts is always blended by pyramid.
    """
    blend = _poisson_or_pyramid if rng.random() < 0.5 else pyramid_blend
    return _swap(rng, real, landmarks, donor, donor_landmarks, blend)


def partial(
    rng: np.random.Generator, real: Picture, landmarks: Points, donor: Picture, donor_landmarks: Points
) -> Fake:
    """Only the donor's eyes or only the donor's mouth, moved and coloured as in `affine_swap`."""
    side = real.shape[0]
    part = _EYES if rng.random() < 0.5 else _MOUTH
    aligned = _align(real, landmarks, donor, donor_landmarks, _select(part))
    if aligned is None:
        return _untouched(real)
    mask = _soften(
        rng, np.minimum(_draw_part(rng, landmarks, side, part), _draw_hull(rng, aligned.landmarks, side))
    )
    return Fake(composite(real, _match_colors(aligned.picture, real, mask), mask), mask)


def part_of_swap(rng: np.random.Generator, real: Picture, landmarks: Points, swap: Picture) -> Fake:
    """Only the eyes or only the mouth of a finished `swap` of this crop, which has the same size."""
    side = real.shape[0]
    if not _shows_face(landmarks, side):
        return _untouched(real)
    part = _EYES if rng.random() < 0.5 else _MOUTH
    mask = _soften(rng, _draw_part(rng, landmarks, side, part))
    return Fake(composite(real, swap, mask), mask)


def null_fake(rng: np.random.Generator, real: Picture, landmarks: Points) -> Fake:
    """A whole manipulation whose donor is the face itself, elsewhere: must not be called fake; empty mask.

    What is left in the picture is the making: two resamplings, a colour transfer, a blend.
    """
    side = real.shape[0]
    if not _shows_face(landmarks, side):
        return _untouched(real)
    # Drawn larger, the face loses detail on the way back only: one lossy resampling, like any donor's.
    larger = round(side * rng.uniform(*_NULL_ENLARGED))
    away = compose_transforms(resize_transform(side, larger), _draw_affine(rng, side))
    donor, donor_landmarks = warp(real, away, larger), apply_transform(away, landmarks).astype(np.float32)
    manipulation = _WITH_DONOR[int(rng.integers(len(_WITH_DONOR)))]
    made = manipulation(rng, real, landmarks, donor, donor_landmarks)
    return Fake(made.picture, np.zeros_like(made.mask))


_WITH_DONOR: tuple[Manipulation, ...] = (affine_swap, seamless, partial)
# By the names of detection.md §4.1; what an autoencoder made ("ae") is stored, not made here.
MANIPULATIONS: Mapping[str, Manipulation] = {
    "sbi": lambda rng, real, landmarks, _donor, _donor_landmarks: self_blended(rng, real, landmarks),
    "affine": affine_swap,
    "seamless": seamless,
    "part": partial,
}

_Floats: TypeAlias = NDArray[np.float32]
_Blend: TypeAlias = Callable[[Picture, Picture, Mask], Picture | _Floats]


def _swap(
    rng: np.random.Generator,
    real: Picture,
    landmarks: Points,
    donor: Picture,
    donor_landmarks: Points,
    blend: _Blend,
) -> Fake:
    anchors = _FIVE if rng.random() < 0.5 else _select(_INNER)
    aligned = _align(real, landmarks, donor, donor_landmarks, anchors)
    if aligned is None:
        return _untouched(real)
    # Where the donor's head ends, there is nothing to give.
    hulls = [_draw_hull(rng, points, real.shape[0]) for points in (landmarks, aligned.landmarks)]
    mask = _soften(rng, np.minimum(*hulls))
    matched = _match_colors(aligned.picture, real, mask)
    return Fake(composite(real, blend(real, matched, mask), mask), mask)


def _paste(_real: Picture, foreground: Picture, _mask: Mask) -> Picture:
    return foreground


def _poisson_or_pyramid(real: Picture, foreground: Picture, mask: Mask) -> _Floats:
    blended = poisson_blend(real, foreground, mask)
    return pyramid_blend(real, foreground, mask) if blended is None else blended


def _untouched(real: Picture) -> Fake:
    return Fake(real.copy(), np.zeros(real.shape[:2], np.float32))


def _shows_face(landmarks: Points, side: int) -> bool:
    """Whether landmarks near the crop, half of them in it, span an area in which a face is seen."""
    # Comparison with what is not a number is false, too.
    if not (np.abs(landmarks - side / 2) <= 1.5 * side).all():
        return False
    inside = ((landmarks >= 0) & (landmarks <= side - 1)).all(axis=1).mean()
    area = cv2.contourArea(cv2.convexHull(np.asarray(landmarks, np.float32)))
    return bool(inside >= 0.5 and area >= _SMALLEST_FACE * side**2)


def _select(indices: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.eye(68)[indices]


class _Aligned(NamedTuple):
    """A donor moved onto the real crop: picture (S, S, 3) and its landmarks there."""

    picture: Picture
    landmarks: Points


def _align(
    real: Picture, landmarks: Points, donor: Picture, donor_landmarks: Points, anchors: NDArray[np.float64]
) -> _Aligned | None:
    """The donor with its `anchors` (N, 68: averages of landmarks) on the real's; None where no face is.

    A donor who looks the other way is mirrored: the side of a face that is not seen cannot be moved.
    """
    side, donor_side = real.shape[0], donor.shape[0]
    if not (_shows_face(landmarks, side) and _shows_face(donor_landmarks, donor_side)):
        return None
    if turn(landmarks) * turn(donor_landmarks) < 0:
        donor, donor_landmarks = donor[:, ::-1], mirror_landmarks(donor_landmarks, donor_side)
    source, target = anchors @ donor_landmarks, anchors @ landmarks
    # Points that coincide fix no scale.
    if min(source.std(0).sum(), target.std(0).sum()) < 1:
        return None
    donor_to_real = fit_similarity(source, target)
    moved = apply_transform(donor_to_real, donor_landmarks).astype(np.float32)
    # Landmarks that are no face can fit by a gigantic scale, and a polygon of that size is never filled.
    if not _shows_face(moved, side):
        return None
    return _Aligned(warp(donor, donor_to_real, side), moved)


def turn(landmarks: Points) -> float:
    """How far the nose tip lies to image right of the middle between the jaw's ends, in px."""
    return float(landmarks[30, 0] - (landmarks[0, 0] + landmarks[16, 0]) / 2)


def _draw_affine(rng: np.random.Generator, side: int) -> Transform:
    """A small scaling about the centre and shift."""
    scale = _SCALE ** rng.uniform(-1, 1)
    centre = (side - 1) / 2
    shift = side * np.array(_SHIFT) * rng.uniform(-1, 1, 2)
    return np.column_stack([scale * np.eye(2), (1 - scale) * centre + shift])


def _draw_hull(rng: np.random.Generator, landmarks: Points, side: int) -> Mask:
    brow_expand = rng.uniform(0.5, 3.0) if rng.random() < _FOREHEAD_CHANCE else 0.0
    return hull_mask(landmarks, side, side, brow_expand)


def _draw_part(rng: np.random.Generator, landmarks: Points, side: int, part: NDArray[np.int64]) -> Mask:
    opening = (eyes_mask if part is _EYES else mouth_mask)(landmarks, side, side)
    reach = 1 + 2 * max(1, round(rng.uniform(*_PART_MARGIN) * outer_eye_distance(landmarks)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate((opening > 0.5).astype(np.float32), disc), np.float32)


def _soften(rng: np.random.Generator, mask: Mask) -> Mask:
    """The hard mask with a shape and a seam drawn by chance, so that neither gives a fake away."""
    side = mask.shape[0]
    shaken = deform(mask, draw_displacement(rng, side, rng.uniform(0, _ELASTIC) * side))
    return feather(shaken, rng.uniform(*_INSET) * side, rng.uniform(*_SOFTNESS) * side)


def _match_colors(picture: Picture, target: Picture, mask: Mask) -> Picture:
    """`picture` in the colours that `target` has under the mask; outside the mask's rectangle unchanged."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    if not width:
        return picture
    box = np.s_[top : top + height, left : left + width]
    image, wanted = (plane[box].astype(np.float32) / np.float32(255) for plane in (picture, target))
    matched = picture.copy()
    matched[box] = np.rint(255 * rct(image, wanted, mask[box]))
    return matched
