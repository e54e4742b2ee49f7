"""The self-test: how detectable a finished swap is, frame by frame, degraded, explained, and controlled.

Everything is measured on finished pictures. What is needed of a long clip is kept for a fixed number of
frames; of the rest only scores stay.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.console import progress
from faceswap.detector.degrade import GRID, degrade
from faceswap.detector.explain import Map, deletion, explain
from faceswap.detector.intervals import Interval, cluster_interval
from faceswap.detector.judge import Judge, fit
from faceswap.detector.localisation import Localisation
from faceswap.detector.metrics import auc, rates_at, video_score
from faceswap.detector.pairs import Pair

# Pairs kept for what needs pixels: enough for an AUC, and for the grid to end in minutes on two cores.
KEPT = 64
# Frames that follow each other look alike: an interval counts stretches, not frames, as independent.
_STRETCH, _SHORT_STRETCH, _SHORT_CLIP = 16, 8, 64
SHOWN = 8
SEED = 0


@dataclass(frozen=True)
class Row:
    """One face of one frame: P(fake) of the untouched and of the finished one, and where it is (px)."""

    frame: str
    face: int
    real: float
    fake: float
    box: tuple[float, float, float, float]


@dataclass
class SelfTest:
    """Everything the report shows."""

    rows: list[Row] = field(default_factory=list)
    kept: list[Pair] = field(default_factory=list)
    headline: dict[str, Any] = field(default_factory=dict)
    grid: list[dict[str, Any]] = field(default_factory=list)
    controls: dict[str, Any] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    explanations: dict[str, Any] = field(default_factory=dict)
    spectra: dict[str, list[float]] = field(default_factory=dict)


def run_selftest(pairs: Iterable[Pair], count: int, judge: Judge, threshold: float) -> SelfTest:
    """Judge `count` pairs; threshold: P(fake) that was frozen on validation reals."""
    test = SelfTest()
    every = max(1, count // KEPT)
    for index, pair in enumerate(progress(pairs, "judge", "faces", count)):
        real, fake = judge([pair.real, pair.fake])
        left, top = pair.landmarks.min(axis=0)
        right, bottom = pair.landmarks.max(axis=0)
        box = (float(left), float(top), float(right), float(bottom))
        test.rows.append(Row(pair.frame, pair.face, real.score, fake.score, box))
        if index % every == 0 and len(test.kept) < KEPT:
            test.kept.append(pair)
    test.headline = headline(test.rows, threshold)
    test.controls = controls(test, judge)
    test.grid = grid(test.kept, judge, threshold)
    test.maps, test.explanations = explanations(test.kept, judge)
    test.spectra = {
        name: spectrum([getattr(pair, name) for pair in test.kept]).tolist() for name in ("real", "fake")
    }
    return test


def headline(rows: list[Row], threshold: float) -> dict[str, Any]:
    """AUC with its interval, rates at the frozen threshold, and the clip's own score."""
    scores, labels, segments = _flat(rows)
    found = _interval(scores, labels, segments)
    rates = rates_at(scores, labels, threshold)
    clip, untouched = video_score([row.fake for row in rows]), video_score([row.real for row in rows])
    return {
        "auc": float(auc(scores, labels)),
        "interval": found and found.to_json(),
        "threshold": threshold,
        "tpr": rates.tpr,
        "fpr": rates.fpr,
        "clip_score": clip and clip.mean,
        "untouched_score": untouched and untouched.mean,
        "faces": len(rows),
    }


def controls(test: SelfTest, judge: Judge) -> dict[str, Any]:
    """What must not be detected: real against real, and labels that mean nothing."""
    rng = np.random.default_rng(SEED)
    reals = np.array([row.real for row in test.rows])
    segments = np.arange(len(reals)) // stretch_frames(len(reals))
    # Every second stretch of the untouched clip plays the fake.
    played = (segments % 2).astype(np.int64)
    scores, _, flat_segments = _flat(test.rows)
    shuffled = np.array([rng.permutation(2) for _ in test.rows]).reshape(-1)
    # The finished frames' codec without their swap: untouched crops through the same kind of file.
    again = degrade("h264", GRID["h264"][0], [pair.real for pair in test.kept], rng)
    null = [verdict.score for verdict in judge(again)]
    kept = [verdict.score for verdict in judge(pair.real for pair in test.kept)]
    null_labels = np.repeat([0, 1], len(kept))
    found = {
        "real_against_real": _interval(reals, played, segments.tolist()),
        "null_fake": _interval(np.array(kept + null), null_labels, [*range(len(kept))] * 2),
        "shuffled_labels": _interval(scores, shuffled, flat_segments),
    }
    return {name: value and value.to_json() for name, value in found.items()}


