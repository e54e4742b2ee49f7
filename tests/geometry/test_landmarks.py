"""Masks, pose and mirror order of 68 landmarks against DeepFaceLab's golden values (deepfacelab.md §15)."""

import json
from pathlib import Path

import numpy as np
import pytest

from faceswap.geometry.geometry import HEAD_MODEL, apply_transform, crop_transform
from faceswap.geometry.landmarks import (
    FLIP_68,
    eyes_mask,
    hull_mask,
    mirror_landmarks,
    mouth_mask,
    outer_eye_distance,
    pose_deg,
    roll_deg,
)
from faceswap.types import FaceType, Points


@pytest.fixture
def aligned() -> Points:
    """The golden landmarks (deepfacelab.md §15.1) in a 512 px whole-face crop."""
    landmarks = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
    return apply_transform(crop_transform(landmarks, 512, FaceType.WHOLE), landmarks).astype(np.float32)


def test_masks_have_dfl_sums(aligned: Points) -> None:
    assert int(hull_mask(aligned, 512, 512).sum()) == 72896
    assert eyes_mask(aligned, 512, 512).sum() == pytest.approx(3385.0, abs=0.5)
    assert mouth_mask(aligned, 512, 512).sum() == pytest.approx(2549.0, abs=0.5)


def test_hull_is_hard_and_the_soft_masks_stay_within_0_and_1(aligned: Points) -> None:
    assert set(np.unique(hull_mask(aligned, 512, 512))) == {0.0, 1.0}
    for mask in (eyes_mask(aligned, 512, 512), mouth_mask(aligned, 512, 512)):
        assert mask.dtype == np.float32
        assert mask.min() >= 0
        assert mask.max() <= 1


def test_hull_contains_every_landmark_and_raises_the_brows(aligned: Points) -> None:
    mask, plain = hull_mask(aligned, 512, 512), hull_mask(aligned, 512, 512, brow_expand=0)
    x, y = np.floor(aligned[17:] + 0.5).astype(int).T
    assert mask[y, x].all()
    assert np.flatnonzero(mask.any(1))[0] < np.flatnonzero(plain.any(1))[0]


def test_masks_of_a_face_partly_outside_the_picture_are_the_visible_part(aligned: Points) -> None:
    shift = np.array([-200, 0], np.float32)
    whole, cut = hull_mask(aligned, 512, 512), hull_mask(aligned + shift, 512, 512)
    # Brow expansion rounds with integer division, so coordinates below zero may move by a pixel.
    assert np.abs(cut[:, 10:312] - whole[:, 210:]).sum() < 60


def test_flip_order_is_its_own_inverse_and_matches_a_mirrored_head() -> None:
    np.testing.assert_array_equal(FLIP_68[FLIP_68], np.arange(68))
    # The mean head is nearly symmetric: mirrored and renumbered it lies on itself within a few millimetres.
    mirrored = HEAD_MODEL[FLIP_68] * (-1, 1, 1)
    assert np.abs(mirrored - HEAD_MODEL).max() < 4.5


def test_mirroring_twice_gives_the_same_points(aligned: Points) -> None:
    twice = mirror_landmarks(mirror_landmarks(aligned, 512), 512)
    np.testing.assert_allclose(twice, aligned, atol=1e-3)


def test_outer_eye_distance_is_between_points_36_and_45(aligned: Points) -> None:
    moved = aligned.copy()
    moved[36], moved[45] = (100, 100), (103, 104)
    assert outer_eye_distance(moved) == 5


# deepfacelab.md §15.2: (x, y, z) in radians -> pitch, yaw, roll.
POSES = [
    ((0.2, 0, 0), (-0.2, 0, 0)),
    ((-0.2, 0, 0), (0.2, 0, 0)),
    ((0, 0.4, 0), (0, 0.4, 0)),
    ((0, -0.4, 0), (0, -0.4, 0)),
    ((0, 0, 0.15), (0, 0, 0.15)),
    ((0.1, -0.3, 0.05), (-0.1, -0.3, 0.05)),
]


@pytest.mark.parametrize(("angles", "returned"), POSES)
def test_pose_has_dfl_values(angles: tuple[float, ...], returned: tuple[float, ...]) -> None:
    sin, cos = np.sin(angles), np.cos(angles)
    about_x = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    about_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    turned = HEAD_MODEL @ (about_z @ about_y @ about_x).T + (0, -5, 400)
    in_corners = 256 * turned[:, :2] / turned[:, 2:] + 128
    pose = pose_deg((in_corners - 0.5).astype(np.float32), 256)
    np.testing.assert_allclose(np.deg2rad(pose), returned, atol=1e-3)


@pytest.mark.parametrize("turned", [0, 30, -30, 60, -60, 120, -120])
@pytest.mark.parametrize("actor", ["a", "b"])
def test_roll_is_the_actors_truth_however_the_picture_is_turned(
    demo_clips: Path, actor: str, turned: int
) -> None:
    frames = json.loads((demo_clips / f"actor_{actor}.json").read_text(encoding="utf-8"))["frames"]
    cosine, sine = np.cos(np.deg2rad(turned)), np.sin(np.deg2rad(turned))
    clockwise = np.array([[cosine, -sine], [sine, cosine]])
    rolls = [roll_deg((np.array(frame["landmarks68"]) @ clockwise.T).astype(np.float32)) for frame in frames]
    # The renderer's roll leans the other way (conventions in its JSON).
    errors = np.array(rolls) + [frame["roll"] for frame in frames] - turned
    assert np.mean(np.abs((errors + 180) % 360 - 180) <= 3) >= 0.99


@pytest.mark.parametrize("actor", ["a", "b"])
@pytest.mark.parametrize("face_type", [FaceType.HALF, FaceType.FULL, FaceType.WHOLE])
def test_an_aligned_head_is_upright_in_its_crop(demo_clips: Path, actor: str, face_type: FaceType) -> None:
    frames = json.loads((demo_clips / f"actor_{actor}.json").read_text(encoding="utf-8"))["frames"]
    for frame in frames[::10]:
        landmarks = np.array(frame["landmarks68"], np.float32) - 0.5
        crop = apply_transform(crop_transform(landmarks, 256, face_type), landmarks).astype(np.float32)
        pitch, yaw, roll = pose_deg(crop, 256)
        assert abs(roll) <= 20
        assert abs(pitch + frame["pitch"]) <= 10
        # A head behind the camera looks turned further than it is, but never the other way.
        assert yaw * -frame["yaw"] > 0 or abs(frame["yaw"]) < 5
