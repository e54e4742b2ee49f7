"""How sure a figure is: bootstrap over people or videos, because frames of one clip are no independent proof.

Efron & Tibshirani, "An introduction to the bootstrap", 1993, §13.3 (percentile interval); clusters are
resampled whole (Field & Welsh, JRSS B 2007).
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceswap.types import Json

# (scores, labels) of the chosen rows -> a figure.
Statistic: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.int64]], float]
_Rows: TypeAlias = NDArray[np.int64]

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile interval.

    clusters: independent ones the figure rests on. redrawn: resamples that lacked a class of the whole set
    and were drawn again; many of them say that the set is too small.
    """

    value: float
    low: float
    high: float
    clusters: int
    redrawn: int

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high

    def to_json(self) -> Json:
        """The fields by name."""
        return asdict(self)


def cluster_interval(
    statistic: Statistic,
    scores: ArrayLike,
    labels: ArrayLike,
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The percentile interval of `statistic` over resampled clusters.

    scores, labels, clusters: (N,); a cluster is an identity or a video. Where every cluster has one label
    only, reals and fakes are resampled apart (stratified); where a cluster holds both, as pairs do, clusters
    are resampled from one pot. Labels of one class only are allowed, for figures of one class.
    ValueError for other lengths, or where fewer than two clusters can be resampled: such an interval would
    be too narrow, or have no width at all.
    """
    p = np.asarray(scores, np.float64)
    return _bootstrap(lambda rows, y: statistic(p[rows], y), p.size, labels, clusters, rng, resamples, level)


def paired_interval(
    statistic: Statistic,
    scores: ArrayLike,
    other_scores: ArrayLike,
    labels: ArrayLike,
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The interval of statistic(scores) − statistic(other_scores): two arms on the same rows and resamples.

    Otherwise as `cluster_interval`. An interval without 0 says that the arms differ.
    """
    a, b = np.asarray(scores, np.float64), np.asarray(other_scores, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"the arms have {a.size} and {b.size} scores")

    def difference(rows: _Rows, y: NDArray[np.int64]) -> float:
        return statistic(a[rows], y) - statistic(b[rows], y)

    return _bootstrap(difference, a.size, labels, clusters, rng, resamples, level)


def hanley_mcneil_half_width(auc: float, fakes: int, reals: int, z: float = 1.96) -> float:
    """Half the width of an AUC's interval for independent samples: how large a test set must be.

    Hanley & McNeil, Radiology 1982, equation 1. auc in [0, 1]; z = 1.96 is 95 %.
    """
    two_fakes, two_reals = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (fakes - 1) * (two_fakes - auc**2) + (reals - 1) * (two_reals - auc**2)
    return z * math.sqrt(variance / (fakes * reals))


def _bootstrap(
    figure: Callable[[_Rows, NDArray[np.int64]], float],
    count: int,
    labels: ArrayLike,
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> Interval:
    """The interval of figure(rows, their labels), `count` rows."""
    y = np.asarray(labels, np.int64)
    if not count == y.size == len(clusters):
        raise ValueError(f"{count} scores, {y.size} labels and {len(clusters)} clusters")
    codes = _codes(clusters)
    strata = _strata(codes, y)
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    classes = np.unique(y).size
    figures, redrawn = np.empty(resamples), 0
    for index in range(resamples):
        while True:
            drawn = np.concatenate([rng.choice(stratum, stratum.size) for stratum in strata])
            rows = order[_ranges(starts[drawn], sizes[drawn])]
            if np.unique(y[rows]).size == classes:
                break
            redrawn += 1
        figures[index] = figure(rows, y[rows])
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(figure(np.arange(count), y)), float(low), float(high), sizes.size, redrawn)


def _codes(clusters: Sequence[Hashable]) -> _Rows:
    """Clusters numbered from 0 in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], np.int64)


def _strata(codes: _Rows, labels: NDArray[np.int64]) -> list[_Rows]:
    """The clusters of each label, or all clusters together where any of them holds both labels."""
    pairs = np.unique(np.stack((codes, labels)), axis=1)
    pure = pairs.shape[1] == np.unique(codes).size
    strata = [pairs[0, pairs[1] == label] for label in np.unique(labels)] if pure else [np.unique(codes)]
    if not strata or min(stratum.size for stratum in strata) < 2:
        found = " and ".join(str(stratum.size) for stratum in strata) or "none"
        raise ValueError(f"an interval needs two or more clusters{' of each label' * pure}, found {found}")
    return strata


def _ranges(starts: _Rows, sizes: _Rows) -> _Rows:
    """starts[0] … starts[0] + sizes[0] − 1, starts[1] …, without a loop."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())
