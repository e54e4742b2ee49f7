"""The charts and pictures of a self-test's page: SVG, and JPEG in data URLs."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from faceswap.detector.data.pairs import Pair
from faceswap.detector.measures.metrics import SEGMENT_FRAMES
from faceswap.detector.network.judge import Map, fit, overlaid
from faceswap.detector.selftest.charts import Chart, ticks
from faceswap.detector.selftest.findings import Figure, Report
from faceswap.detector.selftest.timeline import Timeline
from faceswap.io.images import encode_image

TILE_PX = 112
# RGB of the page's colours for swapped and untouched faces.
_FAKE, _REAL = (234, 88, 12), (37, 99, 168)
_HALVES = ticks(0, 1, 3, "{:.1f}")


def charts(report: Report, found: Timeline) -> dict[str, Markup | None]:
    """Every chart of the page by name; None where there is nothing to draw."""
    return {
        "scale": _scale(report.headline.auc),
        "timeline": _timeline(found, report),
        "scores": _histogram(found, report.headline.threshold),
        "spectra": _spectra(report),
        "reliability": _reliability(report),
        "checkpoints": _checkpoints(report),
    }


def _scale(figure: Figure) -> Markup:
    """The AUC and its interval between chance and certainty."""
    low = min(0.4, figure.value, figure.value if figure.low is None else figure.low)
    chart = Chart((low, 1.0), (0, 1), f"AUC {figure.value:.2f}", height=70)
    chart.line([low, 1], [0.4, 0.4], "line", 6)
    if figure.low is not None and figure.high is not None:
        chart.line([figure.low, figure.high], [0.4, 0.4], "fake", 6)
    chart.line([0.5, 0.5], [0.1, 0.7], "soft", 1).dots([figure.value], [0.4], "fake", 8)
    return chart.svg([(0.5, "0.50: guessing"), (0.75, "0.75"), (0.94, "1.00: always right")])


def _timeline(found: Timeline, report: Report) -> Markup:
    count = len(found.frames)
    chart = Chart(
        (0, max(1, count - 1)), (0, 1), "P(fake) of untouched and swapped faces by frame", height=260
    )
    threshold = report.headline.threshold
    chart.line([0, max(1, count - 1)], [threshold] * 2, "soft", 1, "5 4")
    for start, mean in zip(range(0, count, SEGMENT_FRAMES), report.headline.finished.segments, strict=True):
        end = min(start + SEGMENT_FRAMES, count) - 1
        chart.line([start, max(end, start + 0.5)], [np.nan if mean is None else mean] * 2, "pale", 7)
    for name in ("real", "fake"):
        chart.line(np.arange(count), found.scores(name), name)
    shown = sorted({0, count // 4, count // 2, 3 * count // 4, count - 1})
    return chart.svg([(place, found.frames[place]) for place in shown], _HALVES)


def _histogram(found: Timeline, threshold: float) -> Markup:
    """Untouched faces upwards, swapped ones downwards, by P(fake)."""
    edges = np.linspace(0, 1, 26)
    counts = {
        name: np.histogram([getattr(row, name) for row in found.rows], edges)[0] for name in ("real", "fake")
    }
    most = max(1, *counts["real"], *counts["fake"])
    chart = Chart((0, 1), (-most, most), "how many faces have which P(fake)", height=260)
    for left, right, real, fake in zip(edges[:-1], edges[1:], counts["real"], counts["fake"], strict=True):
        chart.bar(left + 0.003, right - 0.003, 0, real, "real")
        chart.bar(left + 0.003, right - 0.003, -fake, 0, "fake")
    chart.line([threshold] * 2, [-most, most], "soft", 1, "5 4")
    # Spaces that do not collapse keep the word off its line, on the side where there is room.
    chart.note(threshold, most * 0.9, "\u00a0threshold\u00a0", "start" if threshold < 0.8 else "end")
    return chart.svg(ticks(0, 1, 5, "{:.2f}"), [(most, f"{most}"), (0, "0"), (-most, f"{most}")])


def _spectra(report: Report) -> Markup:
    """The difference of the spectra in decibels: below 0 the swap has lost detail."""
    found = report.spectra
    rows = {name: 10 * np.array(getattr(found, name)) for name in ("difference", "low", "high")}
    # Frequency 0 is what was subtracted.
    steps = np.arange(1, len(found.real))
    reach = max(1.0, float(np.abs([rows["low"][1:], rows["high"][1:]]).max()))
    ends = (1.0, len(found.real) - 1.0)
    chart = Chart(ends, (-reach, reach), "power of the swapped faces against the untouched")
    chart.line(ends, [0, 0], "soft", 1, "5 4")
    chart.band(steps, rows["low"][1:], rows["high"][1:], "fake").line(steps, rows["difference"][1:], "fake")
    words = [(1 + 0.03 * len(steps), "coarse"), (0.98 * len(steps), "fine")]
    return chart.svg(words, [(-reach, f"−{reach:.0f}"), (0, "0"), (reach, f"+{reach:.0f}")])


def _reliability(report: Report) -> Markup:
    trust = report.trust
    chart = Chart((-0.04, 1.04), (-0.06, 1.06), "share of fakes by P(fake)", 420, 380)
    chart.line([0, 1], [0, 1], "soft", 1, "5 4")
    points = [
        (confidence, fraction, 4 + 14 * (count / max(trust.counts)) ** 0.5)
        for confidence, fraction, count in zip(
            trust.confidence, trust.fraction_fake, trust.counts, strict=True
        )
        if confidence is not None and fraction is not None
    ]
    xs, ys, sizes = np.array(points).T
    chart.dots(xs, ys, "fake", sizes)
    return chart.svg(_HALVES, _HALVES)


def _checkpoints(report: Report) -> Markup | None:
    steps = report.checkpoints
    if not steps:
        return None
    xs = [step.iteration for step in steps]
    chart = Chart((min(xs), max(xs)), (0, 1), "AUC and mean P(fake) by iteration")
    # Every step has been measured on the same frames, so all have an interval or none.
    if steps[0].auc.low is not None:
        low, high = ([getattr(step.auc, end) for step in steps] for end in ("low", "high"))
        chart.band(xs, low, high, "fake")
    chart.line(xs, [step.auc.value for step in steps], "fake")
    chart.dots(xs, [step.auc.value for step in steps], "fake")
    chart.line(xs, [step.mean_score for step in steps], "real", 1.6, "5 4")
    return chart.svg([(x, str(x)) for x in sorted({min(xs), max(xs)})], _HALVES)


def frames(found: Timeline, threshold: float) -> list[dict[str, Any]]:
    """A few finished frames with a box around every face."""
    shown = []
    for seen in found.shown:
        assert seen.small is not None
        picture = seen.small.copy()
        rows = [row for row in found.rows if row.frame == seen.frame]
        for row in rows:
            left, top, right, bottom = (round(x * seen.scale) for x in row.box)
            cv2.rectangle(picture, (left, top), (right, bottom), _FAKE if row.fake > threshold else _REAL, 2)
        score = max((row.fake for row in rows), default=None)
        shown.append({"name": seen.frame, "score": score, "picture": _data_url(picture)})
    return shown


def faces(found: Timeline, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Faces before and after the swap, with both scores."""
    scores = {(row.frame, row.face): row for row in found.rows}
    shown = []
    for pair in pairs:
        row = scores[pair.frame, pair.face]
        both = np.concatenate([fit(pair.real, TILE_PX), fit(pair.fake, TILE_PX)], axis=1)
        shown.append({"frame": pair.frame, "real": row.real, "fake": row.fake, "picture": _data_url(both)})
    return shown


