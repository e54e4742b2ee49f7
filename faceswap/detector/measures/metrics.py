"""The figures a detector is judged by (detection.md §3.1).

Scores are P(fake), (N,) in [0, 1]; labels (N,), 1 = fake, 0 = real. A crop is called fake when its score is
above the threshold, so one that lies on it gets the benefit of the doubt. Every figure needs both classes
and raises a ValueError that names the missing one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_curve
from sklearn.metrics import log_loss as cross_entropy

from faceswap.detector.measures.calibration import BINS, reliability
from faceswap.types import Json

Scores = NDArray[np.float64]
Fakes = NDArray[np.bool_]

# Fewer usable frames leave a video undetermined.
MINIMUM_FRAMES = 8
VIDEO_FRAMES = 32
SEGMENT_FRAMES = 16


class Rates(NamedTuple):
    """Shares called fake: of the fakes (tpr) and of the reals (fpr)."""

    tpr: float
    fpr: float


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC: P(a fake scores above a real), ties count half (Hanley & McNeil 1982)."""
    p, fake = _checked(scores, labels)
    # Not scikit-learn's: its checks take longer than the sorting, and the bootstrap asks 1,000 times.
    reals, fakes = np.sort(p[~fake]), np.sort(p[fake])
    below = np.searchsorted(reals, fakes, "left") + np.searchsorted(reals, fakes, "right")
    return float(below.mean() / (2 * reals.size))


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Σ (R_k − R_{k−1}) · P_k with fakes as positives. Chance is `prevalence`: print it beside this."""
    p, fake = _checked(scores, labels)
    return float(average_precision_score(fake, p))


def prevalence(labels: ArrayLike) -> float:
    """The share of fakes."""
    fake = np.asarray(labels) == 1
    if not fake.size:
        raise ValueError("no labels")
    return float(fake.mean())


def equal_error_rate(scores: ArrayLike, labels: ArrayLike) -> float:
    """Where FPR = 1 − TPR on the ROC, its points joined by straight lines."""
    p, fake = _checked(scores, labels)
    fpr, tpr, _ = roc_curve(fake, p, drop_intermediate=False)
    # fpr + tpr − 1 climbs from −1 to 1 and is 0 where both errors are equal.
    excess = fpr + tpr - 1
    right = int(np.argmax(excess >= 0))
    part = -excess[right - 1] / (excess[right] - excess[right - 1])
    return float(fpr[right - 1] + part * (fpr[right] - fpr[right - 1]))


def confusion(scores: ArrayLike, labels: ArrayLike, threshold: float = 0.5) -> NDArray[np.int64]:
    """(2, 2) counts: rows the truth, columns the verdict, real before fake."""
    p, fake = _checked(scores, labels)
    return np.bincount(2 * fake + (p > threshold), minlength=4).reshape(2, 2)


def accuracy(scores: ArrayLike, labels: ArrayLike, threshold: float = 0.5) -> float:
    """The share of right verdicts."""
    table = confusion(scores, labels, threshold)
    return float(table.trace() / table.sum())


def balanced_accuracy(scores: ArrayLike, labels: ArrayLike, threshold: float = 0.5) -> float:
    """The mean of the shares of right verdicts on reals and on fakes."""
    rates = rates_at(scores, labels, threshold)
    return (rates.tpr + 1 - rates.fpr) / 2


def macro_f1(scores: ArrayLike, labels: ArrayLike, threshold: float = 0.5) -> float:
    """The mean of the F1 of reals and that of fakes; a class that is never named has 0."""
    p, fake = _checked(scores, labels)
    return float(f1_score(fake, p > threshold, average="macro", zero_division=0))


def rates_at(scores: ArrayLike, labels: ArrayLike, threshold: float) -> Rates:
    """The rates reached at a threshold frozen elsewhere; print the FPR beside the one that was promised."""
    (_, alarms_false), (_, alarms_true) = table = confusion(scores, labels, threshold)
    reals, fakes = table.sum(axis=1)
    return Rates(float(alarms_true / fakes), float(alarms_false / reals))


def threshold_at_fpr(real_scores: ArrayLike, fpr: float, groups: Sequence[str] | None = None) -> float:
    """The lowest threshold above which at most the share `fpr` in [0, 1) of the reals scores.

    To be frozen on validation reals. With ties fewer reals than allowed are called fake, never more.
    An FPR of 1 % means something from 300 independent reals on. groups: where each real comes from; all
    groups count alike then, so that a large one of easy pictures does not make a promise for the others.
    """
    p = _scores(real_scores)
    if not p.size:
        raise ValueError("no reals to freeze a threshold on")
    if not 0 <= fpr < 1:
        raise ValueError(f"a false-positive rate is in [0, 1), not {fpr}")
    _, group, sizes = np.unique(groups or [""] * p.size, return_inverse=True, return_counts=True)
    falling = np.argsort(-p)
    shares = np.cumsum((1 / sizes / len(sizes))[group][falling])
    # 0.29 · 100 is 28.999… in floating point, and 29 reals are meant.
    return float(p[falling][int((shares <= fpr + 1e-9).sum())])


def tpr_at_fpr(scores: ArrayLike, labels: ArrayLike, fpr: float) -> float:
    """The share of fakes called fake at `threshold_at_fpr` of the reals in the same set."""
    p, fake = _checked(scores, labels)
    return rates_at(p, fake, threshold_at_fpr(p[~fake], fpr)).tpr


def brier(scores: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared difference of P(fake) and the label (Brier 1950), in [0, 1]; ¼ for always saying ½."""
    p, fake = _checked(scores, labels)
    return float(np.square(p - fake).mean())


