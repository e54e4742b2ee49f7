"""Pictures whose colours are known, and how far two sets of colours lie apart."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from faceswap.types import Image, Mask

Draw = Callable[..., Image]
Distance = Callable[[Image, Image, Mask], float]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Grainy patches of random colours around a seed's own, away from the gamut's edges."""

    def picture(seed: int, size_px: int = 48, spread: float = 0.3) -> Image:
        rng = np.random.default_rng(seed)
        colours = rng.uniform(0.35, 0.55, 3) + spread * rng.uniform(-0.5, 0.5, (6, 6, 3))
        smooth = cv2.resize(colours.astype(np.float32), (size_px, size_px), interpolation=cv2.INTER_LINEAR)
        return (smooth + rng.normal(0, 0.01, smooth.shape)).astype(np.float32)

    return picture


@pytest.fixture(scope="session")
def inside() -> Mask:
    mask = np.zeros((48, 48), np.float32)
    mask[10:40, 5:30] = 1
    return mask


@pytest.fixture(scope="session")
def soft(inside: Mask) -> Mask:
    return np.asarray(cv2.GaussianBlur(inside, (9, 9), 0), np.float32)


@pytest.fixture(scope="session")
def sliced_distance() -> Distance:
    """The root mean square of the 1-D Wasserstein distances along 100 directions, where the mask is not 0."""
    directions = np.random.default_rng(7).normal(size=(3, 100)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)

    def distance(a: Image, b: Image, mask: Mask) -> float:
        along = [np.sort(picture[mask > 0] @ directions, axis=0) for picture in (a, b)]
        return float(np.sqrt(np.square(along[0] - along[1]).mean()))

    return distance
