"""Polygons carried from crop to crop."""

import cv2
import numpy as np
import pytest

from faceswap.faceset.polygons import Polygon
from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.masks.edit.carry import CropView, carry
from faceswap.types import Frame, Points

SIZE_PX = 128
LANDMARKS = (0.4 * HEAD_MODEL[:, :2] / np.ptp(HEAD_MODEL[:, 0]) * SIZE_PX + 64).astype(np.float32)
OUTLINE = Polygon("include", np.array([(40, 40), (80, 44), (86, 80), (44, 84)], np.float32), {"by": "hand"})


def texture(seed: int = 0) -> Frame:
    noise = np.random.default_rng(seed).integers(0, 256, (3 * SIZE_PX, 3 * SIZE_PX, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3) * 3


def seen(picture: Frame, dx: float, dy: float) -> Frame:
    moved = np.array([[1, 0, dx - SIZE_PX], [0, 1, dy - SIZE_PX]], np.float64)
    return cv2.warpAffine(picture, moved, (SIZE_PX, SIZE_PX))


@pytest.mark.parametrize("landmarks_follow", [True, False])
def test_polygons_go_with_what_moves_in_the_picture(landmarks_follow: bool) -> None:
    picture, by = texture(), np.array([5.0, -3.0], np.float32)
    after: Points = LANDMARKS + by if landmarks_follow else LANDMARKS
    (carried,) = carry(
        [OUTLINE], CropView(seen(picture, 0, 0), LANDMARKS), CropView(seen(picture, *by), after)
    )
    assert np.abs(carried.points - (OUTLINE.points + by)).max() < 0.75
    assert carried.kind == "include" and carried.extra == {"by": "hand"}


def test_where_the_pictures_have_nothing_in_common_the_landmarks_lead() -> None:
    by = np.array([6.0, 4.0], np.float32)
    (carried,) = carry(
        [OUTLINE],
        CropView(texture(1)[:128, :128], LANDMARKS),
        CropView(texture(2)[:128, :128], LANDMARKS + by),
    )
    assert np.median(np.linalg.norm(carried.points - (OUTLINE.points + by), axis=1)) < 4


def test_crops_of_different_sizes_are_bridged() -> None:
    picture = seen(texture(), 0, 0)
    large = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC)
    (carried,) = carry([OUTLINE], CropView(picture, LANDMARKS), CropView(large, 2 * LANDMARKS + 0.5))
    assert np.abs(carried.points - (2 * OUTLINE.points + 0.5)).max() < 1


def test_nothing_carried_is_nothing() -> None:
    look = CropView(seen(texture(), 0, 0), LANDMARKS)
    assert carry([], look, look) == ()
