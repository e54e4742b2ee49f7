"""Which faces are worth a person's time: where a mask network is unsure, and unlike what is labelled.

Predicted uncertainty times distance in pose and look from everything chosen so far (greedy farthest points,
Sener and Savarese, "Active learning for convolutional neural networks: a core-set approach", 2018).
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.landmarks import pose_deg
from faceswap.faceset.metadata import FaceMeta
from faceswap.types import Frame, Mask

# Degrees that count as much as a look that is wholly different.
_POSE_UNIT_DEG = 30.0
_LOOK_PX = 4
# Lightness, a and b of CIE Lab: the share of its range that counts as wholly different.
_LOOK_UNIT = 64.0
FEATURES = 3 + 3 * _LOOK_PX**2


def uncertainty(mask: Mask) -> float:
    """Mean binary entropy of a predicted mask (H, W), in bits: 0 is sure everywhere, 1 knows nothing."""
    p = np.clip(mask.astype(np.float64), 1e-6, 1 - 1e-6)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean())


def features(crop: Frame, meta: FaceMeta) -> NDArray[np.float32]:
    """(FEATURES,) pose and look of a crop (H, H, 3) uint8, in units in which 1 is very different."""
    pose = np.array(pose_deg(meta.crop_landmarks(), meta.size_px)) / _POSE_UNIT_DEG
    small = cv2.resize(crop, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    look = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32).ravel() / _LOOK_UNIT / _LOOK_PX
    return np.concatenate([pose, look]).astype(np.float32)


def suggest(
    uncertainties: Sequence[float] | NDArray[np.float32],
    features: NDArray[np.float32],
    count: int,
    labelled: Iterable[int] = (),
) -> list[int]:
    """The `count` faces that would teach most, the best first; never a labelled one.

    uncertainties: (N,); features: (N, D); labelled: numbers of faces that have labels already. The first
    choice in a set without labels is the least certain face. Deterministic; time N·D·(count + labelled).
    """
    unsure = np.asarray(uncertainties, np.float64)
    free = np.ones(len(unsure), bool)
    distance = np.full(len(unsure), np.inf)
    for known in labelled:
        free[known] = False
        distance = np.minimum(distance, _distances(features, known))
    chosen: list[int] = []
    for _ in range(min(count, int(free.sum()))):
        # While nothing is chosen, all are equally far from it.
        worth = np.where(free, unsure * np.where(np.isfinite(distance), distance, 1.0), -1.0)
        best = int(worth.argmax())
        chosen.append(best)
        free[best] = False
        distance = np.minimum(distance, _distances(features, best))
    return chosen


def _distances(features: NDArray[np.float32], index: int) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(features - features[index], axis=1), np.float64)
