"""Mean and covariance of a picture's colours: what the linear colour transfers match."""

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
