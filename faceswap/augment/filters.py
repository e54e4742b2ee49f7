"""Changes of colour, sharpness and compression, blended in through random circles (deepfacelab.md §6.3)."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceswap.augment.photometric import change_colours, degrade, light_from_side
from faceswap.augment.pictures import Picture
from faceswap.types import Image, Mask

_LEVELS = np.linspace(0, 1, 256)
# Light that spreads this far has no detail: it is spread in a picture an eighth as large.
_FLARE_SHRINK = 8


def change_look(picture: Picture, mask: Mask, random: Generator, strength: float) -> Picture:
    """Flares, colours, light, sharpening, blur, lost resolution, noise and JPEG; (S, S, 3) uint8.

    strength: in [0, 1], part of their chances that the changes have.
    """
    for part in (mask, 1 - mask):
        if random.random() < 0.5 * strength:
            picture = add_flare(picture, part, random)
    if random.random() < strength:
        shifted = shift_hsv if random.random() < 0.5 else shift_levels
        picture = blend(picture, shifted(picture, random), random_circle(picture.shape[0], random))
    if random.random() < 0.6 * strength:
        picture = change_colours(picture, random)
    if random.random() < 0.3 * strength:
        picture = light_from_side(picture, random)
    if random.random() < 0.15 * strength:
        picture = blend(picture, sharpen(picture, random), random_circle(picture.shape[0], random))
    if random.random() < strength:
        picture = blend(picture, degrade(picture, random), random_circle(picture.shape[0], random))
    return picture


def random_circle(side: int, random: Generator) -> Mask:
    """(side, side) 1 about a random centre, falling to 0: clip(1 − (distance − start) / end, 0, 1).

    start: 0 … side; end: start … side, as DeepFaceLab draws them (deepfacelab.md §6.3).
    """
    start = int(random.integers(side))
    end = max(1, start + int(random.integers(side - start)))
    x, y = random.uniform(0, side, 2)
    line = np.arange(side, dtype=np.float32)
    distance = np.sqrt((line[None] - np.float32(x)) ** 2 + (line[:, None] - np.float32(y)) ** 2)
    return np.clip(1 - (distance - start) / np.float32(end), 0, 1)


def blend(picture: Picture, filtered: Picture, circle: Mask) -> Picture:
    """picture · (1 − C) + filtered · C, rounded."""
    shown = cv2.blendLinear(picture, filtered, 1 - circle, circle)
    return np.asarray(shown, np.uint8)


def add_flare(picture: Picture, part: Mask, random: Generator) -> Picture:
    """Some of the light of `part` (S, S) of the picture, spread by a Gaussian of 64 … 255 px, added."""
    side = picture.shape[0]
    small = cv2.resize(
        picture, None, fx=1 / _FLARE_SHRINK, fy=1 / _FLARE_SHRINK, interpolation=cv2.INTER_AREA
    )
    shown = cv2.resize(part, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    size = int(random.integers(64, 256)) // _FLARE_SHRINK
    spread = cv2.GaussianBlur(small * shown[..., None] * np.float32(random.random()), (size | 1, size | 1), 0)
    light: Image = cv2.resize(spread, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(picture, np.rint(light).astype(np.uint8)), np.uint8)


def shift_hsv(picture: Picture, random: Generator) -> Picture:
    """Any hue; saturation and value moved by up to half their range."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    steps = np.arange(256, dtype=np.float64)
    hue = (steps + int(random.integers(180))) % 180
    saturation, value = (steps + 255 * random.uniform(-0.5, 0.5) for _ in range(2))
    return np.asarray(cv2.cvtColor(_look_up(hsv, [hue, saturation, value]), cv2.COLOR_HSV2RGB), np.uint8)


def shift_levels(picture: Picture, random: Generator) -> Picture:
    """Black, white and gamma of the input and black and white of the output, anew for each channel."""
    curves = []
    for _ in range(3):
        black, white, out_black, out_white = random.uniform(0, 0.25, 4)
        inside = np.clip((_LEVELS - black) / (1 - white - black), 0, 1)
        curve = inside ** (1 / random.uniform(0.5, 1.5)) * (1 - out_white - out_black) + out_black
        curves.append(255 * curve)
    return _look_up(picture, curves)


def sharpen(picture: Picture, random: Generator) -> Picture:
    """Unsharp mask: picture + amount · (picture − Gaussian), radius 0.5 … 2 px, amount 0.5 … 3."""
    amount = random.uniform(0.5, 3)
    soft = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.5, 2))
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def _look_up(picture: Picture, curves: list[NDArray[np.float64]]) -> Picture:
    table = np.clip(np.rint(np.stack(curves, 1)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)