def log_loss(scores: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative log-likelihood in nats; probabilities of 0 count as the smallest float64 step."""
    p, fake = _checked(scores, labels)
    return float(cross_entropy(fake, p, labels=[False, True]))


def expected_calibration_error(scores: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
    """The mean distance of P(fake) from the fraction of fakes over equal-width bins, in [0, 1]."""
    return reliability(*_checked(scores, labels), bins).error


@dataclass(frozen=True)
class Figures:
    """The whole table for one set; verdicts at 0.5, counts of crops."""

    auc: float
    average_precision: float
    prevalence: float
    equal_error_rate: float
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    tpr_at_fpr_1: float
    tpr_at_fpr_5: float
    brier: float
    log_loss: float
    calibration_error: float
    reals: int
    fakes: int

    @classmethod
    def of(cls, scores: ArrayLike, labels: ArrayLike) -> "Figures":
        """Everything above for scores (N,) and labels (N,)."""
        p, fake = _checked(scores, labels)
        return cls(
            auc=auc(p, fake),
            average_precision=average_precision(p, fake),
            prevalence=prevalence(fake),
            equal_error_rate=equal_error_rate(p, fake),
            accuracy=accuracy(p, fake),
            balanced_accuracy=balanced_accuracy(p, fake),
            macro_f1=macro_f1(p, fake),
            tpr_at_fpr_1=tpr_at_fpr(p, fake, 0.01),
            tpr_at_fpr_5=tpr_at_fpr(p, fake, 0.05),
            brier=brier(p, fake),
            log_loss=log_loss(p, fake),
            calibration_error=expected_calibration_error(p, fake),
            reals=int((~fake).sum()),
            fakes=int(fake.sum()),
        )

    def to_json(self) -> Json:
        """The figures by name."""
        return asdict(self)


class VideoKey(NamedTuple):
    """What makes frames one video: its name alone does not, manipulations reuse it."""

    dataset: str
    manipulation: str
    checkpoint: str
    video: str


class VideoScore(NamedTuple):
    """A video's P(fake) by four rules, and its frames with and without a usable face.

    top_quarter: mean of the highest quarter, rounded up. segments: mean of the means of 16-frame segments,
    as SSAT tests (Das et al., WACV 2024, appendix D).
    """

    mean: float
    median: float
    top_quarter: float
    segments: float
    usable: int
    lost: int


def uniform_frames(count: int, wanted: int = VIDEO_FRAMES) -> NDArray[np.int64]:
    """Which of `count` frames to judge: the middles of `wanted` equal stretches, all if there are fewer."""
    wanted = min(count, wanted)
    return (2 * np.arange(wanted) + 1) * count // (2 * max(wanted, 1))


def video_score(scores: ArrayLike) -> VideoScore | None:
    """The score of one video from those of its frames (N,) in order, NaN = no usable face.

    None, undetermined, below 8 usable frames. A last segment of fewer than 16 frames counts as a segment of
    its own; one without a usable frame does not count.
    """
    p = np.asarray(scores, np.float64)
    usable = _scores(p[~np.isnan(p)])
    if usable.size < MINIMUM_FRAMES:
        return None
    top = np.sort(usable)[-((usable.size + 3) // 4) :]
    segments = [p[start : start + SEGMENT_FRAMES] for start in range(0, p.size, SEGMENT_FRAMES)]
    means = [np.nanmean(segment) for segment in segments if not np.isnan(segment).all()]
    return VideoScore(
        mean=float(usable.mean()),
        median=float(np.median(usable)),
        top_quarter=float(top.mean()),
        segments=float(np.mean(means)),
        usable=usable.size,
        lost=p.size - usable.size,
    )


def video_scores(scores: Iterable[float], keys: Iterable[VideoKey]) -> dict[VideoKey, VideoScore | None]:
    """`video_score` of the frames (N,) of each key (N,), videos in order of first appearance."""
    groups: dict[VideoKey, list[float]] = {}
    for score, key in zip(scores, keys, strict=True):
        groups.setdefault(key, []).append(score)
    return {key: video_score(group) for key, group in groups.items()}


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Scores, Fakes]:
    """Scores as float64 and labels as bool. ValueError for other values, other lengths, a missing class."""
    p, truth = _scores(scores), np.asarray(labels)
    if p.shape != truth.shape:
        raise ValueError(f"{p.size} scores, but {truth.size} labels")
    if not p.size:
        raise ValueError("no scores: neither reals nor fakes")
    fake = truth == 1
    if not (fake | (truth == 0)).all():
        raise ValueError("a label is 0 (real) or 1 (fake)")
    if fake.all() or not fake.any():
        raise ValueError(f"no {'reals (label 0)' if fake.all() else 'fakes (label 1)'} among {p.size} scores")
    return p, fake


def _scores(scores: ArrayLike) -> Scores:
    p = np.asarray(scores, np.float64)
    # Written so that NaN fails as well.
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("scores are one row of probabilities in [0, 1]")
    return p
