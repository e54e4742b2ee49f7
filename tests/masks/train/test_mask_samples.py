"""Training pictures for masks: drawn from (seed, index) alone, and never face where something covers it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.augment.filters import random_circle, shift_hsv, shift_levels
from faceswap.augment.occluders import _KINDS, Layer, _look, cover, occlude
from faceswap.augment.warp import TransformRanges
from faceswap.masks.train.augment import Augmenter, AugmentSettings
from faceswap.masks.train.data import MaskSamples, Sample, Tag, read_samples, write_samples
from faceswap.masks.train.losses import mask_iou, mask_loss

SIDE = 64
STILL = AugmentSettings(TransformRanges(0, 0, 0), mix=0, occlude=0, replace=0, look=0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> MaskSamples:
    """Six samples of 80 px around crops of 64 px: a red disc, the face, before grey."""
    folder = tmp_path_factory.mktemp("samples")
    return write_samples(
        folder, 80, SIDE, ((drawn(index), Tag("drawn", "", str(index))) for index in range(6))
    )


def drawn(index: int) -> Sample:
    mask = np.zeros((80, 80), np.uint8)
    cv2.circle(mask, (40 + index, 40), 20, 255, -1)
    picture = np.full((80, 80, 3), 90, np.uint8)
    picture[mask > 0] = (200, 40 + index, 40)
    return Sample(picture, np.dstack([mask, np.full_like(mask, 255)]))


def first_of(augmenter: Augmenter, seed: int | list[int]) -> tuple[np.ndarray, np.ndarray]:
    pictures, masks = augmenter.draw(np.random.default_rng(seed), 2)
    assert len(pictures) == len(masks) == 2
    return pictures[0], masks[0]


def face() -> tuple[np.ndarray, np.ndarray]:
    one = drawn(0)
    return one.picture, one.layers[..., 0].astype(np.float32) / 255


def test_samples_come_back_from_disk_as_they_were_written(samples: MaskSamples, tmp_path: Path) -> None:
    write_samples(tmp_path, 80, SIDE, ((drawn(index), Tag("a", "b", str(index))) for index in range(2)))
    again = read_samples(tmp_path)
    assert again is not None
    assert (len(again), again.size_px, again.crop_px, again.tags[1]) == (2, 80, SIDE, Tag("a", "b", "1"))
    assert np.array_equal(again[1].picture, drawn(1).picture)
    assert np.array_equal(again[1].layers, drawn(1).layers)
    assert len(write_samples(tmp_path, 80, SIDE, [])) == 0


def test_a_batch_depends_on_seed_and_index_alone(samples: MaskSamples) -> None:
    augmenter, other = (Augmenter(samples, AugmentSettings(occlude=1.0), SIDE) for _ in range(2))
    for index in (3, 0, 7):
        picture, mask = first_of(augmenter, [5, index])
        same_picture, same_mask = first_of(other, [5, index])
        assert np.array_equal(picture, same_picture)
        assert np.array_equal(mask, same_mask)
        assert picture.shape == (SIDE, SIDE, 3) and mask.shape == (SIDE, SIDE)
        assert mask.dtype == np.float32 and 0 <= mask.min() <= mask.max() <= 1
    first, second = (first_of(augmenter, [5, index])[0] for index in (0, 1))
    assert not np.array_equal(first, second)


def test_picture_and_mask_are_moved_and_bent_as_one(samples: MaskSamples) -> None:
    moved = AugmentSettings(TransformRanges(30, 0.1, 0.1), mix=0, occlude=0, look=0)
    augmenter = Augmenter(samples, moved, SIDE)
    for index in range(8):
        picture, mask = first_of(augmenter, index)
        red = (picture[..., 0].astype(int) - picture[..., 2] > 80).astype(np.float32)
        assert mask_iou(red, mask) > 0.94


def test_nothing_drawn_leaves_the_crop_in_the_middle_of_the_sample() -> None:
    flat = MaskSamples(np.zeros((0, 0), np.uint8), 80, SIDE, ())
    one = drawn(0)
    pixels = np.concatenate([one.picture.ravel(), one.layers.ravel()])[None]
    augmenter = Augmenter(MaskSamples(pixels, flat.size_px, flat.crop_px, (Tag("", "", ""),)), STILL, SIDE)
    # The elastic warp has no switch: the middle of large areas stays where it is.
    _, mask = first_of(augmenter, 1)
    assert mask[32, 32] == 1 and mask[2, 2] == 0
    assert abs(mask.sum() - np.pi * 20**2) < 200


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_occluders_only_ever_take_from_the_mask_and_leave_some_of_it(seed: int) -> None:
    picture, mask = face()
    texture = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    before = texture.copy()
    shown, left = occlude(picture, mask, [texture], np.random.default_rng(seed))
    assert np.array_equal(texture, before)
    assert (left <= mask + 1e-6).all()
    assert left.sum() > 0.02 * mask.sum()
    assert shown.shape == picture.shape and shown.dtype == np.uint8
    # What still counts wholly as face shows the face or a shadow on it, nothing brighter.
    kept = left > 0.999
    assert (shown[kept].astype(int) <= picture[kept].astype(int) + 1).all()


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_every_kind_of_thing_covers_some_of_some_faces(kind) -> None:
    picture, mask = face()
    taken = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        scene = _look(picture, mask, [np.zeros((96, 96, 3), np.uint8)], random)
        assert scene is not None
        taken.append(mask.sum() - cover(picture, mask, kind(scene, random))[1].sum())
    assert max(taken) > 5


def test_what_a_layer_hides_is_cut_from_the_mask_and_painted() -> None:
    picture, mask = face()
    alpha = np.zeros((80, 80), np.uint8)
    alpha[:, :40] = 255
    shown, left = cover(picture, mask, Layer(alpha, np.full_like(picture, 7)))
    assert (shown[:, :40] == 7).all() and np.array_equal(shown[:, 40:], picture[:, 40:])
    assert (left[:, :40] == 0).all() and np.array_equal(left[:, 40:], mask[:, 40:])


def test_a_picture_without_a_face_stays_as_it_is() -> None:
    picture, mask = face()
    shown, left = occlude(picture, np.zeros_like(mask), [picture], np.random.default_rng(0))
    assert np.array_equal(shown, picture) and not left.any()


def test_another_background_shows_only_beyond_the_figure(samples: MaskSamples) -> None:
    one = drawn(0)
    one.layers[..., 1] = one.layers[..., 0]
    pixels = np.concatenate([one.picture.ravel(), one.layers.ravel()])[None]
    alone = MaskSamples(pixels, 80, SIDE, (Tag("", "", ""),))
    replaced = AugmentSettings(TransformRanges(0, 0, 0), mix=0, occlude=0, replace=1, look=0)
    green = np.zeros((96, 96, 3), np.uint8)
    picture, mask = first_of(Augmenter(alone, replaced, SIDE, [green]), 0)
    assert (picture[mask > 0.99][:, 0] > 150).all()
    assert not (picture[mask == 0] == 90).all(1).any()


def test_sources_are_drawn_by_their_shares(samples: MaskSamples) -> None:
    tags = tuple(Tag("rare" if row == 0 else "common", "", "") for row in range(6))
    mixed = MaskSamples(samples.pixels, 80, SIDE, tags)
    augmenter = Augmenter(mixed, AugmentSettings(shares={"rare": 0.5, "common": 0.5, "absent": 9}), SIDE)
    random = np.random.default_rng(0)
    rows = [augmenter._row(random) for _ in range(400)]
    assert 0.4 < rows.count(0) / 400 < 0.6


def test_a_circle_is_one_at_its_centre_and_falls_outwards() -> None:
    for seed in range(20):
        circle = random_circle(SIDE, np.random.default_rng(seed))
        assert circle.shape == (SIDE, SIDE) and 0 <= circle.min() <= circle.max() <= 1


def test_colour_changes_keep_shape_and_range(samples: MaskSamples) -> None:
    for change in (shift_hsv, shift_levels):
        changed = change(drawn(0).picture, np.random.default_rng(1))
        assert changed.shape == (80, 80, 3) and changed.dtype == np.uint8
        assert not np.array_equal(changed, drawn(0).picture)


def test_the_loss_is_least_where_the_mask_is_right() -> None:
    import torch

    truth = (torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    right, wrong, unsure = (
        mask_loss(logits, truth) for logits in (40 * truth - 20, 20 - 40 * truth, 0 * truth)
    )
    assert right < 1e-3 < unsure < wrong
    assert mask_loss((40 * truth - 20).bfloat16(), truth).dtype == torch.float32


def test_iou_counts_inside_the_scored_area() -> None:
    first, second, scored = (np.zeros((2, 4), np.float32) for _ in range(3))
    first[0], second[:, :2], scored[:, :3] = 1, 1, 1
    assert mask_iou(first, second) == pytest.approx(2 / 6)
    assert mask_iou(first, second, scored) == pytest.approx(2 / 5)
    assert mask_iou(0 * first, 0 * first) == 1
