"""Orders without memory: uniform yaw, and the recolouring's references."""

import numpy as np
import pytest

from faceswap.train.data.sampling import reference_rows, shuffled_rows, uniform_yaw_rows, yaw_bins
from faceswap.types import Side

# 60 faces to the front, 6 to one side, 2 far to the other.
YAWS = np.concatenate([np.full(60, 0.001), np.full(6, 0.5), np.full(2, -3.0)]).astype(np.float32)


def test_bins_are_dfls_and_empty_ones_are_left_out() -> None:
    # deepfacelab.md §4.2: with s = −yaw, the first bin takes all below the second of 128 edges in ±1.2.
    edges = np.linspace(-1.2, 1.2, 128)
    inside = (edges[:-1] + edges[1:]) / 2
    values = np.array([-1.3, -1.19, *inside[1:], 1.2, 5.0])
    bins = yaw_bins(-values.astype(np.float32))
    assert [len(rows) for rows in bins] == [2, *[1] * 126, 2]
    assert sum(map(len, yaw_bins(YAWS))) == len(YAWS) and len(yaw_bins(YAWS)) == 3


def test_every_side_of_the_face_comes_equally_often_and_each_face_within_it() -> None:
    bins = yaw_bins(YAWS)
    rows = uniform_yaw_rows(bins, 0, 3 * 60, seed=1, side=Side.SRC)
    counts = np.bincount(rows, minlength=len(YAWS))
    assert [int(counts[members].sum()) for members in bins] == [60, 60, 60]
    assert [set(counts[members]) for members in bins] == [{60 // len(members)} for members in bins]


@pytest.mark.parametrize("length", [1, 4, 25])
def test_a_piece_of_uniform_yaw_is_a_piece_of_the_whole(length: int) -> None:
    bins = yaw_bins(YAWS)
    whole = uniform_yaw_rows(bins, 0, 120, 5, Side.DST)
    for start in range(0, 120 - length, 11):
        piece = uniform_yaw_rows(bins, start, length, 5, Side.DST)
        assert np.array_equal(piece, whole[start : start + length])


def test_references_are_a_cycle_of_their_own() -> None:
    rows = reference_rows(20, 0, 40, seed=1).reshape(2, 20)
    assert np.array_equal(np.sort(rows, axis=1), np.tile(np.arange(20), (2, 1)))
    assert not np.array_equal(rows[0], shuffled_rows(20, 0, 20, 1, Side.DST))
