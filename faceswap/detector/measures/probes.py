"""Shortcut probes: can something that is no forgery tell reals from fakes?

Each probe is a logistic regression on one cheap kind of feature, judged on people it has not seen. A set
on which a probe does well would teach a detector that shortcut. Crops are (S, S, 3) uint8 RGB, S ≥ 32.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from faceswap.augment.blending import composite
from faceswap.console import progress
from faceswap.detector.data.samples import DrawnPair, Pairs
from faceswap.detector.measures.evaluation import EXAM_STRENGTH
from faceswap.types import Mask

Crop = NDArray[np.uint8]
Features = NDArray[np.float64]

# A probe above this says that the set leaks.
LIMIT = 0.60
RING_PX = 12
FOLDS = 5
_JPEG_BLOCK_PX = 8
_RADII = 24
_LEVELS = 16


def block_features(crop: Crop) -> Features:
    """(16,) log of the mean step between neighbours at each phase of an 8 px grid, across then down.

    JPEG codes blocks of 8 px: steps over their borders differ from those within. Relative to the mean step.
    """
    grey = _grey(crop)
    features = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=1 - axis)).mean(axis=axis)
        phases = np.array([steps[phase::_JPEG_BLOCK_PX].mean() for phase in range(_JPEG_BLOCK_PX)])
        features.append(np.log(phases + 1e-3) - np.log(steps.mean() + 1e-3))
    return np.concatenate(features)


def spectrum_features(crop: Crop) -> Features:
    """(24,) log power of the grey crop under a Hann window, averaged over rings of equal frequency.

    Rings are equal steps from 0 to the Nyquist frequency, without the mean (Durall et al., CVPR 2020, §3.1).
    """
    grey = _grey(crop)
    height, width = grey.shape
    windowed = (grey - grey.mean()) * np.hanning(height)[:, None] * np.hanning(width)
    power = np.square(np.abs(np.fft.fft2(windowed)))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) / 0.5
    ring = (radius * _RADII).astype(np.int64)
    kept = (ring < _RADII) & (radius > 0)
    sums = np.bincount(ring[kept], weights=power[kept], minlength=_RADII)
    # A small crop has no frequency in some rings.
    counts = np.maximum(np.bincount(ring[kept], minlength=_RADII), 1)
    return np.asarray(np.log(sums / counts + 1e-3), np.float64)


def border_features(crop: Crop) -> Features:
    """(9,) mean, deviation and mean step between neighbours of each channel in the outer 12 px."""
    inside = (slice(RING_PX, -RING_PX),) * 2
    ring = np.ones(crop.shape[:2], bool)
    ring[inside] = False
    steps = np.abs(np.diff(crop.astype(np.float64), axis=1, append=crop[:, -1:]))
    return np.concatenate((crop[ring].mean(axis=0), crop[ring].std(axis=0), steps[ring].mean(axis=0)))


def histogram_features(crop: Crop) -> Features:
    """(48,) shares of the pixels in 16 equal ranges of each channel."""
    counts = [np.bincount(channel, minlength=256) for channel in _channels(crop)]
    ranges = np.concatenate(counts).reshape(-1, 256 // _LEVELS).sum(axis=1)
    return np.asarray(ranges / crop[..., 0].size, np.float64)


def parity_features(crop: Crop) -> Features:
    """(18,) of each channel: shares of the four lowest-two-bit patterns, of neighbours with equal lowest bit,
    and how ragged the histogram is: rounding and range changes leave gaps and teeth in it."""
    features = []
    for plane, values in zip(np.moveaxis(crop, 2, 0), _channels(crop), strict=True):
        features += (np.bincount(values & 3, minlength=4) / values.size).tolist()
        features.append(float((plane[:, 1:] & 1 == plane[:, :-1] & 1).mean()))
        histogram = np.bincount(values, minlength=256) / values.size
        features.append(float(np.abs(np.diff(histogram, n=2)).sum()))
    return np.array(features)


PROBES: dict[str, Callable[[Crop], Features]] = {
    "blocks": block_features,
    "spectrum": spectrum_features,
    "border": border_features,
    "histogram": histogram_features,
    "parity": parity_features,
}


def run_probes(
    crops: Iterable[Crop],
    labels: ArrayLike,
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    numbers: Mapping[str, ArrayLike] | None = None,
) -> dict[str, float]:
    """The AUC of every probe, 0.5 = the set does not leak this way, `LIMIT` = too much.

    labels: (N,), 1 = fake. groups: (N,) identities; both members of a pair belong to one. numbers: what is
    known beside the pixels, (N,) or (N, K) each, such as file size or the box's width and aspect: a probe
    each. ValueError as for `probe_auc`.
    """
    rows: dict[str, list[Features]] = {name: [] for name in PROBES}
    for crop in crops:
        for name, features in PROBES.items():
            rows[name].append(features(crop))
    seed = int(rng.integers(2**31))
    tables = {name: np.array(found) for name, found in rows.items()}
    for name, values in (numbers or {}).items():
        if name in PROBES:
            raise ValueError(f"{name!r} is the name of a probe of pixels")
        tables[name] = np.asarray(values, np.float64).reshape(len(groups), -1)
    return {name: probe_auc(table, labels, groups, seed) for name, table in tables.items()}


def probe_auc(
    features: ArrayLike, labels: ArrayLike, groups: Sequence[Hashable], seed: int, folds: int = FOLDS
) -> float:
    """Mean AUC over folds of a standardised logistic regression that never saw the group it judges.

    features: (N, K). Fewer folds where a class has fewer groups than `folds`. ValueError for lengths that
    differ, a class with fewer than two groups, or a fold that got one class only.
    """
    x, y = np.asarray(features, np.float64), np.asarray(labels, np.int64)
    if not len(x) == len(y) == len(groups):
        raise ValueError(f"{len(x)} rows of features, {len(y)} labels and {len(groups)} groups")
    names = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    codes = np.array([names[group] for group in groups], np.int64)
    folds = min(folds, *(np.unique(codes[y == label]).size for label in (0, 1)))
    if folds < 2:
        raise ValueError("a probe needs reals and fakes of two or more groups each")
    # On problems this small the threads of the default solver wait for each other ten times longer.
    model = make_pipeline(StandardScaler(), LogisticRegression(solver="liblinear", max_iter=1000))
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = list(splits.split(x, y, codes))
    if any(np.unique(y[part]).size < 2 for pair in parts for part in pair):
        raise ValueError("the groups cannot be divided so that every fold holds reals and fakes")
    return float(cross_val_score(model, x, y, cv=parts, scoring="roc_auc").mean())


def sharpness(crop: Crop, mask: Mask) -> float:
    """The variance of the grey crop's Laplacian where `mask` (S, S) is above one half."""
    return float(cv2.Laplacian(_grey(crop), cv2.CV_32F)[mask > 0.5].var())


