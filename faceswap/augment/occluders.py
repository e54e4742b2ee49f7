"""Things in front of a face: hands, hair, sticks, glasses, writing and whatever else; the mask loses them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceswap.augment.pictures import Picture
from faceswap.types import Mask

# A face of which less than this is left teaches nothing.
_LEAST_LEFT = 0.35
_FLOATS: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """paint: (S, S, 3) uint8, shown where alpha (S, S) uint8 is 255."""

    alpha: Picture
    paint: Picture


@dataclass(frozen=True)
class _Scene:
    """What an occluder is drawn for: skin and centre, extent of the face in px, textures to use."""

    picture: Picture
    skin: _FLOATS
    middle: _FLOATS
    extent: float
    spot: _FLOATS
    textures: Sequence[Picture]

    @property
    def side(self) -> int:
        return int(self.picture.shape[0])


def occlude(
    picture: Picture, mask: Mask, textures: Sequence[Picture], random: Generator
) -> tuple[Picture, Mask]:
    """One to three random things before the face; the mask is what is left of it.

    picture: (S, S, 3); mask: (S, S); textures: pictures of at least S px a side, none of them empty.
    Nothing is drawn over a picture without a face.
    """
    for _ in range(1 + int(random.integers(3)) // 2 + int(random.random() < 0.15)):
        scene = _look(picture, mask, textures, random)
        if scene is None:
            break
        layer = _KINDS[random.choice(len(_KINDS), p=_SHARES)](scene, random)
        picture, mask = _lay(picture, mask, layer, random)
    return picture, mask


def cover(picture: Picture, mask: Mask, layer: Layer) -> tuple[Picture, Mask]:
    """The picture with the layer before it, and the mask without what the layer hides."""
    alpha = layer.alpha.astype(np.float32) / np.float32(255)
    shown = picture + alpha[..., None] * (layer.paint.astype(np.float32) - picture)
    return np.rint(shown).astype(np.uint8), mask * (1 - alpha)


def _lay(picture: Picture, mask: Mask, layer: Layer, random: Generator) -> tuple[Picture, Mask]:
    softness = random.uniform(0.4, 1.6) if random.random() < 0.85 else random.uniform(1.6, 5)
    layer = Layer(np.asarray(cv2.GaussianBlur(layer.alpha, (0, 0), softness), np.uint8), layer.paint)
    below = picture
    if random.random() < 0.35:
        below = _shade(picture, layer.alpha, random)
    shown, left = cover(below, mask, layer)
    return (shown, left) if left.sum() > _LEAST_LEFT * mask.sum() else (picture, mask)


def _shade(picture: Picture, alpha: Picture, random: Generator) -> Picture:
    """The shadow that the thing throws on what is behind it."""
    shift = random.uniform(-10, 10, 2)
    moved = cv2.warpAffine(alpha, np.array([(1, 0, shift[0]), (0, 1, shift[1])]), alpha.shape[::-1])
    soft = cv2.blur(moved, (int(random.integers(5, 25)),) * 2).astype(np.float32) / 255
    darker = picture * (1 - random.uniform(0.2, 0.6) * soft[..., None])
    return np.asarray(darker, np.uint8)


def _look(picture: Picture, mask: Mask, textures: Sequence[Picture], random: Generator) -> _Scene | None:
    rows, columns = np.nonzero(mask > 0.5)
    if len(rows) < 50:
        return None
    chosen = int(random.integers(len(rows)))
    colours = picture[rows[::37], columns[::37]].astype(np.float64)
    return _Scene(
        picture,
        np.median(colours, axis=0),
        np.array([columns.mean(), rows.mean()]),
        float(np.sqrt(len(rows))),
        np.array([columns[chosen], rows[chosen]]) + random.normal(0, 8, 2),
        textures,
    )


def _thing(scene: _Scene, random: Generator) -> Layer:
    """A card, a round or an angular shape, filled with a part of another picture or one colour."""
    alpha = np.zeros((scene.side, scene.side), np.uint8)
    size = scene.extent * np.exp(random.uniform(np.log(0.08), np.log(0.7)))
    cv2.fillPoly(alpha, [_fixed(_outline(size, random) + scene.spot)], 255, cv2.LINE_AA, 4)
    if random.random() < 0.35:
        # Rounded by a blur that is cut again.
        blurred = cv2.GaussianBlur(alpha, (0, 0), 0.15 * size + 1)
        alpha = np.asarray(cv2.threshold(blurred, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)
    return Layer(alpha, _fill(scene, random))


def _outline(size: float, random: Generator) -> _FLOATS:
    """(N, 2) corners about the origin: a turned card, or any polygon without crossings."""
    if random.random() < 0.35:
        box = ((0.0, 0.0), (2 * size * random.uniform(0.4, 1.2), 2 * size), float(random.uniform(0, 180)))
        return np.asarray(cv2.boxPoints(box), np.float64)
    corners = int(random.integers(3, 12))
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    radii = size * random.uniform(0.5, 1.2, corners)
    return np.stack([np.cos(angles) * radii * random.uniform(0.4, 1.6), np.sin(angles) * radii], 1)


def _hand(scene: _Scene, random: Generator) -> Layer:
    """A palm with fingers in the colour of the face's own skin, lit unevenly."""
    alpha = np.zeros((scene.side, scene.side), np.uint8)
    shade = np.full((scene.side, scene.side), 128, np.uint8)
    unit = scene.extent * random.uniform(0.10, 0.17)
    reach = random.uniform(0, 2 * np.pi)
    # The tips end about the spot, the palm lies farther out.
    palm = scene.spot - 3.2 * unit * _direction(reach)
    fingers = int(random.integers(1, 6))
    for finger in range(fingers):
        spread = (finger - (fingers - 1) / 2) * random.uniform(0.12, 0.3)
        root = palm + 1.3 * unit * _direction(reach + 2.2 * spread)
        knuckle = root + unit * random.uniform(1.2, 1.8) * _direction(reach + spread)
        tip = knuckle + unit * random.uniform(0.5, 1.6) * _direction(reach + spread + random.normal(0, 0.35))
        line = [_fixed(np.stack([root, knuckle, tip]))]
        thick = max(2, round(unit * random.uniform(0.65, 0.9)))
        cv2.polylines(shade, line, False, int(random.integers(60, 90)), thick + 3, cv2.LINE_AA, 4)
        cv2.polylines(shade, line, False, int(random.integers(110, 150)), thick, cv2.LINE_AA, 4)
        cv2.polylines(alpha, line, False, 255, thick, cv2.LINE_AA, 4)
    arm = _fixed(np.stack([palm, palm - 8 * unit * _direction(reach + random.normal(0, 0.5))]))
    for canvas, value in ((alpha, 255), (shade, int(random.integers(110, 140)))):
        cv2.ellipse(canvas, (palm.tolist(), (3.2 * unit, 2.8 * unit), np.rad2deg(reach)), value, -1)
        cv2.polylines(canvas, [arm], False, value, max(2, round(2 * unit)), cv2.LINE_AA, 4)
    tone = scene.skin * random.uniform(0.75, 1.2) * random.uniform(0.94, 1.06, 3)
    soft = cv2.GaussianBlur(shade, (0, 0), 0.2 * unit + 0.5).astype(np.float32) / 128
    light = soft * _gradient(scene.side, random)
    return Layer(alpha, np.clip(light[..., None] * tone, 0, 255).astype(np.uint8))


