"""The parts of a self-test that need pixels: degradations, controls, maps, spectra; and its calibration."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from faceswap.augment.degrade import GRID, degrade
from faceswap.console import progress
from faceswap.detector.data.fakes import null_fake
from faceswap.detector.data.manifest import LIMIT, Hashes, from_text, near
from faceswap.detector.data.pairs import Pair
from faceswap.detector.measures.calibration import apply_temperature, ppv, reliability
from faceswap.detector.measures.localisation import Localisation
from faceswap.detector.measures.metrics import MINIMUM_FRAMES, auc, brier, rates_at
from faceswap.detector.network.judge import Judge, Map, deletion, explain, fit
from faceswap.detector.network.model import Shipped
from faceswap.detector.selftest.findings import (
    SEED,
    Cell,
    Contamination,
    Explanation,
    Figure,
    Headline,
    Spectra,
    Trust,
    optional,
)

# Strangers' faces are taken for known ones in 0.2 % of cases, and those of unknown clips never were.
MOST_SEEN = 0.05
# Shares of fakes among what somebody might judge.
PRIORS = (0.01, 0.1, 0.5)


def contamination(looks: Hashes, known: Sequence[str]) -> Contamination:
    """How many of the untouched faces' hashes (N, 2) are near one that the detector's card holds."""
    seen = len(np.unique(near(looks, from_text(known))[:, 0]))
    share = seen / len(looks)
    return Contamination(bool(known), seen, share, LIMIT, share > MOST_SEEN)


def grid(kept: list[Pair], judge: Judge, threshold: float) -> Iterator[Cell]:
    """AUC, and rates at the frozen threshold, after every degradation at every level."""
    cells = [(name, level) for name, levels in GRID.items() for level in levels]
    for name, level in progress(cells, "degradations", "cells", len(cells)):
        # The same state for reals and fakes: the same noise and shifts.
        real, fake = (
            degrade(name, level, crops, np.random.default_rng(SEED))
            for crops in ([pair.real for pair in kept], [pair.fake for pair in kept])
        )
        scores, labels = _scores(judge, real + fake), np.repeat([0, 1], len(kept))
        yield Cell(name, level, auc(scores, labels), *rates_at(scores, labels, threshold))


def controls(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    stretches: NDArray[np.int64],
    kept: list[Pair],
    kept_stretches: NDArray[np.int64],
    judge: Judge,
) -> dict[str, Figure | None]:
    """What must not be detected: AUCs that should be ½; None for a clip of one stretch.

    scores, labels, stretches: of all faces, an untouched one before each finished one.
    """
    rng = np.random.default_rng(SEED)
    # Every second stretch of the untouched clip plays the fake.
    reals, where = scores[labels == 0], stretches[labels == 0]
    played = where % 2
    # The making without the swap: if that is detected, then so is the making of any other picture.
    again = [null_fake(rng, pair.real, pair.crop_landmarks).picture for pair in kept]
    null = _scores(judge, [pair.real for pair in kept] + again)
    shuffled = np.concatenate([rng.permutation(2) for _ in range(len(labels) // 2)])
    return {
        "real against real": Figure.of(auc, reals, played, where) if len(np.unique(played)) == 2 else None,
        "null fake": Figure.of(auc, null, np.repeat([0, 1], len(kept)), np.tile(kept_stretches, 2)),
        "shuffled labels": Figure.of(auc, scores, shuffled, stretches),
    }


def explanations(kept: list[Pair], judge: Judge) -> tuple[dict[str, Map], dict[str, Explanation]]:
    """The maps of every kept fake by method, and how well each finds the mask and decides the score.

    A map of noise, `random`, is measured beside them: a method that does no better explains nothing.
    """
    detector = judge.detector
    if not isinstance(detector, Shipped):
        raise ValueError("the control is compared with, never explained")
    crops = np.stack([fit(pair.fake, detector.input_px) for pair in kept])
    maps = explain(detector, crops)
    masks = [pair.mask for pair in kept]
    noise = np.random.default_rng(SEED).random(maps["patches"].shape, np.float32)
    found = {}
    for name, heat in progress((maps | {"random": noise}).items(), "maps", "maps", len(maps) + 1):
        curve = tuple(deletion(detector, crops, heat).tolist())
        try:
            where = Localisation.of(heat, masks)
        except ValueError:
            # A merge that changed nothing has no place to point at.
            found[name] = Explanation(None, None, None, curve)
            continue
        found[name] = Explanation(where.pointing, where.chance, where.iou, curve)
    return maps, found


def spectra(kept: list[Pair]) -> Spectra:
    """The mean spectra of untouched and finished faces, and the band of their difference over faces."""
    real, fake = (np.stack([spectrum(getattr(pair, name)) for pair in kept]) for name in ("real", "fake"))
    difference = (fake - real).mean(axis=0)
    spread = 1.96 * (fake - real).std(axis=0) / np.sqrt(len(kept))
    rows = (real.mean(axis=0), fake.mean(axis=0), difference, difference - spread, difference + spread)
    return Spectra(*(tuple(row.tolist()) for row in rows))


def spectrum(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(S/2,) log10 of the mean power by radius of the grey crop's Fourier transform, coarse to fine."""
    side = crop.shape[0]
    window = np.outer(np.hanning(side), np.hanning(side))
    offset = np.arange(side) - side // 2
    radius = np.hypot(*np.meshgrid(offset, offset)).astype(np.int64)
    inside = radius < side // 2
    grey = crop.astype(np.float64).mean(axis=2) / 255
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window))) ** 2
    sums = np.bincount(radius[inside], power[inside], side // 2)
    found: NDArray[np.float64] = np.log10(sums / np.bincount(radius[inside], minlength=side // 2) + 1e-12)
    return found


def trust(margins: Sequence[tuple[float, float]], temperature: float, head: Headline) -> Trust:
    """Calibration on this clip; margins: fake's logit less real's, of untouched and finished faces."""
    flat, labels = np.array(margins).reshape(-1), np.tile([0, 1], len(margins))
    scores, plain = apply_temperature(flat, temperature), apply_temperature(flat)
    bins = reliability(scores, labels)
    # A clip that raises no false alarm does not show that the detector never does.
    wrong = max(head.fpr.value, head.promised_fpr)
    return Trust(
        temperature=temperature,
        calibration_error=bins.error,
        calibration_error_plain=reliability(plain, labels).error,
        brier=brier(scores, labels),
        brier_plain=brier(plain, labels),
        counts=tuple(bins.counts.tolist()),
        confidence=optional(bins.confidence),
        fraction_fake=optional(bins.fraction_fake),
        worth={f"{prior:g}": ppv(head.tpr.value, wrong, prior) for prior in PRIORS},
    )


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float | None:
    """Spearman's, in [-1, 1]; None where either is constant, and for fewer than 8 pairs."""
    ranks = np.stack([rankdata(one), rankdata(other)])
    told = ranks.shape[1] >= MINIMUM_FRAMES and (ranks.std(axis=1) > 0).all()
    return float(np.corrcoef(ranks)[0, 1]) if told else None


def _scores(judge: Judge, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.array([verdict.score for verdict in judge(crops)], np.float64)