def match_sharpness(crop: Crop, other: Crop, mask: Mask) -> Crop:
    """`crop` blurred under `mask` (S, S) until it is no sharper there than `other`; never sharpened."""
    if not (mask > 0.5).any() or sharpness(crop, mask) <= (wanted := sharpness(other, mask)):
        return crop
    low, high = 0.05, 8.0
    for _ in range(10):
        middle = (low + high) / 2
        softer = sharpness(_blurred(crop, middle, mask), mask) <= wanted
        low, high = (low, middle) if softer else (middle, high)
    return _blurred(crop, high, mask)


def _blurred(crop: Crop, sigma_px: float, mask: Mask) -> Crop:
    return composite(crop, np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma_px), np.uint8), mask)


def _grey(crop: Crop) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)


def _channels(crop: Crop) -> list[NDArray[np.int64]]:
    """The values of red, green and blue, (S·S,) each."""
    return list(crop.reshape(-1, 3).T.astype(np.int64))


# An autoencoder's fakes are soft, which every probe of detail sees and which is no leak (detection.md §6).
_SOFT = "ae"
_PAIRS_A_BATCH = 32


@dataclass(frozen=True, eq=False)
class Matched(Pairs):
    """Pairs whose reals are, before the tail, as soft under the mask as their fakes: blur tells nothing."""

    pairs: Pairs

    @property
    def manipulations(self) -> Sequence[str]:  # type: ignore[override]
        return self.pairs.manipulations

    @property
    def out_px(self) -> int:  # type: ignore[override]
        return self.pairs.out_px

    @property
    def null_share(self) -> float:  # type: ignore[override]
        return self.pairs.null_share

    def pair(self, rng: np.random.Generator) -> DrawnPair:
        drawn = self.pairs.pair(rng)
        soft = match_sharpness(drawn.real.picture, drawn.fake, drawn.mask)
        return drawn._replace(real=drawn.real._replace(picture=soft))

    def only(self, kind: str) -> "Matched":
        return Matched(self.pairs.only(kind))


def probe_pairs(source: Pairs, pairs: int, seed: int) -> dict[str, dict[str, float]]:
    """The AUC of every probe by manipulation, on `pairs` pairs of each; an autoencoder's are matched."""
    found = {}
    for number, kind in enumerate(progress(source.manipulations, "probes", "manipulations")):
        one_kind = source.only(kind)
        if kind.partition("-")[0] == _SOFT:
            one_kind = Matched(one_kind)
        crops: list[Crop] = []
        people: list[str] = []
        for start in range(0, pairs, _PAIRS_A_BATCH):
            count = min(_PAIRS_A_BATCH, pairs - start)
            batch = one_kind.batch(count, seed + 1_000_003 * number, start, EXAM_STRENGTH)
            crops += list(batch.crops)
            people += batch.people
        found[kind] = run_probes(crops, np.tile([0, 1], pairs), people, np.random.default_rng(seed))
    return found


def leaking(found: dict[str, dict[str, float]]) -> list[str]:
    """A line for each probe that tells reals from fakes better than LIMIT."""
    return [
        f"{kind}: {probe} {auc:.3f}"
        for kind, probes in found.items()
        for probe, auc in probes.items()
        if auc > LIMIT
    ]
