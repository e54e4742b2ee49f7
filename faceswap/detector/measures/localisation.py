"""How well a map points at what is foreign: pointing game and overlap with the known mask.

Maps (h, w) in [0, 1] of any size are brought to the size of the mask (H, W), which says in [0, 1] how much
of each pixel is foreign. A pixel counts as foreign from the share on that the patch head is trained with.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.detector.network.losses import PATCH_SHARE
from faceswap.types import Json, Mask

# Resizing leaves rounding errors on a plateau, whose pixels are all peaks.
_TIE = 1e-6


@dataclass(frozen=True)
class Localisation:
    """Means over the fakes of a set.

    chance: what a map that says nothing reaches in the pointing game, the mean share of foreign pixels.
    judged: pairs with a foreign pixel. skipped: those without (reals, null fakes).
    """

    pointing: float
    iou: float
    chance: float
    judged: int
    skipped: int

    @classmethod
    def of(
        cls, maps: Iterable[NDArray[np.float32]], masks: Iterable[Mask], threshold: float = 0.5
    ) -> "Localisation":
        """Both figures over maps and masks, pair by pair. ValueError if no mask has a foreign pixel."""
        rows, skipped = [], 0
        for heat, mask in zip(maps, masks, strict=True):
            foreign = mask > PATCH_SHARE
            if not foreign.any():
                skipped += 1
                continue
            fitted = _fit(heat, mask)
            rows.append((_pointing(fitted, foreign), _iou(fitted, foreign, threshold), foreign.mean()))
        if not rows:
            raise ValueError(f"no fakes to localise: none of {skipped} masks has a foreign pixel")
        pointing, iou, chance = np.mean(rows, axis=0).tolist()
        return cls(pointing, iou, chance, len(rows), skipped)

    def to_json(self) -> Json:
        """The fields by name."""
        return asdict(self)


def pointing_game(heat: NDArray[np.float32], mask: Mask) -> float:
    """1 if the map's peak lies on a foreign pixel, else 0 (Zhang et al., ECCV 2016, §4.1, without tolerance).

    Where several pixels are the peak, the share of them that is foreign: what breaking the tie at random
    would score on average, so an even map earns no more than chance. ValueError for a mask without a foreign
    pixel and for a map that is not finite.
    """
    return _pointing(_fit(heat, mask), _foreign(mask))


def mask_iou(heat: NDArray[np.float32], mask: Mask, threshold: float = 0.5) -> float:
    """Intersection over union of the pixels where the map is above `threshold` with the foreign ones.

    ValueError as for `pointing_game`.
    """
    return _iou(_fit(heat, mask), _foreign(mask), threshold)


def _pointing(heat: NDArray[np.float32], foreign: NDArray[np.bool_]) -> float:
    return float(foreign[heat >= heat.max() - _TIE].mean())


def _iou(heat: NDArray[np.float32], foreign: NDArray[np.bool_], threshold: float) -> float:
    found = heat > threshold
    return float((found & foreign).sum() / (found | foreign).sum())


def _foreign(mask: Mask) -> NDArray[np.bool_]:
    foreign = mask > PATCH_SHARE
    if not foreign.any():
        raise ValueError("the mask has no foreign pixel: there is nothing to point at")
    return foreign


def _fit(heat: NDArray[np.float32], mask: Mask) -> NDArray[np.float32]:
    """The map at the mask's size, averaged where it shrinks, bilinear where it grows."""
    if not np.isfinite(heat).all():
        raise ValueError("the map holds values that are not finite")
    (height, width), source = mask.shape, np.asarray(heat, np.float32)
    if source.shape == (height, width):
        return source
    method = cv2.INTER_AREA if source.size > mask.size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(source, (width, height), interpolation=method), np.float32)