def maps(kept: Sequence[Pair], heats: Mapping[str, Map]) -> str:
    """Rows of: swapped face, its mask, and every map over it; the last row is the mean of all."""
    rows = [
        _map_row(kept[index].fake, kept[index].mask, [heat[index] for heat in heats.values()])
        for index in np.linspace(0, len(kept) - 1, min(4, len(kept))).astype(int)
    ]
    mean = np.stack([pair.fake for pair in kept]).mean(axis=0).astype(np.uint8)
    mask = np.stack([pair.mask for pair in kept]).mean(axis=0)
    rows.append(_map_row(mean, mask, [heat.mean(axis=0) for heat in heats.values()]))
    return _data_url(np.concatenate(rows))


def _map_row(
    face: NDArray[np.uint8], mask: NDArray[np.float32], heats: Sequence[NDArray[np.float32]]
) -> NDArray[np.uint8]:
    small = fit(face, TILE_PX)
    # The mask is smooth, the maps are no finer than their patches.
    smooth = np.asarray(cv2.resize(mask, (TILE_PX, TILE_PX)), np.float32)
    return np.concatenate([small, *(overlaid(small, heat) for heat in (smooth, *heats))], axis=1)


def _data_url(picture: NDArray[np.uint8]) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_image(".jpg", picture, 88)).decode()
