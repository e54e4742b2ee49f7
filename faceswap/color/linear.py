"""Colour transfer by one matrix: the colours' mean and covariance become those of the target.

Many matrices do that; the two here differ by a rotation. Pictures are (H, W, C) float32 in [0, 1] of the
same size, results too, clipped. `weights` (H, W) ≥ 0 says how much each pixel counts in the statistics;
every pixel is moved. Weights that are zero everywhere leave the image as it is.
"""

from collections.abc import Callable

import numpy as np

from faceswap.color.moments import Moment, moments
from faceswap.types import Image, Mask

# Added to the variances by lct, and the least eigenvalue that roots are taken of (both dfl-facts §11.7): what
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
