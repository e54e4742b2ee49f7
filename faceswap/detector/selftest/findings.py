"""What a self-test found: the contents of report.json, whose schema follows from these types.

Figures are shares or probabilities in [0, 1] where nothing else is said.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from faceswap.detector.measures.intervals import Statistic, cluster_interval
from faceswap.types import Json

# Grows when a key of the report changes its meaning.
SCHEMA = 2
SEED = 0
Word = Literal["detected", "partly detected", "not reliably detected", "undetermined", "contaminated"]


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval over `stretches` of frames; None where there are fewer than two."""

    value: float
    low: float | None
    high: float | None
    stretches: int

    @classmethod
    def of(cls, statistic: Statistic, scores: ArrayLike, labels: ArrayLike, stretches: ArrayLike) -> "Figure":
        """`statistic` of scores and labels (N,), whose stretch (N,) is resampled whole."""
        p, y, clusters = np.asarray(scores, np.float64), np.asarray(labels), np.asarray(stretches).tolist()
        try:
            found = cluster_interval(statistic, p, y, clusters, np.random.default_rng(SEED))
        except ValueError:
            return cls(float(statistic(p, y)), None, None, len(set(clusters)))
        return cls(found.value, found.low, found.high, found.clusters)

    @property
    def is_chance(self) -> bool | None:
        """Whether the interval of an AUC reaches ½ ± 0.05 (detection.md §4.7); None where there is none."""
        return None if self.low is None or self.high is None else self.low <= 0.55 and self.high >= 0.45


@dataclass(frozen=True)
class Verdict:
    """In words, with how sure it is."""

    word: Word
    sentence: str


@dataclass(frozen=True)
class Exam:
    """What the detector's card says of people it was not trained on: `split` is val or test."""

    split: str
    auc: float
    calibration_error: float
    brier: float
    reals: int
    fakes: int


@dataclass(frozen=True)
class About:
    """The detector.

    sha256: of its weights. data: its training sets and their terms. pictures: how many it learnt from.
    thresholds: P(fake) above which a face is called fake, by the share of untouched faces that may be.
    hardened: whether it was trained on somebody's finished swaps.
    """

    name: str
    sha256: str
    data: tuple[str, ...]
    manifest: str
    pictures: int
    temperature: float
    thresholds: dict[str, float]
    exams: tuple[Exam, ...]
    hardened: bool


@dataclass(frozen=True)
class Compared:
    """What was compared with what, in frames.

    kind: merged frames, or a clip. untouched, finished: how many there are. every: so many-th was taken.
    compared: of those taken there were both. without_face: among them. damaged: what could not be read, and
    why. quality: x264's constant rate factor of the clip, None where it does not say; encoded_with: that of
    the untouched frames. labelled: whether the clip says that it is synthetic.
    """

    kind: Literal["frames", "clip"]
    untouched: int
    finished: int
    every: int
    compared: int
    faces: int
    without_face: int
    damaged: tuple[str, ...]
    name: str = ""
    codec: str = ""
    quality: int | None = None
    encoded_with: int | None = None
    labelled: bool | None = None


@dataclass(frozen=True)
class Contamination:
    """How many untouched faces look like crops that the detector has learnt from.

    known: whether its card says what it has learnt from. limit_bits: of 128, see `manifest`.
    """

    known: bool
    faces: int
    share: float
    limit_bits: int
    contaminated: bool


@dataclass(frozen=True)
class ClipScore:
    """The score of a whole clip by four rules, see metrics.VideoScore, and of its segments of 16 frames.

    Frames count, each with its most suspicious face. None: fewer than 8 usable ones, or a segment without.
    """

    mean: float | None
    median: float | None
    top_quarter: float | None
    segment_mean: float | None
    segments: tuple[float | None, ...]
    usable: int
    lost: int


@dataclass(frozen=True)
class Headline:
    """How well swapped faces are told from untouched ones; rates are those above the frozen threshold."""

    auc: Figure
    tpr: Figure
    fpr: Figure
    threshold: float
    promised_fpr: float
    finished: ClipScore
    untouched: ClipScore


@dataclass(frozen=True)
class Cell:
    """A degradation at one level, see degrade.GRID."""

    name: str
    level: float
    auc: float
    tpr: float
    fpr: float


@dataclass(frozen=True)
class Trust:
    """How well P(fake) is calibrated on this clip, half of whose faces are fake.

    Errors with the detector's temperature and without. counts, confidence, fraction_fake: reliability in 15
    equal bins. worth: by the share of fakes among what is judged, how often an alarm is right.
    """

    temperature: float
    calibration_error: float
    calibration_error_plain: float
    brier: float
    brier_plain: float
    counts: tuple[int, ...]
    confidence: tuple[float | None, ...]
    fraction_fake: tuple[float | None, ...]
    worth: dict[str, float | None]


@dataclass(frozen=True)
class Explanation:
    """A map's faithfulness: pointing game, chance and overlap with the mask; None where nothing is masked.

    deletion: mean P(fake) while ever more of what it points at is greyed out, until half is.
    """

    pointing: float | None
    chance: float | None
    iou: float | None
    deletion: tuple[float, ...]


@dataclass(frozen=True)
class Spectra:
    """Mean log10 power by spatial frequency, coarse to fine; of the difference also its 95 % band."""

    real: tuple[float, ...]
    fake: tuple[float, ...]
    difference: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """One checkpoint: AUC on the same few frames, and the mean P(fake) of their swapped faces."""

    iteration: int
    auc: Figure
    mean_score: float


@dataclass(frozen=True)
class Report:
    """Everything but the frames, which are in frames.csv.

    goes_with: rank correlation of P(fake) of the swapped faces with what frames.csv says of them. controls:
    AUC of what must not be detected, None for a clip too short to say. checkpoints: None where they were not
    asked for.
    """

    schema: int
    date: str
    version: str
    verdict: Verdict
    detector: About
    compared: Compared
    contamination: Contamination
    headline: Headline
    goes_with: dict[str, float | None]
    grid: tuple[Cell, ...]
    controls: dict[str, Figure | None]
    trust: Trust
    explanations: dict[str, Explanation]
    spectra: Spectra
    checkpoints: tuple[Step, ...] | None
    limitations: tuple[str, ...]


_REPORT = TypeAdapter(Report)


def schema() -> Json:
    """The JSON schema of report.json."""
    return _REPORT.json_schema()


def to_json(report: Report) -> Json:
    """The report as plain values."""
    found: Json = _REPORT.dump_python(report, mode="json")
    return found


def from_json(text: str) -> Report:
    """A report that was written; pydantic's ValidationError, a ValueError, for anything else."""
    return _REPORT.validate_json(text)


def optional(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Values whose NaN, which JSON does not have, is None."""
    return tuple(None if np.isnan(value) else float(value) for value in values)
