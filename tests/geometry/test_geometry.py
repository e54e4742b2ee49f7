"""Crop geometry against DeepFaceLab's golden values (deepfacelab.md §15.1) and the algebra of transforms."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswap.geometry.geometry import (
    HEAD_MODEL,
    apply_transform,
    compose_transforms,
    crop_transform,
    dfl_crop_matrix,
    fit_similarity,
    invert_transform,
    resize_transform,
)
from faceswap.types import FaceType, Points

# deepfacelab.md §15.1, T(L, 256, type): [a b tx; c d ty] for theta = 0 and 10 degrees.
GOLDEN = {
    (FaceType.HALF, 0): (1.33180, -0.00826, -299.34527, 0.00826, 1.33180, -209.04935),
    (FaceType.HALF, 10): (1.31300, 0.22313, -353.49090, -0.22313, 1.31300, -130.11716),
    (FaceType.MID_FULL, 0): (1.11829, -0.00694, -230.83661, 0.00694, 1.11829, -155.01626),
    (FaceType.MID_FULL, 10): (1.10251, 0.18736, -276.30199, -0.18736, 1.10251, -88.73785),
    (FaceType.FULL, 0): (0.83413, -0.00518, -139.65599, 0.00518, 0.83413, -83.10165),
    (FaceType.FULL, 10): (0.82236, 0.13975, -173.56860, -0.13975, 0.82236, -33.66462),
    (FaceType.WHOLE, 0): (0.62485, -0.00388, -72.50253, 0.00388, 0.62485, -21.72964),
    (FaceType.WHOLE, 10): (0.61603, 0.10469, -97.90665, -0.10469, 0.61603, 15.30390),
    (FaceType.HEAD, 0): (0.44693, -0.00277, -15.30997, 0.00277, 0.44693, 57.84682),
    (FaceType.HEAD, 10): (0.44062, 0.07488, -33.48029, -0.07488, 0.44062, 84.33503),
}


def golden_landmarks(degrees: float = 0) -> Points:
    """L of deepfacelab.md §15.1."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (1.6 * HEAD_MODEL[:, :2] @ turn.T + (320, 260)).astype(np.float32)


def test_the_golden_landmarks_are_those_of_the_reference() -> None:
    landmarks = golden_landmarks()
    np.testing.assert_allclose(landmarks[0], (202.5704, 212.3177), atol=1e-4)
    np.testing.assert_allclose(landmarks[30], (321.9629, 246.5367), atol=1e-4)


@pytest.mark.parametrize(("face_type", "degrees"), GOLDEN)
def test_crop_matrix_has_dfl_values(face_type: FaceType, degrees: int) -> None:
    matrix = dfl_crop_matrix(golden_landmarks(degrees), 256, face_type)
    np.testing.assert_allclose(matrix.ravel(), GOLDEN[face_type, degrees], atol=1e-3)


def test_crop_matrix_with_scale_has_dfl_values() -> None:
    matrix = dfl_crop_matrix(golden_landmarks(), 256, FaceType.FULL, scale=1.1)
    golden = (0.91755, -0.00569, -166.42158, 0.00569, 0.91755, -104.21181)
    np.testing.assert_allclose(matrix.ravel(), golden, atol=1e-3)


@pytest.mark.parametrize("degrees", [0, 10])
def test_aligned_points_have_dfl_values_and_ignore_rotation(degrees: int) -> None:
    landmarks = golden_landmarks(degrees)
    aligned = apply_transform(dfl_crop_matrix(landmarks, 256, FaceType.FULL), landmarks)
    golden = [(28.216, 95.048), (127.628, 124.209), (125.415, 238.277)]
    np.testing.assert_allclose(aligned[[0, 30, 8]], golden, atol=1.5e-3)


@pytest.mark.parametrize("face_type", FaceType)
def test_pixel_centres_of_ours_are_dfl_corner_coordinates_plus_a_half(face_type: FaceType) -> None:
    landmarks = golden_landmarks(10)
    in_corners = apply_transform(dfl_crop_matrix(landmarks + 0.5, 256, face_type), landmarks + 0.5)
    in_pixels = apply_transform(crop_transform(landmarks, 256, face_type), landmarks)
    np.testing.assert_allclose(in_pixels + 0.5, in_corners, atol=1e-4)


@pytest.mark.parametrize("face_type", FaceType)
def test_a_crop_of_another_size_shows_the_same_region(face_type: FaceType) -> None:
    small, large = (crop_transform(golden_landmarks(), size, face_type) for size in (128, 512))
    np.testing.assert_allclose(compose_transforms(resize_transform(128, 512), small), large, atol=1e-9)


def test_a_larger_face_type_contains_a_smaller_one() -> None:
    corners = np.array([(-0.5, -0.5), (255.5, -0.5), (255.5, 255.5), (-0.5, 255.5)])
    for smaller, larger in pairwise(FaceType):
        into = compose_transforms(
            crop_transform(golden_landmarks(), 256, larger),
            invert_transform(crop_transform(golden_landmarks(), 256, smaller)),
        )
        moved = apply_transform(into, corners)
        # DFL lifts a head crop so far that a whole-face crop sticks out below it by 0.2 % of its side.
        assert moved.min() > -1
        assert moved.max() < 256


def test_jaw_and_inner_mouth_do_not_move_the_crop() -> None:
    landmarks = golden_landmarks()
    moved = landmarks.copy()
    moved[[*range(17), *range(49, 54), *range(55, 68)]] += 9
    whole = crop_transform(landmarks, 256, FaceType.WHOLE)
    np.testing.assert_array_equal(crop_transform(moved, 256, FaceType.WHOLE), whole)


@given(
    angle=st.floats(-3.1, 3.1), scale=st.floats(0.1, 20), x=st.floats(-2000, 2000), y=st.floats(-2000, 2000)
)
def test_a_similarity_is_recovered_from_points_it_moved(
    angle: float, scale: float, x: float, y: float
) -> None:
    a_to_b = np.array(
        [
            [scale * np.cos(angle), -scale * np.sin(angle), x],
            [scale * np.sin(angle), scale * np.cos(angle), y],
        ]
    )
    points = HEAD_MODEL[:, :2]
    np.testing.assert_allclose(fit_similarity(points, apply_transform(a_to_b, points)), a_to_b, atol=1e-8)


def test_a_mirrored_target_is_fitted_without_a_reflection() -> None:
    points = HEAD_MODEL[:, :2]
    fitted = fit_similarity(points, points * (-1, 1))
    assert np.linalg.det(fitted[:, :2]) > 0


def test_inverse_and_composition_undo_each_other() -> None:
    a_to_b = np.array([[1.2, -0.4, 30.0], [0.5, 0.9, -7.0]])
    identity = compose_transforms(invert_transform(a_to_b), a_to_b)
    np.testing.assert_allclose(identity, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_resizing_keeps_corners_at_corners() -> None:
    moved = apply_transform(resize_transform(100, 250), np.array([(-0.5, -0.5), (99.5, 99.5)]))
    np.testing.assert_allclose(moved, [(-0.5, -0.5), (249.5, 249.5)])
