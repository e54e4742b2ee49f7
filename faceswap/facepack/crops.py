"""Training samples of the landmarker: crops as insightface cuts them, with the errors boxes really have."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from faceswap.augment.backgrounds import background, draw_shapes
from faceswap.augment.photometric import as_colour, change_colours, degrade, light_from_side
from faceswap.augment.pictures import Picture, mirrored
from faceswap.facepack.cache import FaceCache
from faceswap.facepack.networks import CROP_PX
from faceswap.geometry.boxes import box_from_landmarks
from faceswap.geometry.landmarks import FLIP_68, mirror_landmarks
from faceswap.types import Points, Transform

SOURCE_SHARE = {"stills": 0.46, "grey": 0.31, "landmarked": 0.14, "segmented": 0.09}
BOX_TO_CROP = 1.5
_BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101)


@dataclass(frozen=True)
class Crop:
    """(192, 192, 3) RGB uint8; points (68, 2) in [−1, 1] over the crop (0 … 192 px); weights (68,)."""

    picture: Picture
    points: Points
    weight: NDArray[np.float32]


class CropMaker:
    """Draws augmented crops from the labelled faces; every draw depends on `random` alone."""

    def __init__(self, faces: FaceCache, photographs: list[Picture]) -> None:
        self._faces, self._photographs = faces, photographs
        present = [name for name in SOURCE_SHARE if (faces.source == name).any()]
        shares = np.array([SOURCE_SHARE[name] for name in present])
        self._shares = shares / shares.sum()
        self._members = [np.flatnonzero(faces.source == name) for name in present]

    def draw(self, random: Generator) -> Crop:
        """One crop: a source by its share, one of its faces, a random pose, light and quality."""
        members = self._members[random.choice(len(self._members), p=self._shares)]
        picture, points, weight = self._faces.face(int(random.choice(members)))
        picture = as_colour(picture, random)
        if random.random() < 0.5:
            picture = mirrored(picture)
            points, weight = mirror_landmarks(points, picture.shape[1]), mirror_weight(weight)
        picture_to_crop = random_crop(points, random)
        crop = self._warp(picture, picture_to_crop, random)
        crop = self._spoil(crop, random)
        placed = points @ picture_to_crop[:, :2].T + picture_to_crop[:, 2]
        return Crop(crop, (placed / (CROP_PX / 2) - 1).astype(np.float32), weight)

    def _warp(self, picture: Picture, picture_to_crop: Transform, random: Generator) -> Picture:
        size = (CROP_PX, CROP_PX)
        if random.random() < 0.6:
            border = _BORDERS[random.integers(len(_BORDERS))]
            return np.asarray(cv2.warpAffine(picture, picture_to_crop, size, borderMode=border), np.uint8)
        behind = background(self._photographs, CROP_PX, CROP_PX, random)
        cv2.warpAffine(picture, picture_to_crop, size, dst=behind, borderMode=cv2.BORDER_TRANSPARENT)
        return behind

    def _spoil(self, crop: Picture, random: Generator) -> Picture:
        if random.random() < 0.85:
            crop = change_colours(crop, random)
        if random.random() < 0.3:
            crop = light_from_side(crop, random)
        if random.random() < 0.15:
            draw_shapes(crop[: int(random.integers(60, CROP_PX))], int(random.integers(1, 3)), random)
        return degrade(crop, random)


def mirror_weight(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of the points after `mirror_landmarks`."""
    return weight[FLIP_68]


def random_crop(points: Points, random: Generator) -> Transform:
    """picture_to_crop, (2, 3): turned (mostly a little, sometimes to 45°), stretched, and cut around a
    box of the pack's convention whose centre and size are off as a finder's boxes are."""
    angle = random.normal(0, 9) if random.random() < 0.75 else random.uniform(-45, 45)
    roll = np.deg2rad(angle)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    stretch = np.diag(np.exp(random.normal(0, 0.05, 2)))
    stretch[0, 1] = random.normal(0, 0.04)
    linear = turn @ stretch
    box = box_from_landmarks((points @ linear.T).astype(np.float32))
    side = float((box[2:] - box[:2]).max())
    center = (box[:2] + box[2:]) / 2 + side * np.clip(random.normal(0, 0.05, 2), -0.15, 0.15)
    scale = CROP_PX / (BOX_TO_CROP * side) * float(np.exp(random.normal(0, 0.09)))
    return np.column_stack([scale * linear, CROP_PX / 2 - scale * center])
