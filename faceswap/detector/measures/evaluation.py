"""What a detector is worth on a split it was not trained on, manipulation by manipulation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.detector.data.samples import Pairs
from faceswap.detector.measures.calibration import apply_temperature, fit_temperature
from faceswap.detector.measures.intervals import Interval, cluster_interval
from faceswap.detector.measures.localisation import Localisation
from faceswap.detector.measures.metrics import Figures, accuracy, auc, rates_at, threshold_at_fpr
from faceswap.detector.network.judge import Judge

# False-positive rates for which thresholds are promised.
PROMISED = (0.01, 0.05)
_PAIRS_A_BATCH = 32
# Of the tail in exams: most crops are then as they come; what degradation does is the grid's question.
EXAM_STRENGTH = 0.25


@dataclass(frozen=True, eq=False)
class Scored:
    """Every crop of an exam, reals and fakes in turns.

    margins (N,): fake's logit less real's. labels (N,). kinds, people (N,): see DetectorBatch.
    patches (N, G, G) in [0, 1] and masks (N, S, S) uint8, 255 foreign.
    """

    margins: NDArray[np.float64]
    labels: NDArray[np.int64]
    kinds: tuple[str, ...]
    people: tuple[str, ...]
    patches: NDArray[np.float32]
    masks: NDArray[np.uint8]

    def of(self, kind: str) -> "Scored":
        """The pairs of one manipulation."""
        rows = np.array([other == kind for other in self.kinds])
        names = tuple(name for name, chosen in zip(self.people, rows, strict=True) if chosen)
        return Scored(
            self.margins[rows], self.labels[rows], (kind,) * int(rows.sum()), names, self.patches[rows],
            self.masks[rows],
        )  # fmt: skip

    @property
    def manipulations(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.kinds))


def score(judge: Judge, source: Pairs, pairs: int, seed: int) -> Scored:
    """`pairs` pairs of every manipulation of `source`, drawn from `seed` alone, and the judge's answers."""
    parts = []
    for number, kind in enumerate(source.manipulations):
        one_kind = source.only(kind)
        for start in range(0, pairs, _PAIRS_A_BATCH):
            count = min(_PAIRS_A_BATCH, pairs - start)
            batch = one_kind.batch(count, seed + 1_000_003 * number, start, EXAM_STRENGTH)
            verdicts = list(judge(batch.crops))
            masks = np.round(batch.masks * 255).astype(np.uint8)
            margins = np.array([verdict.logit for verdict in verdicts])
            patches = np.stack([verdict.patches for verdict in verdicts])
            parts.append(Scored(margins, batch.labels, batch.kinds, batch.people, patches, masks))
    return Scored(
        np.concatenate([part.margins for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(kind for part in parts for kind in part.kinds),
        tuple(name for part in parts for name in part.people),
        np.concatenate([part.patches for part in parts]),
        np.concatenate([part.masks for part in parts]),
    )


def aucs(scored: Scored) -> dict[str, float]:
    """The AUC of every manipulation against its own untouched crops, and their mean as `mean_auc`."""
    found = {kind: auc_of(scored.of(kind)) for kind in scored.manipulations}
    return {"mean_auc": float(np.mean(list(found.values())))} | found


def auc_of(scored: Scored) -> float:
    return auc(apply_temperature(scored.margins), scored.labels)


def accuracy_of(scored: Scored) -> float:
    """Share of right answers with P(fake) = 0.5 between them."""
    return accuracy(apply_temperature(scored.margins), scored.labels)


def auc_interval_of(scored: Scored, seed: int) -> Interval:
    """The AUC's interval over people."""
    rng, scores = np.random.default_rng(seed), apply_temperature(scored.margins)
    return cluster_interval(auc, scores, scored.labels, scored.people, rng)


@dataclass(frozen=True)
class Calibrated:
    """Fitted on validation data: the temperature, and P(fake) from which a crop is called fake.

    Thresholds keep their promise on the mean over the sets that the reals come from, not over all reals.
    """

    temperature: float
    thresholds: Mapping[str, float]

    @classmethod
    def on(cls, validation: Scored) -> "Calibrated":
        temperature = fit_temperature(validation.margins, validation.labels)
        untouched = validation.labels == 0
        reals = apply_temperature(validation.margins[untouched], temperature)
        sets = [
            name.partition("/")[0] for name, real in zip(validation.people, untouched, strict=True) if real
        ]
        return cls(temperature, {f"{fpr:g}": threshold_at_fpr(reals, fpr, sets) for fpr in PROMISED})


def report(scored: Scored, calibrated: Calibrated, seed: int) -> dict[str, Any]:
    """Figures with intervals over people, all together and by manipulation, and at the frozen thresholds."""
    rng = np.random.default_rng(seed)
    parts = {kind: scored.of(kind) for kind in scored.manipulations}
    return {"all": _table(scored, calibrated, rng)} | {
        kind: _table(part, calibrated, rng) for kind, part in parts.items()
    }


def _table(scored: Scored, calibrated: Calibrated, rng: np.random.Generator) -> dict[str, Any]:
    scores = apply_temperature(scored.margins, calibrated.temperature)
    fakes = scored.labels == 1
    interval = cluster_interval(auc, scores, scored.labels, scored.people, rng)
    at = {
        fpr: rates_at(scores, scored.labels, threshold)._asdict()
        for fpr, threshold in calibrated.thresholds.items()
    }
    masks = (mask.astype(np.float32) / 255 for mask in scored.masks[fakes])
    found = Localisation.of(scored.patches[fakes], masks)
    return {
        **Figures.of(scores, scored.labels).to_json(),
        "auc_interval": interval.to_json(),
        "at_threshold": at,
        "localisation": found.to_json(),
    }
