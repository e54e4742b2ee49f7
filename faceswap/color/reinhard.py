"""Colour transfer by mean and spread in CIE Lab."""

import cv2
import numpy as np

from faceswap.color.moments import moments
from faceswap.types import Image, Mask

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
    mean, covariance = moments(lab, weights)
    wanted_mean, wanted_covariance = moments(cv2.cvtColor(target, cv2.COLOR_RGB2LAB), weights)
    spread, wanted_spread = np.sqrt(np.diag(covariance)), np.sqrt(np.diag(wanted_covariance))
    # A channel without spread has nothing to stretch but rounding errors.
    gain = np.where(spread > 1e-3, wanted_spread / np.maximum(spread, 1e-3), 1)
    moved = (lab * gain + (wanted_mean - gain * mean)).astype(np.float32)
    rgb = cv2.cvtColor(np.clip(moved, _LAB_LOW, _LAB_HIGH), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb, 0, 1), np.float32)
