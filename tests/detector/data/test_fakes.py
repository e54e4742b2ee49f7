"""Forgeries of the demo's two actors: what is foreign is under the mask, and nothing else gives it away."""

import json
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceswap.augment.blending import Picture
from faceswap.detector.data.fakes import MANIPULATIONS, Fake, null_fake, part_of_swap, self_blended
from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.types import FaceType, Points

DEMO = Path(__file__).parents[3] / "assets" / "demo"
SIDE = 160
NAMES = sorted(MANIPULATIONS)
DRAWS = 12


@cache
def face(actor: str, face_type: FaceType = FaceType.FULL, side: int = SIDE) -> tuple[Picture, Points]:
    """The first frame of the demo's clip as a crop, with its landmarks in the crop."""
    with av.open(str(DEMO / f"actor_{actor}.mp4")) as clip:
        frame = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    truth = json.loads((DEMO / f"actor_{actor}.json").read_text(encoding="utf-8"))["frames"][0]
    # The file counts from corners.
    landmarks = np.array(truth["landmarks68"], np.float32) - np.float32(0.5)
    frame_to_face = crop_transform(landmarks, side, face_type)
    crop = cv2.warpAffine(frame, frame_to_face, (side, side), flags=cv2.INTER_CUBIC)
    return crop, apply_transform(frame_to_face, landmarks).astype(np.float32)


def forge(name: str, seed: int = 0, face_type: FaceType = FaceType.FULL, side: int = SIDE) -> Fake:
    real, donor = face("a", face_type, side), face("b", face_type, side)
    return MANIPULATIONS[name](np.random.default_rng(seed), *real, *donor)


def difference(fake: Fake, real: Picture) -> np.ndarray:
    return np.abs(fake.picture.astype(int) - real).max(axis=2)


def test_the_table_names_the_manipulations_of_the_facts():
    assert NAMES == ["affine", "part", "sbi", "seamless"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("face_type", [FaceType.FULL, FaceType.WHOLE])
def test_outside_the_mask_the_fake_is_the_real_and_under_it_it_is_not(name, face_type):
    real = face("a", face_type)[0]
    for seed in range(DRAWS):
        made = forge(name, seed, face_type)
        assert made.picture.shape == (SIDE, SIDE, 3) and made.picture.dtype == np.uint8
        assert made.mask.shape == (SIDE, SIDE) and made.mask.dtype == np.float32
        assert made.mask.min() >= 0 and made.mask.max() <= 1
        changed = difference(made, real)
        assert not changed[made.mask == 0].any()
        assert (changed[made.mask >= 0.2] > 0).mean() > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_mask_covers_a_sensible_part_of_a_frontal_face(name):
    shares = [float(forge(name, seed).mask.mean()) for seed in range(DRAWS)]
    assert min(shares) >= 0.02 and max(shares) <= 0.70


@pytest.mark.parametrize("name", NAMES)
def test_the_same_state_gives_the_same_fake_and_another_state_another(name):
    first, again, other = forge(name, 1), forge(name, 1), forge(name, 2)
    assert np.array_equal(first.picture, again.picture) and np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.mask, other.mask)


@pytest.mark.parametrize("name", NAMES)
def test_neither_real_nor_donor_is_written_to(name):
    before = [array.copy() for array in (*face("a"), *face("b"))]
    forge(name)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*face("a"), *face("b")), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_neither_the_crops_border_nor_a_constant_shape_gives_a_fake_away(name):
    real = face("a", FaceType.WHOLE)[0]
    boxes = set()
    for seed in range(DRAWS):
        made = forge(name, seed, FaceType.WHOLE)
        changed = difference(made, real)
        changed[4:-4, 4:-4] = 0
        assert not changed.any()
        support = (made.mask > 0).astype(np.uint8)
        left, top, width, height = boxes_of(support)
        boxes.add((left, top, width, height))
        # A filled rectangle would be 1, an ellipse is π/4.
        assert support.sum() / (width * height) < 0.97
        # A seam, not an edge: part of the mask is neither in nor out.
        ceiling = made.mask.max()
        assert ((made.mask > 0.1 * ceiling) & (made.mask < 0.9 * ceiling)).sum() > 60
    assert len(boxes) > DRAWS // 2


def boxes_of(support: np.ndarray) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(support)
    return left, top, width, height


def test_masks_are_bent_by_chance():
    real, landmarks = face("a")
    symmetric = (landmarks + mirror(landmarks)) / 2
    skew = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        mask = MANIPULATIONS["affine"](rng, real, symmetric, real, symmetric).mask
        skew.append(float(np.abs(mask - mask[:, ::-1]).sum() / mask.sum()))
    # The hull of symmetric landmarks is symmetric but for rounding to pixels.
    assert max(skew) > 0.04


def test_a_face_that_the_crop_cuts_is_not_framed():
    # In a half-face crop the jaw leaves at the bottom; the mask then leaves with it.
    masks = [forge("affine", seed, FaceType.HALF).mask for seed in range(5)]
    assert all(mask[-1].max() > 0.5 for mask in masks)


