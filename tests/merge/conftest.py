"""Faces, predictions and frames that merging is tried on."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from faceswap.faces.template import HEAD_MODEL
from faceswap.merge.masks import Prediction
from faceswap.types import Frame, Points

FaceAt = Callable[..., Points]


@pytest.fixture
def face_at() -> FaceAt:
    """Landmarks of a mean head around (x, y), `width_px` wide at the jaw, rolled by `degrees`."""

    def place(x: float, y: float, width_px: float = 100, degrees: float = 8) -> Points:
        angle = np.deg2rad(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        flat = HEAD_MODEL[:, :2] * (width_px / np.ptp(HEAD_MODEL[:, 0]))
        return (flat @ turn.T + (x, y)).astype(np.float32)

    return place


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
