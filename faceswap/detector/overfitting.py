"""What was measured while a model was fine-tuned, and whether it learns its pictures by heart."""

from collections.abc import Sequence
from typing import NamedTuple

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
