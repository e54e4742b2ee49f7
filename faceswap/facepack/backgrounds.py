"""Pictures without faces: photographs bundled with scikit-image, and generated textures and shapes."""

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from faceswap.types import Frame

# scikit-image's bundled photographs (public domain or CC0, its data/README) that show no face.
PHOTOGRAPHS = (
    "brick.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "color.png", "grass.png",
    "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png",
    "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip


def load_photographs() -> list[Frame]:
    """RGB uint8 photographs of the installed scikit-image, each at most 640 px tall."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    pictures = []
    for name in PHOTOGRAPHS:
        stored = cv2.imdecode(np.fromfile(folder / name, np.uint8), cv2.IMREAD_COLOR)
        scale = min(1.0, 640 / stored.shape[0])
        pictures.append(cv2.resize(stored[..., ::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return pictures


def background(photographs: list[Frame], height: int, width: int, random: Generator) -> Frame:
    """A face-free (height, width, 3) RGB picture: a photograph's part, a texture, or shapes on either."""
    draw = random.random()
    if draw < 0.5:
        picture = _part(photographs[random.integers(len(photographs))], height, width, random)
    elif draw < 0.85:
        picture = texture(height, width, random)
    else:
        picture = np.broadcast_to(random.integers(0, 256, 3, np.uint8), (height, width, 3)).copy()
    if random.random() < 0.4:
        draw_shapes(picture, int(random.integers(1, 9)), random)
    if random.random() < 0.15:
        _write(picture, random)
    return picture


def texture(height: int, width: int, random: Generator) -> Frame:
    """Smooth colour noise of a random grain: curtains, walls, foliage out of focus."""
    octaves = random.integers(2, 40, int(random.integers(1, 4)))
    total = np.zeros((height, width, 3), np.float32)
    for cells in octaves:
        across = int(cells * random.uniform(0.3, 2)) + 2
        grid = random.random((int(cells) + 2, across, 3), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    base, spread = random.uniform(0, 255, 3), random.uniform(20, 160)
    return np.clip(base + (total / len(octaves) - 0.5) * 2 * spread, 0, 255).astype(np.uint8)


def draw_shapes(picture: Frame, count: int, random: Generator) -> None:
    """Filled ellipses, boxes, bars and stripes in place, a third of them in skin tones (hands, necks, wood)."""
    height, width = picture.shape[:2]
    for _ in range(count):
        tone = random.random() < 0.35
        colour = random.uniform(0, 255, 3) if not tone else np.array([205, 155, 130]) * random.uniform(0.3, 1.2)
        colour = tuple(float(value) for value in np.clip(colour, 0, 255))
        x, y = int(random.integers(width)), int(random.integers(height))
        long, short = (int(value) + 2 for value in np.exp(random.uniform(1.0, np.log(width * 0.45), 2)))
        kind = random.integers(3)
        if kind == 0:
            cv2.ellipse(picture, (x, y), (long, short), float(random.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(picture, (x, y), (x + long, y + short), colour, -1)
        else:
            end = (int(random.integers(width)), int(random.integers(height)))
            cv2.line(picture, (x, y), end, colour, max(1, short // 4), cv2.LINE_AA)


def _part(photograph: Frame, height: int, width: int, random: Generator) -> Frame:
    rows, columns = photograph.shape[:2]
    tallest = min(rows, columns * height / width)
    tall = int(tallest * random.uniform(0.25, 1.0))
    wide = min(columns, max(1, round(tall * width / height)))
    y, x = int(random.integers(rows - tall + 1)), int(random.integers(columns - wide + 1))
    part = photograph[y : y + tall, x : x + wide]
    if random.random() < 0.5:
        part = part[:, ::-1]
    return cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=cv2.INTER_LINEAR)


def _write(picture: Frame, random: Generator) -> None:
    height, width = picture.shape[:2]
    colour = tuple(float(value) for value in random.uniform(0, 255, 3))
    for _ in range(int(random.integers(1, 6))):
        letters = "".join(chr(code) for code in random.integers(33, 126, int(random.integers(3, 16))))
        place = (int(random.integers(-width // 4, width)), int(random.integers(height)))
        size = float(random.uniform(0.3, 2.5))
        cv2.putText(picture, letters, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, max(1, round(2 * size)))
