"""Faces, predictions and frames that merging is tried on."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from faceswap.merge.masks import Prediction
from faceswap.types import Frame, Points
from tests.toy_merge import place_face

FaceAt = Callable[..., Points]


@pytest.fixture
def face_at() -> FaceAt:
    """Landmarks of a mean head: see `place_face`."""
    return lambda x, y, width_px=100, degrees=8: place_face(x, y, width_px, degrees)


@pytest.fixture
def prediction() -> Prediction:
    """A smooth coloured face of 64², its masks two overlapping soft discs."""
    rng = np.random.default_rng(3)
    face = cv2.resize(rng.random((6, 6, 3), np.float32), (64, 64), interpolation=cv2.INTER_LINEAR)
    y, x = np.indices((64, 64), np.float32)
    discs = [np.clip((22 - np.hypot(x - cx, y - 34)) / 3 + 0.5, 0, 1).astype(np.float32) for cx in (30, 34)]
    return Prediction(face, discs[0], discs[1])


@pytest.fixture
def frame() -> Frame:
    """Noise of 360 × 480, in which any changed pixel shows."""
    return np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
