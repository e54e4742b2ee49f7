"""Figures over the iterations in memory that does not grow, however long a training lasts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
# A power of two. A million iterations are kept in groups of 16: finer than any screen shows them.
CAPACITY = 1 << 16
# Beyond it a damaged line has put digits together.
_MOST = 2**53


class Curve(NamedTuple):
    """Groups of neighbouring iterations, in order: their middle, least, greatest and mean value, how many.

    Groups without a value are left out.
    """

    at: Series
    low: Series
    high: Series
    mean: Series
    weight: Series


class Curves:
    """Values by name, added in the order of their iterations; two groups become one when CAPACITY is full."""

    def __init__(self) -> None:
        self.lines, self.newest = 0, 0
        self._per_group = 1
        self._first, self._last = np.zeros((2, CAPACITY), np.int64)
        # Of a series: least, greatest, sum, count of every group.
        self._series: dict[str, Series] = {}

    def add(self, lines: Iterable[bytes]) -> None:
        """JSON objects with an "iteration" that rises, one a line; other lines are passed."""
        iterations, columns = self._columns(_parsed(list(lines)))
        while self.lines + len(iterations) > CAPACITY * self._per_group:
            self._halve()
        groups = np.arange(self.lines, self.lines + len(iterations)) // self._per_group
        if not len(groups):
            return
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        self._widen(groups, iterations)
        for name, values in columns.items():
            if name not in self._series:
                self._series[name] = _empty()
            self._merge(self._series[name], groups[starts], values, starts)
        self.lines += len(iterations)
        self.newest = int(iterations[-1])

    def curves(self) -> dict[str, Curve]:
        """A copy of what is known, by name."""
        used = -(-self.lines // self._per_group)
        middle = (self._first[:used] + self._last[:used]) / 2
        made = {}
        for name, series in self._series.items():
            low, high, total, count = series[:, :used]
            there = count > 0
            mean = total[there] / count[there]
            made[name] = Curve(middle[there], low[there], high[there], mean, count[there])
        return made

    def _columns(
        self, entries: Sequence[Mapping[str, object]]
    ) -> tuple[NDArray[np.int64], dict[str, Series]]:
        iterations: list[int] = []
        rows: list[Mapping[str, object]] = []
        newest = self.newest
        for entry in entries:
            number = entry.get("iteration")
            if isinstance(number, int) and newest < number < _MOST:
                newest = number
                iterations.append(number)
                rows.append(entry)
        names = {name for row in rows for name in row} - {"iteration"}
        return np.array(iterations, np.int64), {
            name: np.array([_number(row.get(name)) for row in rows]) for name in sorted(names)
        }

    def _widen(self, groups: NDArray[np.int64], iterations: NDArray[np.int64]) -> None:
        self._last[groups] = iterations
        # Backwards, so that the first of a group stays; a group begun before keeps its own.
        fresh = groups >= -(-self.lines // self._per_group)
        self._first[groups[fresh][::-1]] = iterations[fresh][::-1]

    @staticmethod
    def _merge(series: Series, groups: NDArray[np.int64], values: Series, starts: NDArray[np.int64]) -> None:
        there = np.isfinite(values)
        series[0, groups] = np.fmin(
            series[0, groups], np.fmin.reduceat(np.where(there, values, np.nan), starts)
        )
        series[1, groups] = np.fmax(
            series[1, groups], np.fmax.reduceat(np.where(there, values, np.nan), starts)
        )
        series[2, groups] += np.add.reduceat(np.where(there, values, 0), starts)
        series[3, groups] += np.add.reduceat(there.astype(np.float64), starts)

    def _halve(self) -> None:
        half = CAPACITY // 2
        used = -(-self.lines // self._per_group)
        # An odd last group has no neighbour: it is one's own.
        self._first[:half] = self._first[::2]
        self._last[:half] = np.maximum(
            self._last[::2], np.where(np.arange(1, CAPACITY, 2) < used, self._last[1::2], 0)
        )
        for name, old in self._series.items():
            made = _empty()
            made[0, :half] = np.fmin(old[0, ::2], old[0, 1::2])
            made[1, :half] = np.fmax(old[1, ::2], old[1, 1::2])
            made[2:, :half] = old[2:, ::2] + old[2:, 1::2]
            self._series[name] = made
        self._per_group *= 2


def _empty() -> Series:
    series = np.zeros((4, CAPACITY))
    series[:2] = np.nan
    return series


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < _MOST else np.nan


def _parsed(lines: list[bytes]) -> list[Mapping[str, object]]:
    """The objects among the lines. All at once is several times as fast as one by one."""
    try:
        entries = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        if len(lines) == 1:
            return []
        half = len(lines) // 2
        return _parsed(lines[:half]) + _parsed(lines[half:])
    return [entry for entry in entries if isinstance(entry, dict)]
