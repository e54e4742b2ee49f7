"""Colour transfer by statistics: mean and spread, one matrix, or the histogram of each channel.

Many matrices do that; the two here differ by a rotation. Pictures are (H, W, C) float32 in [0, 1] of the
same size, results too, clipped. `weights` (H, W) ≥ 0 says how much each pixel counts in the statistics;
every pixel is moved. Weights that are zero everywhere leave the image as it is.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import Image, Mask

Moment = NDArray[np.float64]


def moments(image: Image, weights: Mask | None) -> tuple[Moment, Moment]:
    """Mean (C,) and covariance (C, C) of the colours of `image` (H, W, C).

    `weights` (H, W) ≥ 0, not zero everywhere, says how much each pixel counts; without it all count alike.
    """
    colours = image.reshape(-1, image.shape[2])
    # Summed in float64 by the matrix products: 10⁵ terms in float32 would cost the fourth digit.
    share = np.ones(len(colours)) if weights is None else weights.reshape(-1).astype(np.float64)
    share /= share.sum()
    mean = share @ colours
    centred = colours - mean
    return mean, (centred * share[:, None]).T @ centred


def histogram_match(image: Image, target: Image, threshold: float, weights: Mask | None = None) -> Image:
    """Each channel of `image` with the distribution that this channel of `target` has, clipped to [0, 1].

    A value at quantile q becomes the target's value at q · threshold/255 (deepfacelab.md §11.7; Gonzalez,
    Woods, "Digital Image Processing", histogram specification), so a `threshold` (0 … 255) below 255 leaves
    the target's brightest values out. Both are (H, W, 3) of the same size. `weights` (H, W) ≥ 0 says how much
    each pixel counts in the histograms; every pixel is moved. (DFL makes what is not face white and counts
    it, §11.3.) Weights that are zero everywhere leave the image as it is.
    """
    if weights is None:
        weights = np.ones(image.shape[:2], np.float32)
    inside = weights > 0
    if not inside.any():
        return image
    matched = np.empty_like(image)
    for channel in range(3):
        levels, quantiles = _distribution(image[inside, channel], weights[inside])
        wanted = _distribution(target[inside, channel], weights[inside])
        curve = np.interp(quantiles * threshold / 255, wanted[1], wanted[0])
        matched[..., channel] = np.interp(image[..., channel], levels, curve)
    return np.clip(matched, 0, 1)


def _distribution(
    values: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The distinct values in ascending order, and the share of weight at or below each."""
    levels, position = np.unique(values, return_inverse=True)
    cumulated = np.cumsum(np.bincount(position, weights))
    return levels, cumulated / cumulated[-1]


# Values of L, a and b that are kept (deepfacelab.md §11.7).
_LAB_LOW, _LAB_HIGH = np.array([0, -127, -127], np.float32), np.array([100, 127, 127], np.float32)


def rct(image: Image, target: Image, weights: Mask | None = None) -> Image:
    """`image` with the mean and spread that `target` has in each channel of CIE Lab, clipped to [0, 1].

    Reinhard, Ashikhmin, Gooch, Shirley, "Color transfer between images", IEEE CG&A 2001, equations
    10-11, in Lab. Both are (H, W, 3) of the same size; `weights` (H, W) ≥ 0 says how much each pixel
    counts, so that what is not face is left out. (DFL sets those pixels to black and counts them,
    deepfacelab.md §16.70.) Weights that are zero everywhere leave the image as it is.
    """
    if weights is not None and not weights.any():
        return image
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    mean, covariance = moments(lab, weights)
    wanted_mean, wanted_covariance = moments(cv2.cvtColor(target, cv2.COLOR_RGB2LAB), weights)
    spread, wanted_spread = np.sqrt(np.diag(covariance)), np.sqrt(np.diag(wanted_covariance))
    # A channel without spread has nothing to stretch but rounding errors.
    gain = np.where(spread > 1e-3, wanted_spread / np.maximum(spread, 1e-3), 1)
    moved = (lab * gain + (wanted_mean - gain * mean)).astype(np.float32)
    rgb = cv2.cvtColor(np.clip(moved, _LAB_LOW, _LAB_HIGH), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb, 0, 1), np.float32)


# Added to the variances by lct, and the least eigenvalue that has a root (deepfacelab.md §11.7): what
# has no spread is not stretched.
_RIDGE, _LEAST_EIGENVALUE = 1e-5, float(np.finfo(np.float32).eps)


def lct(image: Image, target: Image, weights: Mask | None = None) -> Image:
    """Whitened with the image's covariance Σ, coloured with the target's Σ′: √Σ′ (√Σ)⁻¹.

    Xiao, Ma, "Color transfer in correlated color space", VRCIA 2006, with symmetric roots.
    """

    def matrix(covariance: Moment, wanted: Moment) -> Moment:
        ridge = _RIDGE * np.eye(len(covariance))
        return _power(wanted + ridge, 0.5) @ _power(covariance + ridge, -0.5)

    return _moved(image, target, weights, matrix)


def mkl(image: Image, target: Image, weights: Mask | None = None) -> Image:
    """The matrix that moves colours least: Σ^-½ (Σ^½ Σ′ Σ^½)^½ Σ^-½, Monge and Kantorovich's linear map.

    Pitié, Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour
    transfer", CVMP 2007, section 3.
    """

    def matrix(covariance: Moment, wanted: Moment) -> Moment:
        root, inverse = _power(covariance, 0.5), _power(covariance, -0.5)
        return inverse @ _power(root @ wanted @ root, 0.5) @ inverse

    return _moved(image, target, weights, matrix)


def _moved(
    image: Image, target: Image, weights: Mask | None, matrix: Callable[[Moment, Moment], Moment]
) -> Image:
    if weights is not None and not weights.any():
        return image
    mean, covariance = moments(image, weights)
    wanted_mean, wanted_covariance = moments(target, weights)
    map_ = matrix(covariance, wanted_covariance)
    moved = image @ map_.T.astype(np.float32) + (wanted_mean - map_ @ mean).astype(np.float32)
    return np.asarray(np.clip(moved, 0, 1), np.float32)


def _power(covariance: Moment, exponent: float) -> Moment:
    """A symmetric matrix (C, C) to the `exponent`, its eigenvalues kept off zero."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, _LEAST_EIGENVALUE) ** exponent) @ vectors.T)
