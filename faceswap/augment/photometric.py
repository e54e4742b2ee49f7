"""Random changes of colour, light, sharpness and compression; the geometry stays."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceswap.augment.pictures import Picture, resize

_LEVELS = np.linspace(0, 1, 256)


def as_colour(picture: Picture, random: Generator) -> Picture:
    """(H, W, 1) grey or (H, W, 3) to RGB; grey faces mostly get skin-like tones along their lightness."""
    if picture.shape[2] == 3:
        return picture
    if random.random() < 0.15:
        return np.repeat(picture, 3, axis=2)
    dark = np.array([0.10, 0.06, 0.05]) * random.uniform(0.2, 1.6) + random.uniform(-0.02, 0.02, 3)
    skin = np.array([0.76, 0.57, 0.47]) * random.uniform(0.6, 1.15) + random.uniform(-0.07, 0.07, 3)
    light = np.array([1.0, 0.95, 0.90]) + random.uniform(-0.08, 0.05, 3)
    stops = np.stack([np.clip(dark, 0, 0.3), np.clip(skin, 0, 0.95), light])
    at = (0.0, random.uniform(0.5, 0.75), 1.0)
    return _look_up(picture, np.stack([np.interp(_LEVELS, at, stops[:, c]) for c in range(3)], 1))


def change_colours(picture: Picture, random: Generator) -> Picture:
    """Gamma, contrast, brightness, white balance and saturation, each drawn mildly."""
    gamma = np.exp(random.normal(0, 0.25))
    contrast, brightness = np.exp(random.normal(0, 0.2)), random.normal(0, 0.08)
    balance = np.exp(random.normal(0, 0.10, 3))
    curve = (_LEVELS[:, None] ** gamma * balance - 0.5) * contrast + 0.5 + brightness
    changed = _look_up(picture, curve)
    draw = random.random()
    if draw < 0.4:
        grey = cv2.cvtColor(cv2.cvtColor(changed, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        amount = random.uniform(0.2, 1.0) if draw > 0.08 else 1.0
        changed = cv2.addWeighted(grey, amount, changed, 1 - amount, 0)
    return changed


def light_from_side(picture: Picture, random: Generator) -> Picture:
    """A linear light gradient across the picture, from 0.4 to 1.5 times as bright."""
    height, width = picture.shape[:2]
    corners = random.uniform(0.5, 1.35, (2, 2)).astype(np.float32)
    field = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(picture, cv2.merge([field] * 3), dtype=cv2.CV_8U), np.uint8)


def degrade(picture: Picture, random: Generator, strength: float = 1.0) -> Picture:
    """Blur or motion blur, lost resolution, noise and JPEG, each sometimes; `strength` scales blurs in px."""
    if random.random() < 0.25:
        sigma = random.uniform(0.3, 1.8) * strength
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    elif random.random() < 0.10:
        picture = _motion_blur(picture, random, strength)
    if random.random() < 0.15:
        picture = _lose_resolution(picture, random.uniform(1.3, 3.0))
    if random.random() < 0.35:
        picture = _add_noise(picture, random)
    if random.random() < 0.35:
        quality = int(random.integers(25, 95))
        _, stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        # Red and blue are swapped on the way in and back again on the way out.
        picture = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), np.uint8)
    return picture


def _look_up(picture: Picture, curve: NDArray[np.float64]) -> Picture:
    table = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)
    if picture.shape[2] == 1:
        return np.asarray(table[picture[..., 0]], np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)


def _motion_blur(picture: Picture, random: Generator, strength: float) -> Picture:
    length = max(3, round(random.uniform(3, 9) * strength))
    kernel = np.zeros((length, length), np.float32)
    angle = random.uniform(0, np.pi)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = np.round((length - 1) / 2 + np.stack([-reach, reach])).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


def _lose_resolution(picture: Picture, factor: float) -> Picture:
    height, width = picture.shape[:2]
    return resize(resize(picture, round(width / factor), round(height / factor)), width, height)


def _add_noise(picture: Picture, random: Generator) -> Picture:
    # A quarter of the noise is drawn and tiled: a full field costs more than the rest together.
    height, width = picture.shape[:2]
    tile = random.normal(0, random.uniform(2, 11), (height // 2 + 1, width // 2 + 1, 3)).astype(np.int16)
    noise = np.tile(tile, (2, 2, 1))[:height, :width]
    return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)
