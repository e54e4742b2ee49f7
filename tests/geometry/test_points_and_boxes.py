"""Mirror order, the pack's box, suppression."""

import numpy as np
import pytest

from faceswap.geometry.boxes import box_from_landmarks, iou_matrix, suppress
from faceswap.geometry.landmarks import (
    EYES,
    FLIP_68,
    LIPS,
    MESH_POINTS,
    MESH_VERTICES,
    five_points,
    mirror_landmarks,
)


def face(seed: int = 0) -> np.ndarray:
    """A frontal, left-right symmetric set of 68 points about (100, 100)."""
    points = np.random.default_rng(seed).uniform(-30, 30, (68, 2))
    points[17:27, 1] -= 40
    points[36:42] = points[36:42] * 0.1 + (-25, -25)
    points[48:] = points[48:] * 0.1 + (0, 30)
    points[48, 0] = -15
    flipped = points[FLIP_68] * (-1, 1)
    return (((points + flipped) / 2) + 100).astype(np.float32)


def test_mirroring_twice_gives_the_points_back() -> None:
    points = np.random.default_rng(1).uniform(0, 200, (68, 2)).astype(np.float32)
    np.testing.assert_allclose(mirror_landmarks(mirror_landmarks(points, 200), 200), points, atol=1e-4)


def test_mirroring_swaps_left_and_right_names() -> None:
    # iBUG: 36 and 45 are the outer eye corners, 39 and 42 the inner, 48 and 54 the mouth corners.
    pairs = {
        0: 16,
        8: 8,
        17: 26,
        21: 22,
        27: 27,
        31: 35,
        36: 45,
        39: 42,
        37: 44,
        41: 46,
        48: 54,
        60: 64,
        57: 57,
    }
    assert {index: int(FLIP_68[index]) for index in pairs} == pairs
    assert sorted(FLIP_68) == list(range(68))


def test_five_points_of_a_mirrored_face_keep_image_left_first() -> None:
    five = five_points(mirror_landmarks(face(), 200))
    assert five[0, 0] < five[1, 0]
    assert five[3, 0] < five[4, 0]


def test_every_mesh_vertex_names_one_point() -> None:
    assert len(set(MESH_POINTS.tolist())) == len(MESH_POINTS) == len(set(MESH_VERTICES.tolist()))
    assert set(EYES) | set(LIPS) <= set(MESH_POINTS)


def test_a_frontal_face_has_a_box_that_is_symmetric_and_holds_its_points() -> None:
    points = face()
    left, top, right, bottom = box_from_landmarks(points)
    assert left + right == pytest.approx(200, abs=1e-3)
    assert (points[17:] > (left, top)).all()
    assert (points[17:] < (right, bottom)).all()


def test_the_box_moves_and_grows_with_the_face() -> None:
    box = box_from_landmarks(face())
    np.testing.assert_allclose(box_from_landmarks(face() * 2 + 7), box * 2 + 7, rtol=1e-4)


def test_a_quarter_turn_turns_the_box() -> None:
    points = face()
    turned = np.stack([200 - points[:, 1], points[:, 0]], 1)
    left, top, right, bottom = box_from_landmarks(points)
    expected = (200 - bottom, left, 200 - top, right)
    np.testing.assert_allclose(box_from_landmarks(turned), expected, atol=1e-2)


def test_the_box_ignores_the_jaw() -> None:
    points = face()
    moved = points.copy()
    moved[:17] += 500
    np.testing.assert_array_equal(box_from_landmarks(points), box_from_landmarks(moved))


def test_overlap_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(iou_matrix(boxes, boxes), expected, atol=1e-6)


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.6, 0.9, 0.7], np.float32)
    assert suppress(boxes, scores, 0.4).tolist() == [1, 2]
