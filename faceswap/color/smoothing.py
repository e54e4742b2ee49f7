"""Average a change of colour over its neighbourhood, edges kept."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import Image, Mask

# As a share of the width, so that a face changes alike at every resolution. Two boxes of this radius spread
# as DFL's bilateral filter (σ 16 px, cut off at 24, dfl-facts §11.7) does at 224 px.
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
