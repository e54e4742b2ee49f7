"""Polygons of one crop carried to another crop of the same face, some frames later.

Measured on the bundled actor B (faces at most 10 frames apart, the actor's true landmarks carried, mean
distance from where they truly are, in px of a 512 px crop, 1 / 5 / 10 frames later):

    similarity of the landmarks           1.8 / 5.7 / 9.7
    similarity, then landmarks' residuals 1.5 / 3.5 / 5.3
    similarity, then optical flow         0.8 / 2.6 / 5.2
    flow where it is consistent, else residuals (this)  0.8 / 2.5 / 4.4
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faceset.polygons import Polygon
from faceswap.geometry.geometry import apply_transform, fit_similarity
from faceswap.types import Frame, Points

# Shares of the crop's side: the flow's smoothing, how far forward and back may disagree, and how far around
# a landmark its residual counts.
_FLOW_SIGMA, _CONSISTENT, _RESIDUAL_SIGMA = 3 / 512, 4 / 512, 30 / 512
# Far from all landmarks the similarity alone holds.
_NO_LANDMARK = 0.2


class CropView(NamedTuple):
    """A crop (H, H, 3) uint8 RGB and its landmarks (68, 2) in crop pixels."""

    crop: Frame
    landmarks: Points


def carry(polygons: Sequence[Polygon], before: CropView, after: CropView) -> tuple[Polygon, ...]:
    """The polygons of `before` where their points lie in `after`.

    Similarity (Umeyama) of the landmarks, then dense optical flow (Kroeger et al., "Fast optical flow using
    dense inverse search", 2016) from the crop so moved to the other; where flow there and back do not meet,
    the distance that the landmarks nearby went instead.
    """
    if not polygons:
        return ()
    points = _carried(np.vstack([one.points for one in polygons]), before, after)
    ends = np.cumsum([len(one.points) for one in polygons])
    parts = np.split(points, ends[:-1])
    return tuple(replace(one, points=part) for one, part in zip(polygons, parts, strict=True))


def _carried(points: Points, before: CropView, after: CropView) -> Points:
    side = after.crop.shape[0]
    to_after = fit_similarity(before.landmarks.astype(np.float64), after.landmarks.astype(np.float64))
    aligned = apply_transform(to_after, points).astype(np.float32)
    warped = cv2.warpAffine(before.crop, to_after, (side, side), borderMode=cv2.BORDER_REPLICATE)
    forth, back = _flows(_grey(warped), _grey(after.crop), _FLOW_SIGMA * side)
    flown = aligned + _sampled(forth, aligned)
    gaps = np.linalg.norm(flown + _sampled(back, flown) - aligned, axis=1)
    landmarks = apply_transform(to_after, before.landmarks)
    nudged = aligned + _residuals(aligned, landmarks, after.landmarks - landmarks, _RESIDUAL_SIGMA * side)
    return np.asarray(np.where((gaps < _CONSISTENT * side)[:, None], flown, nudged), np.float32)


def _flows(first: Frame, second: Frame, sigma_px: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(H, W, 2) smooth flow from the first picture to the second, and back."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forth, back = search.calc(first, second, None), search.calc(second, first, None)
    return cv2.GaussianBlur(forth, (0, 0), sigma_px), cv2.GaussianBlur(back, (0, 0), sigma_px)


def _grey(crop: Frame) -> Frame:
    grey: Frame = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return grey


def _sampled(flow: NDArray[np.float32], points: Points) -> Points:
    where = points[None].astype(np.float32)
    flown: Points = cv2.remap(flow, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return flown


def _residuals(
    points: Points, landmarks: NDArray[np.float64], residuals: NDArray[np.float64], sigma_px: float
) -> NDArray[np.float64]:
    """How far the landmarks around each point went: their residuals, weighted by a Gaussian of distance."""
    distances = np.linalg.norm(points[:, None] - landmarks[None], axis=2)
    weights = np.exp(-0.5 * (distances / sigma_px) ** 2)
    return np.asarray((weights @ residuals) / (weights.sum(1, keepdims=True) + _NO_LANDMARK))
