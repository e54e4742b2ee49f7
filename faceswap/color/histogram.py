"""Colour transfer by the histogram of each channel."""

import numpy as np
from numpy.typing import NDArray

from faceswap.types import Image, Mask


def histogram_match(image: Image, target: Image, threshold: float, weights: Mask | None = None) -> Image:
    """Each channel of `image` with the distribution that this channel of `target` has, clipped to [0, 1].

    A value at quantile q becomes the target's value at q · threshold / 255 (dfl-facts §11.7; Gonzalez, Woods,
    "Digital Image Processing", histogram specification), so a `threshold` (0 … 255) below 255 leaves the
    target's brightest values out. Both are (H, W, 3) of the same size. `weights` (H, W) ≥ 0 says how much
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
