"""The loop that fine-tunes a classifier on a user's folder: killed, continued and cut short at will.

WORK/checkpoints/…    weights, the best weights so far, optimiser, and every evaluation
"""

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor
from torch.nn import functional as F

from faceswap.console import progress_bar, say, warn
from faceswap.detector.finetune.bases import Base
from faceswap.detector.finetune.division import labels_of
from faceswap.detector.finetune.pictures import Evaluation, began_to_overfit, overfitting_told
from faceswap.detector.finetune.prepare import Picture, read_square
from faceswap.detector.finetune.recipe import FolderRecipe, augment, epoch_order, rate
from faceswap.detector.network.model import LABELS
from faceswap.errors import UserError
from faceswap.io.documents import DocumentError, Finite, fitted
from faceswap.io.flow import ordered_map
from faceswap.learn import checkpoint, optimizers
from faceswap.learn.optimizers import decay_groups
from faceswap.learn.stored import refuse_unfit
from faceswap.stopping import StopRequest

SAVE_MINUTES = 5.0
# Threads that read and turn pictures while others are used.
WORKERS = 2
# Squares kept in memory, at 224 px about 0.3 GB: a small folder is then decoded once.
_remembered = lru_cache(2048)(read_square)


class _Stored(BaseModel):
    """The state of a checkpoint."""

    same: dict[str, Any]
    seconds: Annotated[Finite, Field(ge=0)]
    losses: list[Finite]
    evaluations: Annotated[list[Evaluation], Field(min_length=1)]


