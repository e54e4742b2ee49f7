"""Training, validation and test side: shares kept, and nobody on two of them."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.detector.finetune.division import divide
from faceswap.detector.finetune.folders import Entry, read_folder, require_both, split
from faceswap.detector.finetune.prepare import Picture
from faceswap.detector.finetune.recipe import RECIPES
from faceswap.errors import UserError
from tests.detector.toy_folder import SHARES, fill


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_single_pictures_are_stratified_to_within_one(reals: int, fakes: int, seed: int) -> None:
    labels = [0] * reals + [1] * fakes
    sides = split(labels, range(len(labels)), SHARES, seed)
    count = Counter(zip(labels, sides, strict=True))
    for label, total in enumerate((reals, fakes)):
        for side, share in SHARES.items():
            assert abs(count[label, side] - share * total) <= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 15)), min_size=1, max_size=80), st.integers(0, 9))
def test_no_group_is_on_two_sides(items: list[tuple[int, int]], seed: int) -> None:
    labels, groups = zip(*items, strict=True)
    sides = split(labels, groups, SHARES, seed)
    for group in set(groups):
        assert len({side for side, other in zip(sides, groups, strict=True) if other == group}) == 1


def test_many_small_groups_keep_the_shares_of_both_classes() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(120), rng.integers(1, 9, 120))
    labels = (rng.random(len(groups)) < 0.2).astype(int)
    sides = np.array(split(labels, groups.tolist(), SHARES, 0))
    for label in (0, 1):
        for side, share in SHARES.items():
            assert (sides[labels == label] == side).mean() == pytest.approx(share, abs=0.02)


def test_a_seed_fixes_the_split_and_another_one_changes_it() -> None:
    labels = [0, 1] * 40
    first, again, other = (split(labels, range(80), SHARES, seed) for seed in (5, 5, 6))
    assert first == again != other


def test_a_side_without_a_class_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match="no fake picture left for") as told:
        labels, groups = [0] * 30 + [1] * 30, [*range(30), *([99] * 30)]
        require_both(labels, groups, split(labels, groups, SHARES, 0))
    assert "30 fake pictures come from 1 people" in str(told.value)


@settings(max_examples=10, deadline=None)
@given(st.integers(1100, 3000))
def test_the_tutorial_draws_its_subset_and_leaves_the_rest_alone(count: int) -> None:
    pictures = [Picture(Path(), Entry(Path(), str(n), n % 2, str(n), n)) for n in range(count)]
    counts = divide(pictures, RECIPES["tutorial"], 1).counts
    sums = {side: sum(by_class.values()) for side, by_class in counts.items()}
    if count >= 1400:
        assert {side: round(sums[side], -1) for side in SHARES} == {
            "train": 1000,
            "validation": 200,
            "test": 200,
        }
    else:
        assert "unused" not in sums
        assert sums["train"] == pytest.approx(count * 5 / 7, abs=2)
    assert sum(sums.values()) == count


def test_copies_of_a_picture_stay_on_one_side(real_and_fake: Path) -> None:
    fill(real_and_fake / "Real", 12, 1)
    for path in fill(real_and_fake / "Fake", 10, 2):
        for copy in range(3):
            shutil.copy(path, real_and_fake / "Fake" / f"{path.stem}_{copy}.png")
    pictures = [Picture(entry.path, entry) for entry in read_folder(real_and_fake)]
    division = divide(pictures, RECIPES["virtus"], 83)
    hashes = [{p.entry.sha256 for p in division.of(side)} for side in SHARES]
    assert all(hashes)
    assert not (hashes[0] & hashes[1] or hashes[0] & hashes[2] or hashes[1] & hashes[2])