def grid(kept: list[Pair], judge: Judge, threshold: float) -> list[dict[str, Any]]:
    """AUC, and rates at the frozen threshold, after every degradation at every level."""
    cells = [(name, level) for name, levels in GRID.items() for level in levels]
    found = []
    for name, level in progress(cells, "degradations", "cells", len(cells)):
        # The same state for reals and fakes: the same noise and shifts.
        real, fake = (
            [v.score for v in judge(degrade(name, level, crops, np.random.default_rng(SEED)))]
            for crops in ([pair.real for pair in kept], [pair.fake for pair in kept])
        )
        scores, labels = np.array(real + fake), np.repeat([0, 1], len(kept))
        rates = rates_at(scores, labels, threshold)
        cell = {"name": name, "level": level, "auc": float(auc(scores, labels))}
        found.append(cell | {"tpr": rates.tpr, "fpr": rates.fpr})
    return found


def explanations(kept: list[Pair], judge: Judge) -> tuple[dict[str, Map], dict[str, Any]]:
    """The maps of every kept fake by method, and how well each finds the mask and decides the score."""
    crops = np.stack([fit(pair.fake, judge.detector.input_px) for pair in kept])
    maps = explain(judge.detector, crops)
    masks = [pair.mask for pair in kept]
    found: dict[str, Any] = {}
    for name, heat in maps.items():
        try:
            where = Localisation.of(heat, masks).to_json()
        except ValueError:
            # A merge that changed nothing has no place to point at.
            where = None
        found[name] = {"localisation": where, "deletion": deletion(judge.detector, crops, heat).tolist()}
    return maps, found


def spectrum(crops: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(S/2,) mean log10 power by radius of the grey crops' Fourier transform, from low to high frequency."""
    side = crops[0].shape[0]
    window = np.outer(np.hanning(side), np.hanning(side))
    offset = np.arange(side) - side // 2
    radius = np.hypot(*np.meshgrid(offset, offset)).astype(np.int64)
    inside = radius < side // 2
    total = np.zeros(side // 2)
    for crop in crops:
        grey = crop.astype(np.float64).mean(axis=2) / 255
        power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window))) ** 2
        sums = np.bincount(radius[inside], power[inside], side // 2)
        total += np.log10(sums / np.bincount(radius[inside], minlength=side // 2) + 1e-12)
    return total / len(crops)


def stretch_frames(count: int) -> int:
    """How many frames that follow each other count as one in the interval of a clip of `count` faces."""
    return _SHORT_STRETCH if count < _SHORT_CLIP else _STRETCH


def verdict_in_words(test: SelfTest, promised_fpr: float) -> str:
    """One sentence a person can take away, with its uncertainty."""
    found, span = test.headline, test.headline["interval"]
    how_sure = f"AUC {found['auc']:.2f}"
    if span:
        how_sure += f", 95 % between {span['low']:.2f} and {span['high']:.2f}"
    caught = f"{100 * found['tpr']:.0f} % of its faces are called fake"
    wrong = f"{100 * found['fpr']:.0f} % of the untouched ones (promised: {100 * promised_fpr:.0f} %)"
    low = span["low"] if span else found["auc"]
    if low >= 0.9:
        return f"Detected with confidence by this detector: {caught}, and {wrong}; {how_sure}."
    if low > 0.6:
        return f"Partly detected by this detector: {caught}, and {wrong}; {how_sure}."
    return (
        f"Not reliably detected by this detector: {caught}, and {wrong}; {how_sure}. "
        "That is no evidence of authenticity: stronger detectors exist."
    )


def _flat(rows: list[Row]) -> tuple[NDArray[np.float64], NDArray[np.int64], list[int]]:
    """Scores, labels and segments of untouched and finished faces in turns."""
    scores = np.array([[row.real, row.fake] for row in rows]).reshape(-1)
    labels = np.tile(np.array([0, 1], np.int64), len(rows))
    return scores, labels, (np.repeat(np.arange(len(rows)), 2) // stretch_frames(len(rows))).tolist()


def _interval(scores: NDArray[np.float64], labels: NDArray[np.int64], clusters: list[int]) -> Interval | None:
    """The AUC's interval; None for clips too short to have one."""
    try:
        return cluster_interval(auc, scores, labels, clusters, np.random.default_rng(SEED))
    except ValueError:
        return None