def _hair(scene: _Scene, random: Generator) -> Layer:
    """Strands that fall from over the face to about the spot."""
    alpha = np.zeros((scene.side, scene.side), np.uint8)
    paint = np.zeros((scene.side, scene.side, 3), np.uint8)
    colour = np.array([120, 85, 55]) * random.uniform(0.1, 1.9) * random.uniform(0.8, 1.2, 3)
    paint[:] = np.clip(colour, 0, 255)
    root = scene.middle + scene.extent * np.array([random.uniform(-0.7, 0.7), -random.uniform(0.5, 1.0)])
    wide, along = scene.extent * random.uniform(0.03, 0.35), np.linspace(0, 1, 8)[:, None]
    bend = random.normal(0, 0.3, 2) * scene.extent
    for _ in range(int(random.integers(3, 45))):
        start, end = root + random.normal(0, wide, 2), scene.spot + random.normal(0, wide, 2)
        mid = (start + end) / 2 + bend + random.normal(0, 0.25 * wide, 2)
        curve = (1 - along) ** 2 * start + 2 * along * (1 - along) * mid + along**2 * end
        thick = int(random.integers(1, 4))
        tone = np.clip(colour * random.uniform(0.6, 1.6), 0, 255).tolist()
        cv2.polylines(paint, [_fixed(curve)], False, tone, thick, cv2.LINE_AA, 4)
        cv2.polylines(alpha, [_fixed(curve)], False, 255, thick, cv2.LINE_AA, 4)
    return Layer(alpha, paint)


def _stick(scene: _Scene, random: Generator) -> Layer:
    """A microphone, pen, fork or cable: a bar from outside the face, with or without a head."""
    alpha = np.zeros((scene.side, scene.side), np.uint8)
    paint = _fill(scene, random)
    away = scene.spot - scene.extent * random.uniform(0.8, 2.0) * _direction(random.uniform(0, 2 * np.pi))
    thick = max(2, round(scene.extent * random.uniform(0.02, 0.2)))
    line = [_fixed(np.stack([away, scene.spot]))]
    cv2.polylines(alpha, line, False, 255, thick, cv2.LINE_AA, 4)
    if random.random() < 0.6:
        head = np.zeros_like(alpha)
        axes = (thick * random.uniform(1.2, 3.2), thick * random.uniform(1.2, 2.6))
        cv2.ellipse(head, (scene.spot.tolist(), axes, float(random.uniform(0, 180))), 255, -1)
        np.copyto(paint, _fill(scene, random), where=head[..., None] > 0)
        alpha = np.maximum(alpha, head)
    return Layer(alpha, paint)


