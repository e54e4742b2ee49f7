"""Whether P(fake) means what it says: temperature, reliability, and what an alarm is worth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

# Equal-width bins of the reliability diagram and of the calibration error (detection.md §3.1).
BINS = 15
# Logits that separate the classes perfectly, or point the wrong way, have no finite optimum.
COLDEST, HOTTEST = 0.05, 20.0


class Reliability(NamedTuple):
    """One value a bin, (bins,) each. Empty bins have count 0 and NaN in the other two."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    fraction_fake: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: Σ (count / N) · |confidence − fraction fake|, in [0, 1]."""
        filled = self.counts > 0
        gaps = np.abs(self.confidence - self.fraction_fake)[filled]
        return float(np.average(gaps, weights=self.counts[filled]))


def reliability(scores: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Reliability:
    """The reliability diagram of P(fake) (N,) in [0, 1] against labels (N,), 1 = fake.

    Bins are equal-width intervals [k/bins, (k + 1)/bins), the last one with its upper end. They hold P(fake),
    not the confidence of the predicted class, so that both ends of the scale are judged. ValueError if empty.
    """
    p, fake = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if not p.size:
        raise ValueError("no scores to be calibrated")
    index = np.minimum((p * bins).astype(np.int64), bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, fraction = (np.bincount(index, weights=w, minlength=bins) / counts for w in (p, fake))
    return Reliability(counts, confidence, fraction)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature T > 0 that minimises the log loss of σ(logit / T) on validation data.

    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, §4.2. logits: (N,)
    fake's less real's. labels: (N,), 1 = fake. The loss is convex in 1/T, so its one minimum is found; T is
    held within [0.05, 20]. ValueError unless both classes are there.
    """
    z, fake = np.asarray(logits, np.float64), np.asarray(labels) == 1
    for name, count in (("fakes", fake.sum()), ("reals", (~fake).sum())):
        if not count:
            raise ValueError(f"no {name} among {z.size} validation logits")
    against = np.where(fake, -z, z)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, against * np.exp(-log_temperature)).mean())

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def apply_temperature(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """P(fake) = σ(logit / T), in [0, 1], of the logits' shape; T = 1 leaves them uncalibrated."""
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, not {temperature}")
    return np.asarray(expit(np.asarray(logits, np.float64) / temperature))


def ppv(tpr: float, fpr: float, prior: float) -> float | None:
    """P(fake | called fake) where the share `prior` of what is judged is fake, by Bayes' rule.

    All in [0, 1]. None where nothing is ever called fake: there is no alarm to ask about.
    """
    alarms_true, alarms_false = tpr * prior, fpr * (1 - prior)
    alarms = alarms_true + alarms_false
    return alarms_true / alarms if alarms > 0 else None
