"""Every face comes once a cycle, and the order depends on nothing but the seed and the position."""

import itertools
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.train.data.batches import Batches
from faceswap.train.data.samples import SampleStore
from faceswap.train.data.sampling import shuffled_rows
from faceswap.train.distributed import Share
from faceswap.train.options import StepOptions
from faceswap.types import Side


def store(count: int) -> SampleStore:
    """Row n is filled with n."""
    pixels = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 4, 4, 4))
    return SampleStore(pixels, tuple(map(str, range(count))), {})


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_every_row_comes_once_a_cycle(count: int) -> None:
    rows = shuffled_rows(count, 0, 5 * count, seed=3, side=Side.SRC).reshape(5, count)
    assert np.array_equal(np.sort(rows, axis=1), np.tile(np.arange(count), (5, 1)))


def test_cycles_sides_and_seeds_have_their_own_orders() -> None:
    orders = [shuffled_rows(50, start, 50, seed, side).tolist()
              for start in (0, 50) for seed in (1, 2) for side in Side]  # fmt: skip
    assert len({tuple(order) for order in orders}) == len(orders)


@pytest.mark.parametrize("count", [3, 10, 64])
@pytest.mark.parametrize("length", [1, 4, 25])
def test_a_piece_is_a_piece_of_the_whole_wherever_it_starts(count: int, length: int) -> None:
    whole = shuffled_rows(count, 0, 300, seed=5, side=Side.DST)
    for start in range(0, 300 - length, 7):
        assert np.array_equal(shuffled_rows(count, start, length, 5, Side.DST), whole[start : start + length])


def test_prefetched_batches_are_the_drawn_ones_and_do_not_count() -> None:
    batches = Batches(store(10), store(7), batch_size=4, seed=1)
    followed = list(itertools.islice(batches.follow(seen=8), 5))
    again = list(itertools.islice(batches.follow(seen=8 + 4 * 3), 2))
    for index, batch in enumerate(followed):
        drawn = batches.draw(8 + 4 * index)
        assert torch.equal(batch.src, drawn.src) and torch.equal(batch.dst, drawn.dst)
    assert torch.equal(again[0].src, followed[3].src), (
        "a new start after three batches goes on with the fourth"
    )


def test_a_batch_larger_than_the_set_repeats_faces_evenly() -> None:
    batch = Batches(store(3), store(2), batch_size=6, seed=0).draw(0)
    assert np.bincount(batch.src[:, 0, 0, 0]).tolist() == [2, 2, 2]
    assert np.bincount(batch.dst[:, 0, 0, 0]).tolist() == [3, 3]


def test_the_thread_ends_with_the_iterator_and_its_error_reaches_the_loop() -> None:
    before = threading.active_count()
    follow = Batches(store(5), store(5), batch_size=2, seed=0).follow(0)
    next(follow)
    follow.close()
    assert threading.active_count() == before
    broken = SampleStore(np.zeros((1, 4, 4, 4), np.uint8), ("a", "b", "c"), {})
    with pytest.raises(IndexError):
        list(itertools.islice(Batches(broken, store(5), 3, 0).follow(0), 3))


def real_store(faceset_of: np.random.Generator, count: int) -> SampleStore:
    """Smooth faces of several yaws."""
    colours = faceset_of.integers(0, 256, (count, 1, 1, 4)) + np.arange(16)[:, None, None] * 3
    pixels = np.broadcast_to(colours, (count, 16, 16, 4)).clip(0, 255).astype(np.uint8)
    yaws = np.linspace(-1, 1, count, dtype=np.float32) ** 3
    landmarks = np.broadcast_to((HEAD_MODEL[:, :2] * 0.05 + 8), (count, 68, 2)).astype(np.float32)
    return SampleStore(pixels, tuple(map(str, range(count))), {}, landmarks=landmarks, yaws=yaws)


@pytest.mark.parametrize(
    "options", [{"color_transfer": "sot"}, {"uniform_yaw": True}, {"eyes_mouth_priority": True}], ids=str
)
def test_options_leave_batches_without_memory(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    src, dst = real_store(rng, 9), real_store(rng, 6)
    batches = Batches(src, dst, 4, seed=1, options=StepOptions(**options))
    first = list(itertools.islice(batches.follow(seen=0), 4))
    again = list(itertools.islice(batches.follow(seen=8), 2))
    assert torch.equal(first[2].src, again[0].src) and torch.equal(first[3].dst, again[1].dst)
    usual = Batches(src, dst, 4, seed=1).draw(8)
    if options.keys() == {"eyes_mouth_priority"}:
        assert again[0].src_eyes_mouth is not None and again[0].src_eyes_mouth.shape == (4, 128, 128)
    else:
        assert usual.src_eyes_mouth is None and not torch.equal(usual.src, again[0].src)


@pytest.mark.parametrize("options", [{"color_transfer": "sot"}, {"uniform_yaw": True}], ids=str)
def test_processes_draw_together_what_one_would(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    src, dst = real_store(rng, 9), real_store(rng, 6)
    alone = Batches(src, dst, 4, seed=1, options=StepOptions(**options))
    whole, parts = alone.draw(12), [replace(alone, share=Share(rank, 2)).draw(12) for rank in range(2)]
    assert torch.equal(whole.src, torch.cat([part.src for part in parts]))
    assert torch.equal(whole.dst, torch.cat([part.dst for part in parts]))


def test_recolouring_changes_src_alone_and_not_the_store() -> None:
    rng = np.random.default_rng(0)
    src, dst = real_store(rng, 4), real_store(rng, 4)
    before = src.pixels.copy()
    usual, recoloured = (
        Batches(src, dst, 4, seed=1, options=StepOptions(color_transfer=mode)).draw(0)
        for mode in ("none", "lct")
    )
    assert not torch.equal(usual.src[..., :3], recoloured.src[..., :3])
    assert torch.equal(usual.src[..., 3], recoloured.src[..., 3]) and torch.equal(usual.dst, recoloured.dst)
    assert np.array_equal(src.pixels, before)
