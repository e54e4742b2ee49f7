"""Charts as SVG, for a page without scripts; colours are the page's CSS variables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 30, 14, 30
# More points than this on a line are averaged: nobody sees them.
_MOST_POINTS = 450
# A place on an axis and what it says.
Tick: TypeAlias = tuple[float, str]


@dataclass
class Chart:
    """Lines, bands and bars over axes x and y (lowest, highest) in a picture of width × height.

    label: what it shows, for people who do not see it.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    label: str
    width: int = 900
    height: int = 220
    _parts: list[str] = field(default_factory=list)

    def line(self, xs: ArrayLike, ys: ArrayLike, color: str, width: float = 1.6, dash: str = "") -> "Chart":
        """A line, broken where y is NaN; a lone point is a dot."""
        for points in _unbroken(*_thinned(xs, ys)):
            at = self._points(points)
            if len(points) == 1:
                across, down = at.split(",")
                self._parts.append(f'<circle cx="{across}" cy="{down}" r="2.5" fill="var(--{color})"/>')
            else:
                style = f'stroke="var(--{color})" stroke-width="{width}" stroke-dasharray="{dash}"'
                self._parts.append(f'<polyline points="{at}" fill="none" stroke-linejoin="round" {style}/>')
        return self

    def band(self, xs: ArrayLike, low: ArrayLike, high: ArrayLike, color: str) -> "Chart":
        """What lies between two lines."""
        x = np.asarray(xs, np.float64)
        there, back = np.column_stack([x, np.asarray(low)]), np.column_stack([x, np.asarray(high)])[::-1]
        at = self._points(np.concatenate([there, back]))
        self._parts.append(f'<polygon points="{at}" fill="var(--{color})" fill-opacity=".18"/>')
        return self

    def bar(self, left: float, right: float, low: float, high: float, color: str) -> "Chart":
        """A filled rectangle."""
        (x0, y0), (x1, y1) = self._at(left, high), self._at(right, low)
        size = f'x="{x0:.1f}" y="{y0:.1f}" width="{max(0.5, x1 - x0):.1f}" height="{y1 - y0:.1f}"'
        self._parts.append(f'<rect {size} fill="var(--{color})" fill-opacity=".75"/>')
        return self

    def dots(self, xs: ArrayLike, ys: ArrayLike, color: str, radius: ArrayLike = 4.0) -> "Chart":
        """Filled circles of `radius` px."""
        for x, y, r in np.column_stack(np.broadcast_arrays(xs, ys, radius)).astype(np.float64):
            across, down = self._at(x, y)
            at = f'cx="{across:.1f}" cy="{down:.1f}" r="{r:.1f}"'
            self._parts.append(f'<circle {at} fill="var(--{color})"/>')
        return self

    def note(self, x: float, y: float, text: str, anchor: str = "start") -> "Chart":
        """Words at a place."""
        across, down = self._at(x, y)
        at = f'x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}"'
        self._parts.append(f"<text {at}>{escape(text)}</text>")
        return self

    def svg(self, x_ticks: Sequence[Tick] = (), y_ticks: Sequence[Tick] = ()) -> Markup:
        """The picture, with these words along its axes."""
        ticks = []
        for value, text in y_ticks:
            across, down = self._at(self.x[0], value)
            line = f'<path d="M{across:.1f} {down:.1f}H{self.width - _RIGHT}" stroke="var(--line)"/>'
            words = f'<text x="{across - 6:.1f}" y="{down + 4:.1f}" text-anchor="end">{escape(text)}</text>'
            ticks += [line, words]
        for value, text in x_ticks:
            across, down = self._at(value, self.y[0])
            at = f'class="x" x="{across:.1f}" y="{down + 8:.1f}" text-anchor="middle"'
            ticks.append(f"<text {at}>{escape(text)}</text>")
        inside = "".join([*ticks, *self._parts])
        box = f'viewBox="0 0 {self.width} {self.height}"'
        return Markup(f'<svg {box} role="img" aria-label="{escape(self.label)}">{inside}</svg>')

    def _at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / max(self.x[1] - self.x[0], 1e-9)
        up = (y - self.y[0]) / max(self.y[1] - self.y[0], 1e-9)
        return (
            _LEFT + across * (self.width - _LEFT - _RIGHT),
            self.height - _BOTTOM - up * (self.height - _TOP - _BOTTOM),
        )

    def _points(self, points: NDArray[np.float64]) -> str:
        return " ".join(f"{across:.1f},{down:.1f}" for across, down in (self._at(*point) for point in points))


def ticks(low: float, high: float, count: int, form: str = "{:.0f}") -> list[Tick]:
    """`count` values spread evenly over an axis, in words."""
    return [(float(value), form.format(value)) for value in np.linspace(low, high, count)]


def _thinned(xs: ArrayLike, ys: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most _MOST_POINTS points, each the mean of its stretch; NaN only where a whole stretch is."""
    x, y = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    if len(x) <= _MOST_POINTS:
        return x, y
    parts = np.array_split(np.arange(len(x)), _MOST_POINTS)
    means = [np.nan if np.isnan(y[part]).all() else np.nanmean(y[part]) for part in parts]
    return np.array([x[part].mean() for part in parts]), np.array(means)


def _unbroken(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """(K, 2) points of each stretch without NaN."""
    points = np.column_stack([x, y])
    for part in np.split(points, np.flatnonzero(np.isnan(y))):
        known = part[~np.isnan(part[:, 1])]
        if len(known):
            yield known
