"""Colour transfer by name, and by sliced optimal transport. Pictures are (H, W, 3) RGB float32 in [0, 1].

Pictures are (H, W, 3) RGB float32 in [0, 1] of the same size. `weights` (H, W) ≥ 0 says how much each pixel
counts in both distributions; pixels that do not count are moved along. Weights that are zero everywhere
leave the image as it is. The random directions come from `rng`: equal states give equal pictures.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.color.matching import histogram_match, lct, mkl, rct
from faceswap.types import Image, Mask

# As a share of the width, so that a face changes alike at every resolution. Two boxes of this radius spread
# as DFL's bilateral filter (σ 16 px, cut off at 24, deepfacelab.md §11.7) does at 224 px.
_RADIUS = 0.06


def smooth(change: Image, weights: Mask | None, edge: float) -> Image:
    """`change` (H, W, 3) averaged over its neighbourhood, but not across steps much larger than `edge`.

    A guided filter guided by its own input (He, Sun, Tang, "Guided image filtering", PAMI 2013, equations
    5, 6 and 8): the work of a bilateral filter at a cost that does not grow with the radius. `weights` (H, W)
    ≥ 0 says how much each pixel counts, so nothing bleeds in from what is not face; far outside, the result
    is 0.
    """
    inside = np.ones(change.shape[:2], np.float32) if weights is None else weights
    covered = np.maximum(_box_sum(inside), 1e-6)[..., None]

    def mean(values: Image) -> Image:
        return np.asarray(_box_sum(values * inside[..., None]) / covered, np.float32)

    average = mean(change)
    variance = np.maximum(mean(change * change) - average * average, 0)
    kept = np.asarray(variance / (variance + edge**2), np.float32)
    return change * mean(kept) + mean(average * (1 - kept))


def _box_sum(values: NDArray[np.float32]) -> NDArray[np.float32]:
    size = 2 * round(_RADIUS * values.shape[1]) + 1
    summed = cv2.boxFilter(values, -1, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, np.float32)


# 20 rotations are DFL's (deepfacelab.md §11.7). Its step of 1/20 stops after 64 % of the way; 0.3 leaves
# under a thousandth of it, and larger steps match as well but move colours further than they need.
_ROTATIONS, _STEP = 20, 0.3
_BINS = 256
# A distribution is learnt from at most twice as many pixels, evenly spread: 256 bins need no more, and the
# cost hardly grows with the resolution.
_ENOUGH = 16_384
# DFL's σ_color, in the [0, 1] that its sot works in and in the 0 … 255 that its mix works in.
_SOT_EDGE, _MIX_EDGE = 5.0, 5 / 255
# The lightness at which mix compares colours (DFL: 100 of 255).
_MIX_LIGHTNESS = 100 / 255 * 100

_Values: TypeAlias = NDArray[np.float32]
_Sums: TypeAlias = NDArray[np.float64]


def idt(image: Image, target: Image, rng: np.random.Generator, weights: Mask | None = None) -> Image:
    """`image` with the colour distribution of `target`, clipped to [0, 1].

    Pitié, Kokaram, Dahyot, "Automated colour grading using colour distribution transfer", CVIU 2007
    (iterative distribution transfer, first in their ICCV 2005 paper), in small steps.
    """
    moved = image + _transport(image, target, weights, rng)
    return np.asarray(np.clip(moved, 0, 1), np.float32)


def sot(image: Image, target: Image, rng: np.random.Generator, weights: Mask | None = None) -> Image:
    """As `idt`, the change averaged over the neighbourhood so that the image's detail stays.

    Rabin, Peyré, Delon, Bernot, "Wasserstein barycenter and its application to texture mixing", SSVM 2011;
    Bonneel, Rabin, Peyré, Pfister, "Sliced and Radon Wasserstein barycenters of measures", JMIV 2015: descent
    on the sliced distance. The directions of a step stand at right angles, so that the matches along them
    do not overlap and far fewer than the usual 300 suffice.
    """
    change = _transport(image, target, weights, rng)
    return np.asarray(np.clip(image + smooth(change, weights, _SOT_EDGE), 0, 1), np.float32)


def mix(image: Image, target: Image, rng: np.random.Generator, weights: Mask | None = None) -> Image:
    """Lightness (L of CIE Lab) by `lct`, colour by `sot` at one lightness (deepfacelab.md §11.7)."""
    if weights is not None and not weights.any():
        return image
    lab, target_lab = (cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) for picture in (image, target))
    lightness = 100 * lct(lab[..., :1] / 100, target_lab[..., :1] / 100, weights)
    flat, target_flat = _at_one_lightness(lab), _at_one_lightness(target_lab)
    change = smooth(_transport(flat, target_flat, weights, rng), weights, _MIX_EDGE)
    colour = cv2.cvtColor(np.clip(flat + change, 0, 1), cv2.COLOR_RGB2LAB)[..., 1:]
    rgb = cv2.cvtColor(np.concatenate([lightness, colour], axis=2), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb, 0, 1), np.float32)


def _at_one_lightness(lab: Image) -> Image:
    flat = lab.copy()
    flat[..., 0] = _MIX_LIGHTNESS
    return np.asarray(np.clip(cv2.cvtColor(flat, cv2.COLOR_LAB2RGB), 0, 1), np.float32)


def _transport(image: Image, target: Image, weights: Mask | None, rng: np.random.Generator) -> Image:
    """What to add to `image` to give it the colour distribution of `target`, (H, W, 3), not clipped."""
    share = np.ones(image.shape[:2]) if weights is None else weights.astype(np.float64)
    inside = np.flatnonzero(share)
    if not len(inside):
        return np.zeros_like(image)
    # An odd step, since networks that double their resolution draw pixels in pairs.
    counted = inside[:: len(inside) // _ENOUGH | 1]
    order = np.concatenate([counted, np.delete(np.arange(share.size), counted)])
    share = share.reshape(-1)[counted]
    colours = np.ascontiguousarray(image.reshape(-1, 3)[order].T)
    wanted = np.ascontiguousarray(target.reshape(-1, 3)[counted].T)
    rotations = np.linalg.qr(rng.normal(size=(_ROTATIONS, 3, 3)))[0].astype(np.float32)
    moved, axes = colours, np.eye(3, dtype=np.float32)
    for rotation in rotations:
        # From the last rotation's axes to this one's; both pictures alike, so that equal colours stay equal.
        turn, axes = rotation.T @ axes, rotation
        moved, wanted = turn @ moved, turn @ wanted
        for values, wanted_along in zip(moved, wanted, strict=True):
            values += _moves(values, wanted_along, share)
    change = np.empty((len(order), 3), np.float32)
    change[order] = (axes @ moved - colours).T
    return change.reshape(image.shape)


def _moves(values: _Values, wanted: _Values, share: _Sums) -> _Values:
    """A step for each of `values` (N,) towards the first M of them being distributed as `wanted` (M,).

    `share` (M,) is the weight of those first and of `wanted`. The one-dimensional optimal transport, bin by
    bin: the n-th share of the weight goes to where the n-th share of `wanted` lies on average. Both averages
    are read off cumulated sums (Lorenz curves), so a mean is met exactly, equal distributions stay, and one
    single colour goes to the mean, without any sorting.
    """
    counted = values[: len(wanted)]
    bins = _bins(values, counted)
    weight, total = _sums(bins[: len(wanted)], counted, share)
    wanted_weight, wanted_total = _sums(_bins(wanted, wanted), wanted, share)
    curve = np.interp(
        np.cumsum(weight), np.cumsum(np.append(0, wanted_weight)), np.cumsum(np.append(0, wanted_total))
    )
    filled = np.flatnonzero(weight)
    moves = (np.diff(curve, prepend=0)[filled] - total[filled]) / weight[filled]
    steps = _STEP * np.interp(np.arange(_BINS), filled, moves)
    return np.asarray(steps.astype(np.float32)[bins])


def _bins(values: _Values, counted: _Values) -> NDArray[np.intp]:
    """The bin of each of `values` when the range of `counted` is cut evenly; the end bins are open."""
    low, high = counted.min(), counted.max()
    position = (values - low) * ((_BINS - 1) / max(high - low, 1e-6))
    return np.asarray(np.clip(position, 0, _BINS - 1), np.intp)


def _sums(bins: NDArray[np.intp], values: _Values, share: _Sums) -> tuple[_Sums, _Sums]:
    """Weight in each bin, and weighted sum of the values in it, both (_BINS,)."""
    weight, total = (np.bincount(bins, terms, _BINS) for terms in (share, share * values))
    return np.asarray(weight, np.float64), np.asarray(total, np.float64)


__all__ = ["TRANSFERS", "ColorTransfer", "histogram_match", "rct"]

# How the swapped face takes on the light of its frame, by DFL's names (deepfacelab.md §11.7).
ColorTransfer: TypeAlias = Literal["none", "rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m"]

# (image, target, weights, rng) -> image. As in DFL, lct, mkl and idt look at the whole crop, rct and the
# names that end in -m only at what `weights` (H, W) ≥ 0 counts as face.
TRANSFERS: dict[ColorTransfer, Callable[[Image, Image, Mask | None, np.random.Generator], Image]] = {
    "none": lambda image, _target, _weights, _rng: image,
    "rct": lambda image, target, weights, _rng: rct(image, target, weights),
    "lct": lambda image, target, _weights, _rng: lct(image, target),
    "mkl": lambda image, target, _weights, _rng: mkl(image, target),
    "mkl-m": lambda image, target, weights, _rng: mkl(image, target, weights),
    "idt": lambda image, target, _weights, rng: idt(image, target, rng),
    "idt-m": lambda image, target, weights, rng: idt(image, target, rng, weights),
    "sot-m": lambda image, target, weights, rng: sot(image, target, rng, weights),
    "mix-m": lambda image, target, weights, rng: mix(image, target, rng, weights),
}
