"""A cloned face keeps its detail, takes the light around it, and is never too small or too near an edge."""

import cv2
import numpy as np
import pytest

from faceswap.merge.finish import seamless_clone
from faceswap.types import Image, Mask


def soft_picture(seed: int, low: float, high: float, size_px: int = 128) -> Image:
    coarse = np.random.default_rng(seed).random((5, 5, 3), np.float32)
    return low + (high - low) * cv2.resize(coarse, (size_px, size_px), interpolation=cv2.INTER_LINEAR)


def disc(radius: float, size_px: int = 128, x: float = 63.5, y: float = 63.5) -> Mask:
    rows, columns = np.indices((size_px, size_px))
    return np.hypot(columns - x, rows - y) < radius


def test_a_face_in_another_light_is_given_the_light_around_it() -> None:
    around = soft_picture(0, 0.3, 0.6)
    cloned = seamless_clone(around + np.float32(0.2), around, disc(40))
    assert np.abs(cloned - around)[disc(34)].mean() < 0.02


def test_the_faces_detail_stays_and_the_surroundings_stay_beyond_the_bounding_box() -> None:
    around = soft_picture(0, 0.3, 0.6)
    detail = np.zeros_like(around)
    detail[50:70:4, 50:70:3] = 0.1
    cloned = seamless_clone(around + np.float32(0.15) + detail, around, disc(40))
    plain = seamless_clone(around + np.float32(0.15), around, disc(40))
    assert np.abs((cloned - plain - detail)[disc(30)]).max() < 0.015
    assert np.array_equal(cloned[:23], around[:23]) and np.array_equal(cloned[:, 105:], around[:, 105:])


def test_inside_the_region_the_result_differs_from_the_face_by_a_harmonic_picture() -> None:
    face, around = soft_picture(1, 0.2, 0.9), soft_picture(0, 0.3, 0.6)
    change = seamless_clone(face, around, disc(40)) - face
    laplacian = cv2.Laplacian(change, cv2.CV_32F)
    assert np.abs(laplacian[disc(38)]).max() < 1e-5


def test_the_same_picture_is_not_changed() -> None:
    around = soft_picture(0, 0.3, 0.6)
    assert np.abs(seamless_clone(around, around, disc(40)) - around).max() < 1e-6


def test_it_looks_like_opencvs_seamless_clone() -> None:
    around, face = soft_picture(0, 0.35, 0.6), soft_picture(5, 0.5, 0.75)
    region = disc(40)
    levels = [np.rint(255 * picture).astype(np.uint8) for picture in (face, around)]
    drawn = cv2.boundingRect(region.astype(np.uint8))
    middle = (drawn[0] + drawn[2] // 2, drawn[1] + drawn[3] // 2)
    theirs = cv2.seamlessClone(*levels, 255 * region.astype(np.uint8), middle, cv2.NORMAL_CLONE) / 255
    ours = seamless_clone(face, around, region)
    assert np.abs(face - theirs)[region].mean() > 0.1
    assert np.abs(ours - theirs)[region].mean() < 0.015


@pytest.mark.parametrize("x", [0.0, 4.0, 127.0])
def test_a_region_at_the_border_is_cloned(x) -> None:
    around = soft_picture(0, 0.3, 0.6)
    cloned = seamless_clone(around + np.float32(0.2), around, disc(30, x=x))
    assert np.isfinite(cloned).all()
    assert np.abs(cloned - around)[disc(30, x=x)].mean() < 0.1


def test_a_region_of_all_or_next_to_nothing_is_no_error() -> None:
    face, around = soft_picture(1, 0.2, 0.9), soft_picture(0, 0.3, 0.6)
    nothing, corner = np.zeros((128, 128), bool), np.zeros((128, 128), bool)
    corner[0, 0] = True
    assert np.array_equal(seamless_clone(face, around, nothing), face)
    assert np.array_equal(seamless_clone(face, around, corner), face)
    assert np.isfinite(seamless_clone(face, around, ~nothing)).all()
    assert np.isfinite(seamless_clone(face, around, disc(1.2))).all()
