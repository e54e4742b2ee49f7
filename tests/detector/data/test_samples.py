"""What the detector is shown: pairs that differ in nothing but the forgery."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.detector.data.fakes import MANIPULATIONS
from faceswap.detector.data.manifest import read_manifest, split_of
from faceswap.detector.data.samples import PairSource
from faceswap.io.images import write_image, write_mask

ALL = tuple(MANIPULATIONS)


def source(
    folder: Path, split: str = "train", kinds: tuple[str, ...] = ALL, null_share: float = 0.0
) -> PairSource:
    items = [item for item in read_manifest(folder) if item.split == split]
    return PairSource(folder, items, kinds, out_px=64, null_share=null_share)


def test_a_batch_follows_from_seed_and_iteration_alone(toy_set: Path) -> None:
    one, again = source(toy_set), source(toy_set)
    one.batch(2, seed=1, iteration=0)  # what was drawn before must not matter
    first, second = one.batch(2, seed=1, iteration=5), again.batch(2, seed=1, iteration=5)
    assert np.array_equal(first.crops, second.crops)
    assert np.array_equal(first.masks, second.masks)
    assert not np.array_equal(first.crops, one.batch(2, seed=1, iteration=6).crops)
    assert not np.array_equal(first.crops, one.batch(2, seed=2, iteration=5).crops)


def test_reals_and_fakes_come_in_turns_as_pairs_of_one_person(toy_set: Path) -> None:
    batch = source(toy_set).batch(6, seed=0, iteration=0)
    assert batch.crops.shape == (12, 64, 64, 3)
    assert batch.labels.tolist() == [0, 1] * 6
    assert batch.people[::2] == batch.people[1::2]
    assert batch.kinds[::2] == batch.kinds[1::2]
    assert not batch.masks[::2].any()
    assert all(mask.max() > 0.2 for mask in batch.masks[1::2])


@pytest.mark.parametrize("kind", ALL)
def test_outside_the_forgery_the_members_of_a_pair_are_alike(toy_set: Path, kind: str) -> None:
    batch = source(toy_set, kinds=(kind,)).batch(6, seed=3, iteration=0)
    apart = np.abs(batch.crops[::2].astype(float) - batch.crops[1::2]).mean(-1)
    masks = batch.masks[1::2]
    inside, outside = apart[masks > 0.5].mean(), apart[masks == 0].mean()
    # JPEG and resampling carry a little of the inside out; nothing else may.
    assert outside < 2.5
    assert inside > 2 * outside


def test_null_fakes_are_reals_that_went_through_a_manipulation(toy_set: Path) -> None:
    plain = source(toy_set, null_share=0.0).batch(4, seed=4, iteration=0)
    null = source(toy_set, null_share=1.0).batch(4, seed=4, iteration=0)
    assert null.labels.tolist() == plain.labels.tolist()
    assert not null.masks[::2].any()
    assert not np.array_equal(null.crops[0], plain.crops[0])


def test_a_source_never_draws_from_two_splits(toy_set: Path) -> None:
    with pytest.raises(ValueError, match="one split"):
        PairSource(toy_set, read_manifest(toy_set), ALL, 64)
    assert all(split_of(person) == "val" for person in source(toy_set, "val").batch(8, 0, 0).people)


def test_a_manipulation_nobody_can_make_is_refused(toy_set: Path) -> None:
    with pytest.raises(ValueError, match="ae-late"):
        source(toy_set, kinds=("sbi", "ae-late"))


def test_everybody_is_drawn_about_as_often(toy_set: Path) -> None:
    drawn = [person for i in range(10) for person in source(toy_set).batch(6, 0, i).people[::2]]
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == 3
    # 60 draws of three: 20 each; four standard deviations of a binomial are under 15.
    assert counts.min() > 5


def test_a_collection_is_drawn_as_often_as_the_root_of_its_crops(toy_set: Path) -> None:
    toys = [item for item in read_manifest(toy_set) if item.split == "train"]
    # Two people with two crops each in one collection, and one of nine times as many crops in another.
    many = [replace(item, dataset="many") for item in toys if item.identity != toys[0].identity]
    few = [replace(item, dataset="few") for item in toys if item.identity == toys[0].identity]
    other = [replace(item, dataset="few", identity="toy/other") for item in few]
    items = [*(item for item in many for _ in range(9)), *few, *other]
    drawn = PairSource(toy_set, items, ("sbi",), out_px=64, null_share=0.0)
    rng = np.random.default_rng(0)
    from_few = [drawn.pair(rng).person in (few[0].identity, "toy/other") for _ in range(400)]
    # Crops 4 · 9 against 4: roots 6 and 2, so a quarter; 400 draws are known to about 2 %.
    assert np.mean(from_few) == pytest.approx(0.25, abs=0.07)


def test_who_is_alone_in_a_collection_gets_a_donor_from_another(toy_set: Path) -> None:
    toys = [item for item in read_manifest(toy_set) if item.split == "train"]
    alone = [replace(item, dataset="alone") if item.identity == toys[0].identity else item for item in toys]
    drawn = PairSource(toy_set, alone, ("affine",), out_px=64, null_share=0.0)
    rng = np.random.default_rng(0)
    assert {drawn.pair(rng).person for _ in range(60)} == {item.identity for item in toys}


def test_donors_are_lent_redrawn_only_where_that_kind_is_not_held_back(toy_set: Path, tmp_path: Path) -> None:
    reals = [item for item in read_manifest(toy_set) if item.split == "train"]
    # A redrawing nobody can overlook: wherever it is used, the fake shows it.
    green = np.zeros((160, 160, 3), np.uint8)
    green[..., 1] = 255
    write_image(tmp_path / "green.png", green)
    write_mask(tmp_path / "mask.png", np.ones((160, 160), np.float32))
    at_hand = [replace(item, file=str(toy_set / item.file)) for item in reals]
    redrawn = [
        replace(item, file="green.png", mask="mask.png", label="fake", manipulation="ae-late", twin=item.file)
        for item in at_hand
    ]

    def made_of_green(kinds: tuple[str, ...]) -> bool:
        pairs = PairSource(tmp_path, [*at_hand, *redrawn], kinds, out_px=64, null_share=0.0)
        rng = np.random.default_rng(3)
        made = [pair for pair in (pairs.pair(rng) for _ in range(30)) if pair.kind == "affine"]
        return any(np.ptp(pair.fake[pair.mask > 0.99].reshape(-1, 3), axis=0).max() < 12 for pair in made)

    assert made_of_green(("affine", "ae-late"))
    assert not made_of_green(("affine", "sbi"))
