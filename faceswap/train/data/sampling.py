"""In which order faces are shown: endless, shuffled, and known at every place without what came before."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.types import Side

Rows = NDArray[np.int64]

# The numbers that keep the streams of one seed apart; the sides are 0 and 1.
_REFERENCES, _YAW_BIN, _RECOLOURING = 2, 3, 4
_YAW_EDGES_RAD = np.linspace(-1.2, 1.2, 128)


def shuffled_rows(count: int, start: int, length: int, seed: int, side: Side) -> Rows:
    """Entries start … start + length − 1 of an endless shuffled cycle over `count` rows.

    Every row comes once a cycle (deepfacelab.md §9.1); each has its own order, from (seed, side, cycle).
    """
    return _cycled(count, start, length, [seed, list(Side).index(side)])


def reference_rows(count: int, start: int, length: int, seed: int) -> Rows:
    """The same for the dst faces whose colours src's take on: a cycle of its own."""
    return _cycled(count, start, length, [seed, _REFERENCES])


def recolouring_rng(seed: int, place: int) -> np.random.Generator:
    """What is drawn while the src face at this place of the endless order is recoloured."""
    return np.random.default_rng([seed, _RECOLOURING, place])


def yaw_bins(yaws_rad: NDArray[np.float32]) -> list[Rows]:
    """The rows of each of 128 classes of yaw between ±1.2, the empty ones left out (deepfacelab.md §4.2)."""
    classes = np.searchsorted(_YAW_EDGES_RAD, -yaws_rad, side="right").clip(1) - 1
    return [np.flatnonzero(classes == number) for number in np.unique(classes)]


def uniform_yaw_rows(bins: Sequence[Rows], start: int, length: int, seed: int, side: Side) -> Rows:
    """Entries of an endless order in which every class of yaw comes once a cycle.

    Inside a class every face comes once in as many cycles as there are faces in it.
    """
    number = list(Side).index(side)
    chosen = _cycled(len(bins), start, length, [seed, number])
    cycles = np.arange(start, start + length) // len(bins)
    return np.array(
        [
            bins[class_][_cycled(len(bins[class_]), int(cycle), 1, [seed, _YAW_BIN, number, int(class_)])[0]]
            for class_, cycle in zip(chosen, cycles, strict=True)
        ],
        np.int64,
    )


def _cycled(count: int, start: int, length: int, key: list[int]) -> Rows:
    cycles = range(start // count, (start + length - 1) // count + 1)
    orders = [np.random.default_rng([*key, cycle]).permutation(count) for cycle in cycles]
    first = start - cycles.start * count
    return np.concatenate(orders)[first : first + length]