def _glasses(scene: _Scene, random: Generator) -> Layer:
    """Frames about the eyes' height, with clear or dark lenses."""
    alpha = np.zeros((scene.side, scene.side), np.uint8)
    paint = np.full((scene.side, scene.side, 3), random.uniform(0, 255 * random.random(), 3).astype(np.uint8))
    half, thick = 0.24 * scene.extent, int(random.integers(1, 6))
    centre = scene.middle + scene.extent * np.array([random.normal(0, 0.05), -random.uniform(0.08, 0.25)])
    tilt = _direction(random.normal(0, 0.08))
    size = (scene.extent * random.uniform(0.3, 0.45), scene.extent * random.uniform(0.2, 0.38))
    dark, square = random.random() < 0.35, random.random() < 0.5
    lenses = [centre + sign * half * tilt for sign in (-1, 1)]
    for lens in lenses:
        box = (lens.tolist(), size, float(np.rad2deg(np.arctan2(tilt[1], tilt[0]))))
        if square:
            outline = [np.rint(cv2.boxPoints(box) * 16).astype(np.int32)]
            cv2.polylines(alpha, outline, True, 255, thick, cv2.LINE_AA, 4)
            if dark:
                cv2.fillPoly(alpha, outline, 255, cv2.LINE_AA, 4)
        else:
            cv2.ellipse(alpha, box, 255, -1 if dark else thick, cv2.LINE_AA)
    arms = [lenses[0] - (size[0] / 2) * tilt, lenses[1] + (size[0] / 2) * tilt]
    outside = [arms[0] - scene.extent * tilt, arms[1] + scene.extent * tilt]
    bridge = [lenses[0] + (size[0] / 2) * tilt, lenses[1] - (size[0] / 2) * tilt]
    for pair in (bridge, (arms[0], outside[0]), (arms[1], outside[1])):
        cv2.polylines(alpha, [_fixed(np.stack(pair))], False, 255, thick, cv2.LINE_AA, 4)
    return Layer(alpha, paint)


def _writing(scene: _Scene, random: Generator) -> Layer:
    """Letters across the face, as subtitles and station names lie over pictures."""
    alpha = np.zeros((scene.side, scene.side), np.uint8)
    paint = _fill(scene, random)
    size = float(random.uniform(0.4, 2.0))
    for line in range(int(random.integers(1, 4))):
        letters = "".join(chr(code) for code in random.integers(33, 126, int(random.integers(3, 18))))
        x, y = (scene.spot - (random.uniform(0, scene.extent), -30 * size * line)).astype(int).tolist()
        thick = max(1, round(size * random.uniform(1, 3)))
        cv2.putText(alpha, letters, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick, cv2.LINE_AA)
    return Layer(alpha, paint)


_KINDS: tuple[Callable[[_Scene, Generator], Layer], ...] = (_thing, _hand, _hair, _stick, _glasses, _writing)
_SHARES = (0.27, 0.27, 0.16, 0.15, 0.09, 0.06)


def _fill(scene: _Scene, random: Generator) -> Picture:
    """A part of another picture, of this one, or one colour that is lit unevenly; a new array."""
    side, draw = scene.side, random.random()
    if draw < 0.45:
        texture = scene.textures[int(random.integers(len(scene.textures)))]
        y, x = (int(random.integers(length - side + 1)) for length in texture.shape[:2])
        part = texture[y : y + side, x : x + side]
        return part[..., random.permutation(3)] if random.random() < 0.3 else part.copy()
    if draw < 0.55:
        return np.roll(scene.picture, random.integers(side, size=2).tolist(), (0, 1))
    colour = scene.skin * random.uniform(0.4, 1.4) if draw < 0.67 else random.uniform(0, 255, 3)
    lit = _gradient(side, random)[..., None] * colour
    return np.clip(lit, 0, 255).astype(np.uint8)


def _gradient(side: int, random: Generator) -> NDArray[np.float32]:
    corners = random.uniform(0.6, 1.3, (2, 2)).astype(np.float32)
    return np.asarray(cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _direction(angle: float) -> _FLOATS:
    return np.array([np.cos(angle), np.sin(angle)])


def _fixed(points: _FLOATS) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point format of four fractional bits."""
    return np.rint(points * 16).astype(np.int32)
