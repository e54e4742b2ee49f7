"""The figures of held-back faces as curves."""

from collections.abc import Sequence
from dataclasses import fields

import cv2
import numpy as np

from faceswap.train.quality import Figures
from faceswap.types import Frame

_PAPER, _LINES, _INK = 24, 70, (225, 225, 225)
_ROW_PX, _WIDTH_PX, _LEFT_PX, _EDGE_PX = 110, 900, 200, 12
_BETTER = {
    "psnr": "more is better, dB",
    "ssim": "more is better",
    "landmarks": "less is better",
    "identity_src": "more is better",
    "identity_dst": "less is better",
}


def quality_plot(figures: Sequence[Figures]) -> Frame:
    """(H, 900, 3) uint8: a row a figure that is known, over the iterations, with its range and last value."""
    names = [field.name for field in fields(Figures) if field.name != "iteration"]
    series = {name: [(f.iteration, getattr(f, name)) for f in figures] for name in names}
    known = {
        name: np.array([p for p in points if p[1] is not None], np.float64) for name, points in series.items()
    }
    known = {name: points for name, points in known.items() if len(points)}
    plot = np.full((_ROW_PX * len(known), _WIDTH_PX, 3), _PAPER, np.uint8)
    for row, (name, points) in enumerate(known.items()):
        _draw(plot[row * _ROW_PX : (row + 1) * _ROW_PX], name, points)
    return plot


def _draw(area: Frame, name: str, points: np.ndarray) -> None:
    steps, values = points[:, 0], points[:, 1]
    low, high = float(values.min()), float(values.max())
    x = _scaled(steps, _LEFT_PX, _WIDTH_PX - _EDGE_PX)
    y = _scaled(values, _ROW_PX - _EDGE_PX, _EDGE_PX)
    area[-1] = _LINES
    curve = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
    cv2.polylines(area, [curve], False, _INK, 1, cv2.LINE_AA)
    for point in curve:
        cv2.circle(area, tuple(map(int, point)), 2, _INK, -1, cv2.LINE_AA)
    best = low if _BETTER[name].startswith("less") else high
    texts = (f"{name.replace('_', ' ')} {values[-1]:.4f}", f"best {best:.4f}", _BETTER[name])
    for line, text in enumerate(texts):
        cv2.putText(area, text, (6, 28 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)


def _scaled(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Values from their least to their most as start … end; the middle where they are all the same."""
    span = float(np.ptp(values))
    share = (values - values.min()) / span if span else np.full(len(values), 0.5)
    return np.asarray(start + share * (end - start))