@pytest.mark.parametrize("name", ["affine", "seamless"])
def test_swaps_take_their_colors_from_the_real_face(name):
    real, landmarks = face("a")
    donor, donor_landmarks = face("b")
    green = donor // 2
    green[..., 1] += 120
    for seed in range(5):
        rng = np.random.default_rng(seed)
        made = MANIPULATIONS[name](rng, real, landmarks, green, donor_landmarks)
        core = made.mask > 0.9
        assert np.abs(made.picture[core].mean(0) - real[core].mean(0)).max() < 12


def test_a_donor_of_another_size_gives_the_same_face():
    real, small, large = face("a"), face("b"), face("b", FaceType.FULL, 320)
    made = [MANIPULATIONS["affine"](np.random.default_rng(3), *real, *donor) for donor in (small, large)]
    assert np.abs(made[0].mask - made[1].mask).mean() < 0.01
    core = made[0].mask > 0.9
    assert np.abs(made[0].picture[core].astype(int) - made[1].picture[core]).mean() < 4


def test_a_donor_who_looks_the_other_way_is_mirrored():
    real = face("a")
    mirrored = real[0][:, ::-1].copy(), mirror(real[1])
    made = MANIPULATIONS["affine"](np.random.default_rng(0), *real, *mirrored)
    assert difference(made, real[0]).mean() < 1


def mirror(landmarks: Points) -> Points:
    """By hand for this test: x turned round, then the pairs of iBUG order exchanged."""
    pairs = [*((i, 16 - i) for i in range(8)), *((17 + i, 26 - i) for i in range(5)), (31, 35), (32, 34)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52)]
    pairs += [(59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
    order = np.arange(68)
    for a, b in pairs:
        order[a], order[b] = b, a
    turned = landmarks[order].copy()
    turned[:, 0] = SIDE - 1 - turned[:, 0]
    return turned


def test_parts_of_a_finished_swap_come_from_the_swap():
    real, landmarks = face("a")
    swap = 255 - real
    for seed in range(8):
        made = part_of_swap(np.random.default_rng(seed), real, landmarks, swap)
        assert 0.02 <= made.mask.mean() <= 0.3
        assert np.array_equal(made.picture[made.mask == 1], swap[made.mask == 1])
        assert np.array_equal(made.picture[made.mask == 0], real[made.mask == 0])


def test_a_null_fake_went_through_the_making_and_is_still_the_real():
    real, landmarks = face("a")
    for seed in range(DRAWS):
        made = null_fake(np.random.default_rng(seed), real, landmarks)
        changed = difference(made, real)
        assert not made.mask.any()
        assert changed.any()
        # Only glints and lashes lose more than a few grey levels.
        assert changed.mean() < 1 and (changed > 6).mean() < 0.01


DEGENERATE = {
    "in one place": np.full((68, 2), 80),
    "outside the crop": np.full((68, 2), 500) + np.random.default_rng(0).uniform(0, 100, (68, 2)),
    "on a line": np.repeat(np.linspace(0, SIDE, 68)[:, None], 2, axis=1),
    "not a number": np.full((68, 2), np.nan),
    "infinite": np.full((68, 2), np.inf),
    "huge": np.full((68, 2), 1e30),
}


@pytest.mark.parametrize("case", sorted(DEGENERATE))
@pytest.mark.parametrize("name", NAMES)
def test_landmarks_that_show_no_face_leave_the_crop_as_it_is(name, case):
    bad, (real, good), donor = DEGENERATE[case].astype(np.float32), face("a"), face("b")
    made = [MANIPULATIONS[name](np.random.default_rng(0), real, bad, *donor)]
    if name != "sbi":
        made.append(MANIPULATIONS[name](np.random.default_rng(0), real, good, donor[0], bad))
    made.append(null_fake(np.random.default_rng(0), real, bad))
    made.append(part_of_swap(np.random.default_rng(0), real, bad, donor[0]))
    for fake in made:
        assert not fake.mask.any() and np.array_equal(fake.picture, real)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    arrays(np.float32, (68, 2), elements=st.floats(-50, 210, width=32)),
    arrays(np.float32, (68, 2), elements=st.floats(-50, 210, width=32)),
    st.sampled_from(NAMES),
    st.integers(0, 99),
)
def test_any_landmarks_give_a_fake_that_is_real_outside_its_mask(landmarks, donor_landmarks, name, seed):
    real, donor = face("a")[0], face("b")[0]
    made = MANIPULATIONS[name](np.random.default_rng(seed), real, landmarks, donor, donor_landmarks)
    assert np.isfinite(made.mask).all() and made.mask.min() >= 0 and made.mask.max() <= 1
    assert not difference(made, real)[made.mask == 0].any()


def test_self_blending_needs_no_donor_and_draws_all_blend_ratios():
    real, landmarks = face("a")
    rng = np.random.default_rng(0)
    peaks = {round(float(self_blended(rng, real, landmarks).mask.max()), 2) for _ in range(60)}
    assert peaks == {0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize("side", [96, 111, 320])
@pytest.mark.parametrize("name", NAMES)
def test_any_crop_size_will_do(name, side):
    made = forge(name, 0, FaceType.FULL, side)
    assert made.picture.shape == (side, side, 3)
    assert 0.02 <= made.mask.mean() <= 0.70
