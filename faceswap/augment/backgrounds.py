"""Pictures without faces: photographs bundled with scikit-image, and generated textures and shapes."""

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceswap.augment.pictures import Picture, mirrored, read_picture, resize

# scikit-image's bundled photographs (public domain or CC0, its data/README) that show no face.
PHOTOGRAPHS = (
    "brick.png", "chelsea.png", "clock_motion.png", "coffee.png", "color.png", "grass.png",
    "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png",
    "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip


def load_photographs() -> list[Picture]:
    """RGB uint8 photographs of the installed scikit-image, each at most 640 px tall."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    pictures = []
    for name in PHOTOGRAPHS:
        picture = read_picture(folder / name)
        scale = min(1.0, 640 / picture.shape[0])
        pictures.append(resize(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale)))
    return pictures


def background(photographs: list[Picture], height: int, width: int, random: Generator) -> Picture:
    """A face-free (height, width, 3) RGB picture: a photograph's part, a texture, or shapes on either."""
    draw = random.random()
    if draw < 0.35:
        picture = _part(photographs[random.integers(len(photographs))], height, width, random)
    elif draw < 0.65:
        picture = collage(photographs, height, width, random)
    elif draw < 0.9:
        picture = texture(height, width, random)
    else:
        picture = np.broadcast_to(random.integers(0, 256, 3, np.uint8), (height, width, 3)).copy()
    if random.random() < 0.4:
        draw_shapes(picture, int(random.integers(1, 9)), random)
    if random.random() < 0.25:
        middle = random.uniform(0, 1, 2) * (width, height)
        draw_foliage(picture, middle, random.uniform(0.08, 0.4) * width, random)
    if random.random() < 0.3:
        draw_false_face(picture, random)
    if random.random() < 0.15:
        _write(picture, random)
    return picture


def collage(photographs: list[Picture], height: int, width: int, random: Generator) -> Picture:
    """Photographs' parts side by side, recoloured, mostly out of focus: what stands behind a speaker.

    A few photographs must stand for the world, so their colours are permuted and inverted.
    """
    picture = _part(photographs[random.integers(len(photographs))], height, width, random)
    for _ in range(int(random.integers(1, 7))):
        tall, wide = (int(side * random.uniform(0.15, 0.7)) + 2 for side in (height, width))
        part = _part(photographs[random.integers(len(photographs))], tall, wide, random)
        part = part[..., random.permutation(3)]
        if random.random() < 0.3:
            part = 255 - part
        if random.random() < 0.4:
            part = (part * random.uniform(0.2, 1.0, 3)).astype(np.uint8)
        y, x = int(random.integers(height - tall + 1)), int(random.integers(width - wide + 1))
        mask = np.zeros((tall, wide, 1), np.uint8)
        if random.random() < 0.5:
            cv2.ellipse(mask, (wide // 2, tall // 2), (wide // 2, tall // 2), 0, 0, 360, 255, -1)
        else:
            mask[:] = 255
        target = picture[y : y + tall, x : x + wide]
        np.copyto(target, part, where=mask > 0)
    if random.random() < 0.6:
        sigma = float(np.exp(random.uniform(np.log(0.5), np.log(0.03 * width))))
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    return picture


def texture(height: int, width: int, random: Generator) -> Picture:
    """Smooth colour noise of a random grain: curtains, walls, foliage out of focus."""
    octaves = random.integers(2, 40, int(random.integers(1, 4)))
    total = np.zeros((height, width, 3), np.float32)
    for cells in octaves:
        across = int(cells * random.uniform(0.3, 2)) + 2
        grid = random.random((int(cells) + 2, across, 3), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    base, spread = random.uniform(0, 255, 3), random.uniform(20, 160)
    return np.clip(base + (total / len(octaves) - 0.5) * 2 * spread, 0, 255).astype(np.uint8)


def draw_shapes(picture: Picture, count: int, random: Generator) -> None:
    """Filled ellipses, boxes, bars and stripes in place, a third in skin tones (hands, necks, wood)."""
    height, width = picture.shape[:2]
    for _ in range(count):
        skin = np.array([205, 155, 130]) * random.uniform(0.3, 1.2)
        mixed = skin if random.random() < 0.35 else random.uniform(0, 255, 3)
        colour = np.clip(mixed, 0, 255).tolist()
        x, y = int(random.integers(width)), int(random.integers(height))
        long, short = (int(value) + 2 for value in np.exp(random.uniform(1.0, np.log(width * 0.45), 2)))
        kind = random.integers(3)
        if kind == 0:
            angle = float(random.uniform(0, 180))
            cv2.ellipse(picture, (x, y), (long, short), angle, 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(picture, (x, y), (x + long, y + short), colour, -1)
        else:
            end = (int(random.integers(width)), int(random.integers(height)))
            cv2.line(picture, (x, y), end, colour, max(1, short // 4), cv2.LINE_AA)


def draw_false_face(picture: Picture, random: Generator) -> None:
    """Leafy patches about where eyes, nose and mouth would be, often on a skin-like ground, in place.

    Plants before a wall look like that to a network that has seen few rooms.
    """
    height, width = picture.shape[:2]
    size = float(np.exp(random.uniform(np.log(40), np.log(width))))
    middle = random.uniform(0.1, 0.9, 2) * (width, height)
    if random.random() < 0.7:
        layer = picture.copy()
        skin = np.clip(np.array([215, 180, 155]) * random.uniform(0.5, 1.2, 3) ** 0.5, 0, 255).tolist()
        axes = (size * random.uniform(0.8, 1.8, 2)).tolist()
        cv2.ellipse(layer, (middle.tolist(), axes, float(random.uniform(0, 180))), skin, -1)
        reach = 1 + int(size * random.uniform(0.03, 0.4))
        picture[:] = cv2.blur(layer, (reach, reach))
    places = np.array([(-0.22, -0.12), (0.22, -0.12), (0.0, 0.08), (0.0, 0.3)])[: random.integers(2, 5)]
    for place in places + random.normal(0, 0.12, places.shape):
        draw_foliage(picture, middle + size * place, size * random.uniform(0.06, 0.18), random)


def draw_foliage(picture: Picture, middle: NDArray[np.float64], spread: float, random: Generator) -> None:
    """Leaf-like ovals of one colour family in place about `middle` (x, y), out of focus or sharp."""
    colour, vary = random.uniform(20, 180, 3) * (0.7, 1.1, 0.6), random.uniform(10, 60)
    long = random.uniform(0.15, 0.6) * spread
    layer = picture.copy()
    for _ in range(int(random.integers(20, 90))):
        x, y = (random.normal(middle, spread)).astype(int).tolist()
        axes = (int(long * random.uniform(0.5, 1.5)) + 1, int(long * random.uniform(0.2, 0.7)) + 1)
        shade = np.clip(colour + random.normal(0, vary), 0, 255).tolist()
        cv2.ellipse(layer, (x, y), axes, float(random.uniform(0, 180)), 0, 360, shade, -1)
    if random.random() < 0.7:
        reach = 2 + int(long * random.uniform(0.2, 2.0))
        layer = np.asarray(cv2.blur(layer, (reach, reach)), np.uint8)
    picture[:] = layer


def _part(photograph: Picture, height: int, width: int, random: Generator) -> Picture:
    rows, columns = photograph.shape[:2]
    tallest = min(rows, columns * height / width)
    tall = int(tallest * random.uniform(0.25, 1.0))
    wide = min(columns, max(1, round(tall * width / height)))
    y, x = int(random.integers(rows - tall + 1)), int(random.integers(columns - wide + 1))
    part = photograph[y : y + tall, x : x + wide]
    part = resize(part, width, height)
    return mirrored(part) if random.random() < 0.5 else part


def _write(picture: Picture, random: Generator) -> None:
    height, width = picture.shape[:2]
    colour = random.uniform(0, 255, 3).tolist()
    for _ in range(int(random.integers(1, 6))):
        letters = "".join(chr(code) for code in random.integers(33, 126, int(random.integers(3, 16))))
        place = (int(random.integers(-width // 4, width)), int(random.integers(height)))
        size = float(random.uniform(0.3, 2.5))
        cv2.putText(picture, letters, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, max(1, round(2 * size)))
