"""Training samples of the finder: faces of every size set into pictures without faces."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceswap.augment.backgrounds import background
from faceswap.augment.photometric import as_colour, change_colours, degrade, light_from_side
from faceswap.augment.pictures import Picture, mirrored, resize
from faceswap.facepack.cache import FaceCache
from faceswap.geometry.boxes import Boxes, box_from_landmarks
from faceswap.geometry.landmarks import INNER, five_points, mirror_landmarks
from faceswap.types import Points, Transform

SOURCE_SHARE = {"stills": 0.40, "grey": 0.34, "landmarked": 0.13, "segmented": 0.13}
SMALLEST_FACE_PX = 18
# Smaller or fainter faces are neither asked for nor punished: asking for them finds faces in every smudge.
_SMALLEST_ASKED_PX = 24
_LEAST_CONTRAST = 14.0
_COUNTS, _COUNT_SHARES = (0, 1, 2, 3, 4), (0.20, 0.55, 0.13, 0.07, 0.05)
_LEAST_VISIBLE = 0.55


@dataclass(frozen=True)
class Scene:
    """(S, S, 3) RGB uint8; boxes (N, 4), five points (N, 5, 2) in px; wanted (N,) false: cut off too far,
    hidden, too small or too faint to ask for."""

    picture: Picture
    boxes: Boxes
    five: NDArray[np.float32]
    wanted: NDArray[np.bool_]


@dataclass
class _Placed:
    points: Points
    box: Boxes
    hidden: bool = False


class SceneMaker:
    """Draws training scenes from the labelled faces; every draw depends on `random` alone."""

    def __init__(self, faces: FaceCache, photographs: list[Picture]) -> None:
        self._faces, self._photographs = faces, photographs
        complete = (faces.weight[:, INNER] > 0).all(1)
        present = [name for name in SOURCE_SHARE if (complete & (faces.source == name)).any()]
        shares = np.array([SOURCE_SHARE[name] for name in present])
        self._shares = shares / shares.sum()
        self._members = [np.flatnonzero(complete & (faces.source == name)) for name in present]

    def draw(self, size: int, random: Generator) -> Scene:
        """One scene of size × size px with up to four faces, from 18 px to larger than the picture."""
        canvas = background(self._photographs, size, size, random)
        count = int(random.choice(_COUNTS, p=_COUNT_SHARES))
        for _ in range(int(random.integers(0, 5))):
            self._paste_faceless(canvas, random)
        placed: list[_Placed] = []
        for _ in range(count):
            self._paste_face(canvas, placed, count, random)
        if random.random() < 0.6:
            canvas = change_colours(canvas, random)
        if random.random() < 0.2:
            canvas = light_from_side(canvas, random)
        canvas = degrade(canvas, random, strength=size / 320)
        boxes = np.array([face.box for face in placed], np.float32).reshape(-1, 4)
        five = np.array([five_points(face.points) for face in placed], np.float32).reshape(-1, 5, 2)
        shown = np.array([not face.hidden for face in placed], np.bool_)
        large = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0) >= _SMALLEST_ASKED_PX
        clear = np.array([_contrast(canvas, box) >= _LEAST_CONTRAST for box in boxes], np.bool_)
        wanted = shown & large & clear & (visible_share(boxes, size) >= _LEAST_VISIBLE)
        return Scene(canvas, boxes, five, wanted)

    def _paste_face(self, canvas: Picture, placed: list[_Placed], count: int, random: Generator) -> None:
        picture, points = self._any_face(random)
        size = canvas.shape[0]
        alone = count == 1
        # Alone, half the faces are larger than a third of the picture, as in talking-head clips.
        largest = size * (1.15 if alone else 0.8 / np.sqrt(count))
        smallest = size * 0.2 if alone and random.random() < 0.6 else SMALLEST_FACE_PX
        for _ in range(4):
            picture_to_canvas = _random_placement(points, size, smallest, largest, random)
            here = (points @ picture_to_canvas[:, :2].T + picture_to_canvas[:, 2]).astype(np.float32)
            box = box_from_landmarks(here)
            if all(_shared(box, other.box) < 0.05 for other in placed):
                cover = _blend(canvas, picture, picture_to_canvas, box, not placed, random)
                for other in placed:
                    other.hidden |= _covered(cover, other.box) > 0.3
                placed.append(_Placed(here, box))
                return

    def _paste_faceless(self, canvas: Picture, random: Generator) -> None:
        """Hair, clothes, ears and walls from face pictures: what surrounds faces is no face."""
        picture, points = self._any_face(random)
        box = box_from_landmarks(points)
        height, width = picture.shape[:2]
        for _ in range(4):
            tall, wide = (int(side * random.uniform(0.15, 0.6)) + 4 for side in (height, width))
            y, x = int(random.integers(max(1, height - tall))), int(random.integers(max(1, width - wide)))
            if _shared(box, np.array([x, y, x + wide, y + tall], np.float32)) > 0.06:
                continue
            part = picture[y : y + tall, x : x + wide]
            scale = min(random.uniform(0.3, 3.0), *(0.9 * canvas.shape[0] / side for side in part.shape[:2]))
            part = resize(part, max(1, int(part.shape[1] * scale)), max(1, int(part.shape[0] * scale)))
            part = change_colours(part, random)
            rows, columns = part.shape[:2]
            y, x = (int(random.integers(canvas.shape[0] - side + 1)) for side in (rows, columns))
            canvas[y : y + rows, x : x + columns] = part
            return

    def _any_face(self, random: Generator) -> tuple[Picture, Points]:
        members = self._members[random.choice(len(self._members), p=self._shares)]
        picture, points, _ = self._faces.face(int(random.choice(members)))
        picture = as_colour(picture, random)
        if random.random() < 0.5:
            picture, points = mirrored(picture), mirror_landmarks(points, picture.shape[1])
        return (change_colours(picture, random) if random.random() < 0.5 else picture), points


def visible_share(boxes: Boxes, size: int) -> NDArray[np.float32]:
    """The share of each box that lies inside a square picture."""
    inside = np.clip(boxes, 0, size - 1)
    areas = [(corners[:, 2:] - corners[:, :2]).prod(1) for corners in (inside, boxes)]
    return np.asarray(areas[0] / np.maximum(areas[1], 1e-6), np.float32)


def _contrast(canvas: Picture, box: Boxes) -> float:
    """Standard deviation of the lightness (0–255) inside a box."""
    left, top, right, bottom = np.clip(box, 0, len(canvas)).astype(int)
    part = canvas[top:bottom, left:right]
    return float(part.mean(2).std()) if part.size else 0.0


def _shared(box: Boxes, other: Boxes) -> float:
    """The share of `box` that `other` covers."""
    sides = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None)
    return float(sides.prod() / max(float((box[2:] - box[:2]).prod()), 1e-6))


def _random_placement(
    points: Points, size: int, smallest: float, largest: float, random: Generator
) -> Transform:
    angle = random.normal(0, 8) if random.random() < 0.8 else random.uniform(-40, 40)
    roll = np.deg2rad(angle)
    linear = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    linear = linear @ np.diag(np.exp(random.normal(0, 0.04, 2)))
    box = box_from_landmarks((points @ linear.T).astype(np.float32))
    side = float((box[2:] - box[:2]).max())
    wanted = float(np.exp(random.uniform(np.log(smallest), np.log(largest))))
    # Small faces lie anywhere inside, large ones about the middle, sometimes cut by the edge.
    slack = max(size - wanted, 0.25 * wanted) / 2
    center = size / 2 + random.uniform(-slack, slack, 2)
    scale = wanted / side
    return np.column_stack([scale * linear, center - scale * (box[:2] + box[2:]) / 2])


def _covered(cover: NDArray[np.uint8], box: Boxes) -> float:
    """Mean of a 0–255 mask over the part of a box inside the picture, as a fraction."""
    left, top, right, bottom = np.clip(box, 0, len(cover)).astype(int)
    part = cover[top:bottom, left:right]
    return float(part.mean()) / 255 if part.size else 1.0


def _blend(
    canvas: Picture,
    picture: Picture,
    picture_to_canvas: Transform,
    box: Boxes,
    first: bool,
    random: Generator,
) -> NDArray[np.uint8]:
    """Draw the face into the canvas: its picture over everything, its rectangle, or a soft oval of it.

    Returns the (S, S) uint8 mask of what was drawn over. Only the first face may cover everything.
    """
    size = canvas.shape[1], canvas.shape[0]
    face_px = float((box[2:] - box[:2]).max())
    picture, picture_to_canvas = _shrink_first(picture, picture_to_canvas)
    kind = random.random()
    if first and kind < (0.5 if face_px > 0.35 * size[0] else 0.15):
        canvas[:] = cv2.warpAffine(picture, picture_to_canvas, size, borderMode=cv2.BORDER_REPLICATE)
        return np.full(canvas.shape[:2], 255, np.uint8)
    warped = cv2.warpAffine(picture, picture_to_canvas, size)
    mask = np.full(picture.shape[:2], 255, np.uint8)
    mask = np.asarray(cv2.warpAffine(mask, picture_to_canvas, size, flags=cv2.INTER_NEAREST), np.uint8)
    if kind > 0.65:
        oval = np.zeros_like(mask)
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * random.uniform(1.15, 1.7, 2)
        cv2.ellipse(oval, (middle.tolist(), (2 * half).tolist(), 0.0), 255, -1)
        mask = np.minimum(mask, oval)
    reach = int(face_px * random.uniform(0, 0.06))
    if reach > 1:
        soft = cv2.blur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (reach, reach))
        mask = np.asarray(soft, np.uint8)
    share = cv2.merge([mask] * 3)
    lower = cv2.multiply(canvas, cv2.bitwise_not(share), scale=1 / 255)
    canvas[:] = cv2.add(lower, cv2.multiply(warped, share, scale=1 / 255))
    return mask


def _shrink_first(picture: Picture, picture_to_canvas: Transform) -> tuple[Picture, Transform]:
    """Average the picture down before a strong reduction: a linear warp would skip pixels."""
    scale = float(np.sqrt(abs(np.linalg.det(picture_to_canvas[:, :2]))))
    if scale > 0.6:
        return picture, picture_to_canvas
    height, width = picture.shape[:2]
    small = resize(picture, max(2, round(width * scale)), max(2, round(height * scale)))
    growth = np.diag([width / small.shape[1], height / small.shape[0]])
    linear = picture_to_canvas[:, :2] @ growth
    # Pixel centres to pixel centres: the small picture's 0 lies at (growth − 1) / 2 of the large one.
    shift = picture_to_canvas[:, 2] + picture_to_canvas[:, :2] @ ((np.diag(growth) - 1) / 2)
    return small, np.column_stack([linear, shift])
