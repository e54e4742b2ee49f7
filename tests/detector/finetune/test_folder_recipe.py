"""What an epoch shows, how its pictures are turned, and how fast is learned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceswap.detector.finetune.folders import TEST, TRAIN, VALIDATION
from faceswap.detector.finetune.recipe import augment, epoch_order, rate
from faceswap.io.images import write_image
from tests.detector.toy_tuning import QUICK, division_of, toy


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_balance_shows_both_classes_equally_often_and_every_picture(
    reals: int, fakes: int, seed: int
) -> None:
    labels = np.array([0] * reals + [1] * fakes)
    plain = epoch_order(labels, False, np.random.default_rng(seed))
    assert sorted(plain) == list(range(reals + fakes))
    shown = np.bincount(epoch_order(labels, True, np.random.default_rng(seed)), minlength=len(labels))
    assert shown[labels == 0].sum() == shown[labels == 1].sum() == max(reals, fakes)
    for label in (0, 1):
        assert shown[labels == label].min() >= 1
        assert np.ptp(shown[labels == label]) <= 1


def test_balancing_a_rare_class_repeats_nothing_across_the_sides(tmp_path: Path) -> None:
    # Virtus repeats before it splits: with ten fakes among a hundred reals their copies are everywhere.
    for name, count in (("Real", 100), ("Fake", 10)):
        (tmp_path / name).mkdir()
        for number in range(count):
            write_image(tmp_path / name / f"{number}.png", toy(number, name == "Fake"))
    division = division_of(tmp_path)
    hashes = {side: {p.entry.sha256 for p in division.of(side)} for side in (TRAIN, VALIDATION, TEST)}
    assert division.counts == {
        "train": {"Real": 60, "Fake": 6},
        "validation": {"Real": 20, "Fake": 2},
        "test": {"Real": 20, "Fake": 2},
    }
    order = epoch_order(np.array([p.entry.label for p in division.of(TRAIN)]), True, np.random.default_rng(0))
    shown = {division.of(TRAIN)[row].entry.sha256 for row in order}
    assert shown == hashes[TRAIN]
    assert not shown & (hashes[VALIDATION] | hashes[TEST])


def test_a_turned_picture_has_black_corners_and_an_unchanged_middle_colour() -> None:
    flat = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    corners = 0
    for seed in range(20):
        turned = augment(flat, np.random.default_rng(seed))
        assert turned.shape == flat.shape
        assert (turned[24:40, 24:40] == flat[0, 0]).all()
        corners += int((turned[0, 0] == 0).all())
    assert corners > 10


def test_pictures_are_turned_either_way_by_up_to_90_degrees() -> None:
    # A bright dot east of the centre says how far it went; counter-clockwise is up.
    picture = np.zeros((65, 65, 3), np.uint8)
    picture[30:35, 52:57] = 255
    angles = []
    for seed in range(200):
        rows, columns = np.nonzero(augment(picture, np.random.default_rng(seed))[..., 0] > 128)
        angles.append(np.degrees(np.arctan2(32 - rows.mean(), columns.mean() - 32)))
    assert -91 < min(angles) < -80
    assert 80 < max(angles) < 91
    assert np.mean(np.array(angles) > 0) == pytest.approx(0.5, abs=0.12)


def test_transforms_are_torchvisions() -> None:
    functional = pytest.importorskip("torchvision.transforms.functional")
    picture = toy(1, True)
    sharpened = 0
    for seed in range(12):
        angle = np.random.default_rng(seed).uniform(-90, 90)
        turned = functional.rotate(Image.fromarray(picture), angle)
        sharp = functional.adjust_sharpness(turned, 2)
        made = augment(picture, np.random.default_rng(seed))
        assert (made == np.array(turned)).all() or (made == np.array(sharp)).all()
        sharpened += int((made == np.array(sharp)).all())
    assert 0 < sharpened < 12


def test_the_rate_climbs_over_the_warm_up_and_falls_to_zero() -> None:
    recipe = replace(QUICK, learning_rate=1.0, warm_up=10)
    assert [rate(recipe, at, 110) for at in (0, 5, 10, 60, 109)] == pytest.approx([0, 0.5, 1, 0.5, 0.01])
    # A short training is not all warm-up.
    assert rate(recipe, 2, 20) == pytest.approx(1)
    assert rate(replace(recipe, warm_up=0), 0, 110) == 1
