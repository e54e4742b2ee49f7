"""Give one picture the colours of another. Pictures are (H, W, 3) RGB float32 in [0, 1]."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import Image, Mask

# How the swapped face takes on the light of its frame (dfl-facts §11.7).
ColorTransfer: TypeAlias = Literal["none", "rct"]

# Values of L, a and b that are kept (dfl-facts §11.7).
_LAB_LOW, _LAB_HIGH = np.array([0, -127, -127], np.float32), np.array([100, 127, 127], np.float32)


def rct(image: Image, target: Image, weights: Mask | None = None) -> Image:
    """`image` with the mean and spread that `target` has in each channel of CIE Lab, clipped to [0, 1].

    Reinhard, Ashikhmin, Gooch, Shirley, "Color transfer between images", IEEE CG&A 2001, equations
    10-11, in Lab. Both are (H, W, 3) of the same size; `weights` (H, W) ≥ 0 says how much each pixel
    counts, so that what is not face is left out. (DFL sets those pixels to black and counts them,
    dfl-facts §16.70.) Weights that are zero everywhere leave the image as it is.
    """
    if weights is not None and not weights.any():
        return image
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    mean, spread = _statistics(lab, weights)
    wanted_mean, wanted_spread = _statistics(cv2.cvtColor(target, cv2.COLOR_RGB2LAB), weights)
    # A channel without spread has nothing to stretch but rounding errors.
    gain = np.where(spread > 1e-3, wanted_spread / np.maximum(spread, 1e-3), 1)
    moved = (lab - mean) * gain + wanted_mean
    rgb = cv2.cvtColor(np.clip(moved, _LAB_LOW, _LAB_HIGH), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb, 0, 1), np.float32)


TRANSFERS: dict[ColorTransfer, Callable[[Image, Image, Mask | None], Image]] = {
    "none": lambda image, _target, _weights: image,
    "rct": rct,
}


def _statistics(lab: Image, weights: Mask | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted mean and standard deviation of each channel, (3,) float32."""
    values = lab.reshape(-1, 3)
    share = np.ones(len(values), np.float32) if weights is None else weights.reshape(-1)
    share = share / share.sum()
    mean = share @ values
    return mean, np.sqrt(share @ np.square(values - mean))
