"""The self-test: how detectable a finished swap is, frame by frame, degraded, explained, and controlled.

Everything is measured on finished pictures, and nothing that makes them reads it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from faceswap import __version__
from faceswap.detector.data.pairs import Comparison
from faceswap.detector.measures.metrics import MINIMUM_FRAMES, SEGMENT_FRAMES, auc, video_score
from faceswap.detector.network.files import HEADLINE_FPR, Card
from faceswap.detector.network.judge import Judge, Map
from faceswap.detector.network.model import LIMITATIONS
from faceswap.detector.selftest import analyses
from faceswap.detector.selftest.checkpoints import Judged
from faceswap.detector.selftest.findings import (
    SCHEMA,
    About,
    ClipScore,
    Compared,
    Contamination,
    Figure,
    Headline,
    Report,
    Step,
    Verdict,
    optional,
)
from faceswap.detector.selftest.timeline import Row, Timeline, judge_frames, stretch_frames
from faceswap.errors import UserError


@dataclass(frozen=True)
class SelfTest:
    """The report, and the pictures and frames that are shown beside it."""

    report: Report
    timeline: Timeline
    maps: dict[str, Map]


def run_selftest(
    comparison: Comparison,
    judge: Judge,
    card: Card,
    detector: About,
    every: int = 1,
    checkpoints: Iterable[Judged] | None = None,
) -> SelfTest:
    """Judge every `every`-th frame. UserError where no face of any can be compared."""
    found = judge_frames(comparison, judge, every)
    if not found.rows:
        seen = f"{found.without_face} frames without a face, {len(found.damaged)} damaged"
        raise UserError("no face could be compared", seen, "look at the frames, and align again")
    threshold = card.threshold
    compared = Compared(
        **comparison.describe(), every=every, compared=len(found.frames), faces=len(found.rows),
        without_face=found.without_face, damaged=tuple(found.damaged),
    )  # fmt: skip
    length = len(found.frames) * every
    steps = None if checkpoints is None else tuple(step(one, length) for one in checkpoints)
    head = headline(found, threshold)
    contamination = analyses.contamination(np.array(found.looks), card.looks)
    maps, explanations = analyses.explanations(found.kept, judge)
    report = Report(
        schema=SCHEMA,
        date=date.today().isoformat(),
        version=__version__,
        verdict=verdict(head, contamination),
        detector=detector,
        compared=compared,
        contamination=contamination,
        headline=head,
        goes_with=goes_with(found.rows),
        grid=tuple(analyses.grid(found.kept, judge, threshold)),
        controls=analyses.controls(*_flat(found), found.kept, found.kept_stretches, judge),
        trust=analyses.trust(found.margins, card.temperature, head),
        explanations=explanations,
        spectra=analyses.spectra(found.kept),
        checkpoints=steps,
        limitations=(*LIMITATIONS, f"It was trained on {', '.join(detector.data) or 'unnamed data'}."),
    )
    return SelfTest(report, found, maps)


def headline(found: Timeline, threshold: float) -> Headline:
    """AUC and rates at the frozen threshold with their intervals, and the clip's own scores."""
    scores, labels, stretches = _flat(found)
    fakes = labels == 1

    def caught(p: NDArray[np.float64], _labels: NDArray[np.int64]) -> float:
        return float((p > threshold).mean())

    return Headline(
        auc=Figure.of(auc, scores, labels, stretches),
        tpr=Figure.of(caught, scores[fakes], labels[fakes], stretches[fakes]),
        fpr=Figure.of(caught, scores[~fakes], labels[~fakes], stretches[~fakes]),
        threshold=threshold,
        promised_fpr=float(HEADLINE_FPR),
        finished=clip_score(found.scores("fake")),
        untouched=clip_score(found.scores("real")),
    )


def clip_score(scores: NDArray[np.float64]) -> ClipScore:
    """The scores of a clip from those of its frames (N,) in order, NaN = no usable face."""
    whole = video_score(scores)
    parts = [scores[start : start + SEGMENT_FRAMES] for start in range(0, len(scores), SEGMENT_FRAMES)]
    means = np.array([np.nan if np.isnan(part).all() else np.nanmean(part) for part in parts])
    usable = int(np.isfinite(scores).sum())
    return ClipScore(
        mean=whole and whole.mean,
        median=whole and whole.median,
        top_quarter=whole and whole.top_quarter,
        segment_mean=whole and whole.segments,
        segments=optional(means),
        usable=usable,
        lost=len(scores) - usable,
    )


def verdict(head: Headline, contamination: Contamination) -> Verdict:
    """What a person can take away, with its uncertainty."""
    seen, usable = contamination, head.finished.usable
    if seen.contaminated:
        return Verdict(
            "contaminated",
            f"{seen.faces} faces of this clip ({100 * seen.share:.0f} %) look like pictures that the "
            "detector has learnt from. What it says of them says nothing about a swap it has not seen.",
        )
    if usable < MINIMUM_FRAMES:
        return Verdict(
            "undetermined",
            f"A face could be compared in {usable} of its frames; {MINIMUM_FRAMES} are the least.",
        )
    low = head.auc.value if head.auc.low is None else head.auc.low
    sentence = (
        f"Of a swapped and an untouched face of this clip, picked at random, the detector finds the swapped "
        f"one more suspicious {_times(head.auc)}. At its frozen threshold it calls {_share(head.tpr)} of the "
        f"swapped faces fake, and {_share(head.fpr)} of the untouched ones "
        f"(promised on other people: {100 * head.promised_fpr:.0f} %)."
    )
    if low >= 0.9:
        return Verdict("detected", sentence)
    if low > 0.6:
        return Verdict("partly detected", sentence)
    return Verdict(
        "not reliably detected", f"{sentence} That is no evidence of authenticity: stronger detectors exist."
    )


def goes_with(rows: list[Row]) -> dict[str, float | None]:
    """Rank correlation of the swapped faces' scores with detail, turn (either way) and seam."""
    scores = [row.fake for row in rows]
    kinds = {
        "detail": [row.detail for row in rows],
        "turn": [abs(row.turn) for row in rows],
        "seam": [row.seam for row in rows],
    }
    return {name: analyses.rank_correlation(scores, values) for name, values in kinds.items()}


def step(judged: Judged, frames: int) -> Step:
    """One point of the curve over checkpoints, of a clip of so many frames."""
    scores = np.concatenate([judged.real, judged.fake])
    labels = np.repeat([0, 1], len(judged.real))
    stretches = np.tile(judged.places // stretch_frames(frames), 2)
    return Step(judged.iteration, Figure.of(auc, scores, labels, stretches), float(judged.fake.mean()))


def _times(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:.0f} times in 100"
    return f"{100 * figure.value:.0f} times in 100 ({100 * figure.low:.0f} to {100 * figure.high:.0f})"


def _share(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:.0f} %"
    return f"{100 * figure.value:.0f} % ({100 * figure.low:.0f} to {100 * figure.high:.0f})"


def _flat(found: Timeline) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Scores, labels and stretches of untouched and finished faces in turns."""
    scores = np.array([[row.real, row.fake] for row in found.rows]).reshape(-1)
    return scores, np.tile(np.array([0, 1], np.int64), len(found.rows)), np.repeat(found.stretches, 2)
