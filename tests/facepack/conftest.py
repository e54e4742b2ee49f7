"""A few invented faces, so that training can be tried without the training data."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from faceswap.facepack.cache import FaceCache, read_cache, write_cache
from faceswap.facepack.labels import Labelled
from faceswap.geometry.landmarks import FLIP_68


def drawn_face(seed: int) -> Labelled:
    """A smiling disc with its 68 points, about 80 px wide."""
    random = np.random.default_rng(seed)
    half = random.uniform(-25, 25, (68, 2))
    half[17:27] += (0, -40)
    half[36:42] = half[36:42] * 0.15 + (-22, -20)
    half[48:] = half[48:] * 0.3 + (0, 28)
    points = ((half + half[FLIP_68] * (-1, 1)) / 2 + 64).astype(np.float32)
    picture = np.full((128, 128, 3), random.integers(0, 80, 3), np.uint8)
    cv2.circle(picture, (64, 64), 50, random.integers(120, 256, 3).tolist(), -1)
    for x, y in points[17:].astype(int).tolist():
        cv2.circle(picture, (x, y), 2, (20, 20, 20), -1)
    source = ("stills", "grey")[seed % 2]
    return Labelled(source, str(seed), picture, points, np.ones(68, np.float32))


@pytest.fixture(scope="session")
def drawn_faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceCache]:
    folder = tmp_path_factory.mktemp("labelled")
    write_cache(folder, [drawn_face(seed) for seed in range(6)])
    yield read_cache(folder)
