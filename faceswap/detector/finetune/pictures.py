"""How a fine-tuning went: whether it learns its pictures by heart, as figures and as pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import Frame

# How many evaluations must agree, and by how much the validation loss has then risen.
PATIENCE, RISEN = 3, 1.05


class Evaluation(NamedTuple):
    """Figures after `iteration` updates. train_loss: mean since the evaluation before, None before the first
    update. Losses are cross-entropies in nats."""

    iteration: int
    epoch: float
    train_loss: float | None
    validation_loss: float
    validation_accuracy: float
    seconds: float


def began_to_overfit(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """The evaluation from which on the model learns its pictures by heart, None while it does not.

    That is the one of the lowest validation loss, when in each of the last three the validation loss lies
    more than 5 % above it although the train loss lies below its own.
    """
    # Before the first update there is no train loss to fall.
    told = [evaluation for evaluation in evaluations if evaluation.train_loss is not None]
    if not told:
        return None
    lowest = min(range(len(told)), key=lambda index: told[index].validation_loss)
    then, last = told[lowest], told[lowest + 1 :][-PATIENCE:]
    if len(last) < PATIENCE or then.train_loss is None:
        return None
    agree = all(
        now.validation_loss > RISEN * then.validation_loss and (now.train_loss or 0) < then.train_loss
        for now in last
    )
    return then if agree else None


def overfitting_told(began: Evaluation) -> str:
    """The warning in words."""
    return (
        f"over-fitting since iteration {began.iteration} (epoch {began.epoch:.1f}): the train loss falls, "
        f"the validation loss has risen from {began.validation_loss:.4f}; the weights of then are kept"
    )


Colour = tuple[int, int, int]
Curves = dict[str, tuple[Sequence[float | None], Colour]]

_PAPER, _LINES, _INK, _DIM = 24, (70, 70, 70), (225, 225, 225), (150, 150, 150)
_BLUE, _YELLOW, _GREEN, _RED = (90, 170, 255), (255, 200, 70), (120, 210, 130), (240, 100, 90)
_WIDTH, _PANEL_PX, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 240, 64, 16, 28, 26


def curves_picture(evaluations: Sequence[Evaluation], kept: int, overfit: int | None = None) -> Frame:
    """(H, W, 3) uint8: the losses above, the accuracy below, over the iterations of the evaluations.

    kept: the iteration whose weights are kept. overfit: the one from which on the model over-fits.
    """
    iterations = [evaluation.iteration for evaluation in evaluations]
    train = [evaluation.train_loss for evaluation in evaluations]
    validation = [evaluation.validation_loss for evaluation in evaluations]
    accuracy = [evaluation.validation_accuracy for evaluation in evaluations]
    marks = {"kept": (kept, _GREEN)} | ({} if overfit is None else {"over-fitting": (overfit, _RED)})
    losses: Curves = {"train loss": (train, _BLUE), "validation loss": (validation, _YELLOW)}
    below: Curves = {"validation accuracy": (accuracy, _GREEN)}
    return np.concatenate([_panel(iterations, losses, marks), _panel(iterations, below, marks, 1.0)])


def confusion_picture(table: NDArray[np.int64], names: Sequence[str], title: str) -> Frame:
    """(H, W, 3) uint8 of counts (2, 2): rows the truth, columns the verdict, brighter for a larger share."""
    cell, left, top = 170, 120, 84
    picture = np.full((top + 2 * cell + 16, left + 2 * cell + 16, 3), _PAPER, np.uint8)
    _write(picture, title, (16, 26))
    _write(picture, "called", (left + cell - 24, 50), _DIM)
    _write(picture, "is", (16, top + cell + 4), _DIM)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(names):
        _write(picture, name, (left + row * cell + 8, top - 10))
        _write(picture, name, (left - 60, top + row * cell + cell // 2))
        for column in range(len(names)):
            at = (left + column * cell, top + row * cell)
            colour = np.array(_GREEN if row == column else _RED)
            glow = 0.12 + 0.6 * shares[row, column]
            filled = (_PAPER + glow * (colour - _PAPER)).astype(np.uint8)
            picture[at[1] : at[1] + cell - 4, at[0] : at[0] + cell - 4] = filled
            _write(picture, f"{table[row, column]:,}", (at[0] + 16, at[1] + cell // 2), _INK, 0.8)
            _write(picture, f"{100 * shares[row, column]:.1f} %", (at[0] + 16, at[1] + cell // 2 + 32))
    return picture


def _panel(
    iterations: Sequence[int],
    curves: Curves,
    marks: dict[str, tuple[int, Colour]],
    top: float | None = None,
) -> Frame:
    """One plot from 0 to `top`, or to a little above the highest value."""
    picture = np.full((_PANEL_PX, _WIDTH, 3), _PAPER, np.uint8)
    values = [value for curve, _ in curves.values() for value in curve if value is not None]
    full = top or 1.05 * max([*values, 1e-6])
    across, down = _WIDTH - _LEFT - _RIGHT, _PANEL_PX - _TOP - _BOTTOM
    last = max(iterations[-1], 1)

    def place(iteration: float, value: float) -> tuple[int, int]:
        x, y = iteration / last, min(max(value / full, 0.0), 1.0)
        return round(_LEFT + x * across), round(_TOP + (1 - y) * down)

    for share in (0, 0.25, 0.5, 0.75, 1):
        level = place(0, share * full)
        cv2.line(picture, level, (_WIDTH - _RIGHT, level[1]), _LINES, 1)
        _write(picture, f"{share * full:.3f}", (4, level[1] + 4), _DIM)
        _write(picture, f"{share * last:.0f}", (place(share * last, 0)[0] - 12, _PANEL_PX - 8), _DIM)
    for iteration, colour in marks.values():
        cv2.line(picture, place(iteration, 0), place(iteration, full), colour, 1)
    for curve, colour in curves.values():
        drawn = zip(iterations, curve, strict=True)
        points = np.array([place(at, value) for at, value in drawn if value is not None], np.int32)
        cv2.polylines(picture, [points.reshape(-1, 1, 2)], False, colour, 2, cv2.LINE_AA)
        if len(points) == 1:
            cv2.circle(picture, points[0].tolist(), 3, colour, -1, cv2.LINE_AA)
    x = _LEFT
    for name, (_, colour) in {**curves, **marks}.items():
        _write(picture, name, (x, 18), colour)
        x += 12 * len(name) + 20
    return picture


def _write(picture: Frame, text: str, at: tuple[int, int], colour: Colour = _INK, size: float = 0.45) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
