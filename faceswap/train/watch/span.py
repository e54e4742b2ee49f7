"""Which iterations are looked at, and what of a curve a screen shows of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from faceswap.train.watch.curves import Curve, Series

# As DeepFaceLab's key l goes through them (deepfacelab.md §8.6); None is all.
RANGES = (None, 5_000, 10_000, 50_000, 100_000)
# Iterations that a mean is made of; 1 is every one for itself.
SMOOTHINGS = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000)
_LEAST = 10.0


@dataclass
class Span:
    """From one iteration to another. At the newest it stays there as new ones come.

    width: in iterations, None for all. end: the last one, None for the newest.
    """

    oldest: float = 0.0
    newest: float = _LEAST
    width: float | None = None
    end: float | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The first and the last iteration that are looked at, always apart."""
        end = self.newest if self.end is None else self.end
        width = self._whole if self.width is None else min(self.width, self._whole)
        return end - width, end

    def grow(self, oldest: float, newest: float) -> None:
        """What there is to look at now; less than before where a training went back."""
        self.oldest, self.newest = oldest, max(newest, oldest + _LEAST)
        if self.end is not None:
            self._settle(*self.bounds)

    def zoom(self, factor: float, about: float) -> None:
        """Show `factor` times as many iterations, with iteration `about` where it was."""
        first, last = self.bounds
        width = min(self._whole, max(_LEAST, (last - first) * factor))
        share = (about - first) / (last - first)
        start = about - share * width
        self._settle(start, start + width)

    def pan(self, by: float) -> None:
        """Move by so many iterations, not beyond what there is."""
        first, last = self.bounds
        by = min(self.newest - last, max(self.oldest - first, by))
        self._settle(first + by, last + by)

    def show(self, width: float | None) -> None:
        """The newest so many iterations, None for all; what comes is followed."""
        self.width, self.end = width, None

    def cycle(self) -> None:
        """The next of RANGES."""
        known = RANGES.index(self.width) if self.end is None and self.width in RANGES else -1
        self.show(RANGES[(known + 1) % len(RANGES)])

    @property
    def _whole(self) -> float:
        return self.newest - self.oldest

    def _settle(self, first: float, last: float) -> None:
        """Stick to the newest where it is seen, to all where all is."""
        width = min(last - first, self._whole)
        self.width = None if width >= self._whole * 0.999 else width
        self.end = None if last >= self.newest - 0.002 * width else max(last, self.oldest + width)


class Columns(NamedTuple):
    """A curve at the pixel columns x where it has a value: its band from low to high and its mean."""

    x: Series
    low: Series
    high: Series
    mean: Series


def columns(curve: Curve, bounds: tuple[float, float], width_px: int, smoothing: int = 1) -> Columns:
    """What `width_px` pixels show of a curve between two iterations, and its neighbours just outside.

    smoothing: the mean at an iteration is that of so many around it. The band is never smoothed.
    """
    first, last = bounds
    start = max(0, int(np.searchsorted(curve.at, first)) - 1)
    end = int(np.searchsorted(curve.at, last, side="right")) + 1
    mean = smooth(curve, smoothing, start, end)
    at = curve.at[start:end]
    x = (at - first) / (last - first) * width_px
    pixels = np.floor(x)
    starts = np.flatnonzero(np.diff(pixels, prepend=-np.inf))
    if not len(starts):
        return Columns(*np.empty((4, 0)))
    count = curve.weight[start:end]
    weight = np.add.reduceat(count, starts)
    return Columns(
        np.add.reduceat(x * count, starts) / weight,
        np.minimum.reduceat(curve.low[start:end], starts),
        np.maximum.reduceat(curve.high[start:end], starts),
        np.add.reduceat(mean * count, starts) / weight,
    )


def smooth(curve: Curve, width: int, start: int, end: int) -> Series:
    """Means of `width` iterations around each group start … end; towards the ends of as many as there are."""
    if width <= 1:
        return curve.mean[start:end]
    at = curve.at[start:end]
    left = np.minimum(np.searchsorted(curve.at, at - width / 2), np.arange(start, start + len(at)))
    right = np.maximum(
        np.searchsorted(curve.at, at + width / 2, side="right"), np.arange(start, start + len(at)) + 1
    )
    total = np.concatenate([[0.0], np.cumsum(curve.mean * curve.weight)])
    count = np.concatenate([[0.0], np.cumsum(curve.weight)])
    return np.asarray((total[right] - total[left]) / (count[right] - count[left]))


def fitted(shown: list[Columns], whole: bool = False) -> tuple[float, float]:
    """The range of values that shows these curves well: most of the means, of the band what is near them.

    whole: every mean, for curves of few.
    """
    low, high, mean = (
        np.concatenate([np.empty(0), *(getattr(one, name) for one in shown)])
        for name in ("low", "high", "mean")
    )
    if not len(mean):
        return 0.0, 1.0
    # The first losses, and single long iterations, would flatten all that comes after.
    least, most = np.percentile(mean, (0, 100) if whole else (0.5, 98))
    near = most - least
    bottom = min(least, max(np.percentile(low, 2), least - near))
    top = max(most, min(np.percentile(high, 96), most + near))
    edge = 0.06 * (top - bottom) or 0.05 * abs(top) or 1.0
    return float(bottom - edge), float(top + edge)


def next_smoothing(smoothing: int, step: int) -> int:
    """The smoothing after one of SMOOTHINGS, or before it (-1); at the ends, the same."""
    place = SMOOTHINGS.index(smoothing) + step
    return SMOOTHINGS[min(len(SMOOTHINGS) - 1, max(0, place))]
