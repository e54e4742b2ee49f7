"""A user's folder of Real/ and Fake/, filled with noise."""

from pathlib import Path

import numpy as np

from faceswap.io.images import write_image

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def noise(seed: int, side_px: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)


def fill(folder: Path, count: int, seed: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        write_image(path, noise(1000 * seed + number))
    return paths