class FineTuning:
    """One fine-tuning in a folder, new or continued, of the model of `base`, which it changes.

    state: what must be the same to continue it, besides recipe and seed. Everything random follows from the
    seed and the iteration, so that a stopped training goes on as if it had never been stopped.
    """

    def __init__(
        self,
        folder: Path,
        base: Base,
        recipe: FolderRecipe,
        train: Sequence[Picture],
        validation: Sequence[Picture],
        device: torch.device,
        dtype: torch.dtype,
        seed: int,
        state: dict[str, str],
    ) -> None:
        self.folder, self.base, self.recipe, self.seed = folder, base, recipe, seed
        self.train, self.validation, self.device, self.dtype = train, validation, device, dtype
        self.model = base.model.to(device)
        self._labels = labels_of(train)
        self._order = lru_cache(4)(self._draw_order)
        self.steps_an_epoch = math.ceil(len(self._order(0)) / recipe.batch)
        self._same = asdict(recipe) | {"seed": seed} | state
        # As transformers' Trainer has it.
        groups = decay_groups(self.model.named_parameters(), recipe.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        self.iteration, self.seconds = 0, 0.0
        self.evaluations: list[Evaluation] = []
        self._losses: list[float] = []
        self._best: dict[str, Tensor] = {}
        if checkpoint.exists(folder):
            self._continue()

    @property
    def iterations(self) -> int:
        """Updates of the whole training."""
        return self.recipe.epochs * self.steps_an_epoch

    @property
    def progress(self) -> float:
        """How much of the training is done, in [0, 1]."""
        return self.iteration / self.iterations

    @property
    def best(self) -> Evaluation:
        """The evaluation of the lowest validation loss, the first of several."""
        return min(self.evaluations, key=lambda evaluation: evaluation.validation_loss)

    def run(self, minutes: float | None = None) -> None:
        """Train to the end, or for so many minutes of this run; Ctrl-C and SIGTERM save and raise.

        However short the run was, there is an evaluation of where it stands, and so a best one.
        """
        begun, started = time.monotonic(), self.iteration
        saved, before = begun, self.seconds
        if not self.evaluations:
            self._evaluate()
        todo = range(self.iteration, self.iterations)
        with (
            StopRequest() as stop,
            closing(ordered_map(self.batch, todo, WORKERS)) as batches,
            self._bar() as bar,
        ):
            for pictures, labels in batches:
                now = time.monotonic()
                self.seconds = before + now - begun
                if stop.wanted or (minutes is not None and now - begun >= 60 * minutes):
                    break
                self._update(pictures, labels)
                bar.update(1)
                if self._is_due():
                    self._evaluate()
                    bar.set_postfix_str(f"validation loss {self.evaluations[-1].validation_loss:.3f}")
                if now - saved >= 60 * SAVE_MINUTES:
                    self.save()
                    saved = now
            if self.iteration > started or not checkpoint.exists(self.folder):
                self.save()
        if stop.wanted:
            say(f"stopped at {100 * self.progress:.0f} %; --time-budget 0 judges what there is")
        stop.raise_if_wanted()
        if self.evaluations[-1].iteration != self.iteration:
            # Not in the checkpoint: a training that goes on is evaluated where it always would have been.
            self._evaluate()

    def logits(self, pictures: Sequence[Picture]) -> NDArray[np.float64]:
        """The answers (N, 2) of the model as it is now, without augmentation."""
        self.model.eval()
        starts = range(0, len(pictures), self.recipe.batch)
        parts = [np.empty((0, len(LABELS)))]

        def read(start: int) -> NDArray[np.uint8]:
            return np.stack(
                [self._square(picture) for picture in pictures[start : start + self.recipe.batch]]
            )

        with torch.inference_mode():
            for squares in ordered_map(read, starts, WORKERS):
                parts.append(self._forward(squares).double().cpu().numpy())
        self.model.train()
        return np.concatenate(parts)

    def take_best(self) -> None:
        """Give the model the weights of the best evaluation."""
        self.model.load_state_dict(self._best)

    def batch(self, iteration: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The pictures (B, S, S, 3) and labels (B,) of an update."""
        epoch, step = divmod(iteration, self.steps_an_epoch)
        rows = self._order(epoch)[step * self.recipe.batch :][: self.recipe.batch]
        rng = np.random.default_rng((self.seed, 1, iteration))
        squares = [self._square(self.train[row]) for row in rows]
        if self.recipe.augment:
            squares = [augment(square, rng) for square in squares]
        return np.stack(squares), self._labels[rows]

    def save(self) -> None:
        """Write a checkpoint that continues exactly here."""
        parts = {
            "weights": dict(self.model.state_dict()),
            "best": self._best,
            "optimizer": optimizers.to_tensors(self.optimizer),
        }
        content = {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "same": self._same,
            "losses": self._losses,
            "evaluations": [list(evaluation) for evaluation in self.evaluations],
        }
        checkpoint.save(self.folder, parts, content)

    def _continue(self) -> None:
        loaded = checkpoint.load(self.folder, ["weights", "best", "optimizer"], self._check)
        for note in loaded.rejected:
            say(note)
        checkpoint.set_aside(loaded)
        state = fitted(loaded.state, _Stored)
        if other := self._differences(state):
            found = ", ".join(other)
            raise UserError(f"{self.folder} is trained another way", found, "name another --output")
        self.model.load_state_dict(loaded.tensors["weights"])
        self._best = loaded.tensors["best"]
        optimizers.load_tensors(self.optimizer, loaded.tensors["optimizer"])
        self.iteration, self.seconds = loaded.iteration, state.seconds
        self._losses, self.evaluations = state.losses, list(state.evaluations)
        say(f"continuing at iteration {self.iteration}, {100 * self.progress:.0f} %")

    def _differences(self, state: "_Stored") -> list[str]:
        """In words, how the checkpoint was trained otherwise."""
        return [
            f"{name} {state.same.get(name)} there, {value} now"
            for name, value in self._same.items()
            # JSON has no tuples.
            if state.same.get(name) != (list(value) if isinstance(value, tuple) else value)
        ]

    def _check(self, loaded: checkpoint.Loaded) -> None:
        try:
            state = fitted(loaded.state, _Stored)
        except DocumentError as error:
            raise checkpoint.DamagedError(f"its state is no fine-tuning's: {error}") from None
        if self._differences(state):
            return
        if loaded.iteration > self.iterations:
            raise checkpoint.DamagedError(f"iteration {loaded.iteration} of {self.iterations}")
        for part in ("weights", "best"):
            refuse_unfit(self.model.state_dict(), loaded.tensors[part])
        optimizers.check_tensors(self.optimizer, loaded.tensors["optimizer"])

    def _update(self, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.recipe, self.iteration, self.iterations)
        self.model.train()
        with torch.random.fork_rng(devices=[]):
            # Dropout, where a base has any, draws from here.
            torch.manual_seed(self.seed * 1_000_003 + self.iteration)
            loss = F.cross_entropy(self._forward(pictures), torch.from_numpy(labels).to(self.device))
        value = float(loss.detach())
        if not math.isfinite(value):
            hint = "name another --output and a smaller --learning-rate"
            raise UserError("the loss is no number any more", f"after {self.iteration} updates", hint)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self._losses.append(value)
        self.iteration += 1

    def _forward(self, pictures: NDArray[np.uint8]) -> Tensor:
        pixels = self.base.pixels(torch.from_numpy(pictures).to(self.device))
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            logits: Tensor = self.model(pixel_values=pixels).logits
        return logits.float()

    def _is_due(self) -> bool:
        every = self.recipe.evaluate_every or self.steps_an_epoch
        return self.iteration % every == 0 or self.iteration == self.iterations

    def _evaluate(self) -> None:
        logits = torch.from_numpy(self.logits(self.validation))
        labels = torch.from_numpy(labels_of(self.validation))
        overfit = began_to_overfit(self.evaluations)
        evaluation = Evaluation(
            self.iteration,
            self.iteration / self.steps_an_epoch,
            float(np.mean(self._losses)) if self._losses else None,
            float(F.cross_entropy(logits, labels)),
            float((logits.argmax(1) == labels).double().mean()),
            self.seconds,
        )
        self._losses = []
        self.evaluations.append(evaluation)
        if self.best is evaluation:
            self._best = {
                name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()
            }
        loss = "" if evaluation.train_loss is None else f"train loss {evaluation.train_loss:.4f}, "
        say(
            f"  iteration {self.iteration}: {loss}validation loss {evaluation.validation_loss:.4f}, "
            f"accuracy {evaluation.validation_accuracy:.4f}"
        )
        began = began_to_overfit(self.evaluations)
        if began is not None and overfit is None:
            warn(overfitting_told(began))

    def _square(self, picture: Picture) -> NDArray[np.uint8]:
        return _remembered(picture.path, self.base.size_px)

    def _draw_order(self, epoch: int) -> NDArray[np.int64]:
        return epoch_order(self._labels, self.recipe.balance, np.random.default_rng((self.seed, 0, epoch)))

    def _bar(self) -> Any:
        return progress_bar("fine-tune", "it", self.iterations, self.iteration)
