"""The detector's training loop: until an iteration or within a time, killed and continued at will.

RUN/checkpoints/…      weights, running mean, decoder, optimiser
RUN/log.jsonl          terms every LOG_EVERY iterations, validation figures every `validate_minutes`
RUN/best/              the detector with the best validation figure, as files.save_detector writes it
"""

import json
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field

from faceswap.console import progress_bar, say
from faceswap.detector.data.samples import DetectorBatch
from faceswap.detector.training.steps import DetectorStep
from faceswap.errors import UserError
from faceswap.io.documents import DocumentError, Finite, fitted
from faceswap.io.flow import ordered_map
from faceswap.learn import checkpoint
from faceswap.stopping import StopRequest

LOG_EVERY = 50
# Threads that make batches while others are used.
WORKERS = 2


@dataclass(frozen=True)
class Schedule:
    """When a training ends and what it does on the way; one of `iterations` and `minutes` is needed.

    minutes counts all runs of this training together, without pauses.
    """

    iterations: int | None = None
    minutes: float | None = None
    save_minutes: float = 5.0
    validate_minutes: float = 5.0


class Validation(NamedTuple):
    """figures of the averaged detector on validation data; keep() stores that very detector as the best."""

    figures: dict[str, float]
    keep: Callable[[], None]


class _Stored(BaseModel):
    recipe: dict[str, Any]
    seed: int
    seconds: Annotated[Finite, Field(ge=0)]
    best: Finite | None


class DetectorTraining:
    """One training in a folder, new or continued.

    validate: asks the averaged detector about validation data, never test data; the figure called `better`
    picks the best.
    """

    def __init__(
        self,
        folder: Path,
        step: DetectorStep,
        make: Callable[[int], DetectorBatch],
        schedule: Schedule,
        validate: Callable[[DetectorStep], Validation],
        better: str = "mean_auc",
    ) -> None:
        if schedule.iterations is None and schedule.minutes is None:
            raise UserError("this training would never end", "", "add --minutes or --iterations")
        self.folder, self.step, self.make, self.schedule = folder, step, make, schedule
        self._validate, self._better = validate, better
        self._validated = -1
        self.iteration, self.seconds, self.best = 0, 0.0, float("-inf")
        if checkpoint.exists(folder):
            self._continue()

    @property
    def progress(self) -> float:
        """How much of the training is done, in [0, 1]."""
        if self.schedule.iterations is not None:
            return min(1.0, self.iteration / self.schedule.iterations)
        assert self.schedule.minutes is not None
        return min(1.0, self.seconds / (60 * self.schedule.minutes))

    def run(self) -> None:
        """Train to the end; a signal that asks to stop saves and raises."""
        saved = validated = self.seconds
        clock = time.monotonic()
        batches = ordered_map(self.make, count(self.iteration), WORKERS)
        with StopRequest() as stop, self._bar() as bar, closing(batches):
            while self.progress < 1 and not stop.wanted:
                terms = self.step(next(batches), self.iteration, self.progress)
                self.iteration += 1
                now = time.monotonic()
                self.seconds, clock = self.seconds + now - clock, now
                self._show(bar, terms)
                if self.seconds - validated >= 60 * self.schedule.validate_minutes:
                    # Judging takes a while, in which the process may be killed.
                    self.save()
                    self.validate()
                    # Judging is no training: it must not use up the time that was asked for.
                    clock, validated = time.monotonic(), self.seconds
                if self.seconds - saved >= 60 * self.schedule.save_minutes:
                    self.save()
                    saved = self.seconds
            self.save()
            if stop.wanted:
                say(f"stopped at {100 * self.progress:.0f} %: the same command continues")
        stop.raise_if_wanted()
        self.validate()
        self.save()

    def validate(self) -> None:
        """Judge the averaged detector on validation data and keep it where it is the best so far."""
        if self._validated == self.iteration:
            return
        self._validated = self.iteration
        self.step.mean.eval()
        figures, keep = self._validate(self.step)
        self._log({"iteration": self.iteration, "seconds": round(self.seconds, 1), "validation": figures})
        say(f"  iteration {self.iteration}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
        if figures[self._better] > self.best:
            self.best = figures[self._better]
            keep()

    def save(self) -> None:
        """Write a checkpoint that continues exactly here."""
        state = {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "best": None if self.best == float("-inf") else self.best,
            "recipe": asdict(self.step.recipe),
            "seed": self.step.seed,
        }
        checkpoint.save(self.folder, self.step.tensors(), state)

    def _continue(self) -> None:
        loaded = checkpoint.load(self.folder, self.step.parts(), self._check)
        for note in loaded.rejected:
            say(note)
        checkpoint.set_aside(loaded)
        if other := self._differences(loaded):
            found = ", ".join(other)
            raise UserError(f"{self.folder} is trained another way", found, "name another --output")
        state = fitted(loaded.state, _Stored)
        self.step.restore(loaded.tensors)
        self.iteration, self.seconds = loaded.iteration, state.seconds
        self.best = float("-inf") if state.best is None else state.best
        say(f"continuing at iteration {self.iteration}, {100 * self.progress:.0f} %")

    def _differences(self, loaded: checkpoint.Loaded) -> list[str]:
        """In words, how the checkpoint was trained otherwise."""
        wanted = asdict(self.step.recipe) | {"seed": self.step.seed}
        state = fitted(loaded.state, _Stored)
        there = state.recipe | {"seed": state.seed}
        return [
            f"{name} {there.get(name)} there, {value} now"
            for name, value in wanted.items()
            if there.get(name) != value
        ]

    def _check(self, loaded: checkpoint.Loaded) -> None:
        try:
            differs = self._differences(loaded)
        except DocumentError as error:
            raise checkpoint.DamagedError(f"its state is no detector training's: {error}") from None
        if not differs:
            self.step.check(loaded.tensors)

    def _bar(self) -> Any:
        total = self.schedule.iterations
        return progress_bar("detector", "it", total, self.iteration)

    def _show(self, bar: Any, terms: dict[str, float]) -> None:
        bar.update(1)
        if self.iteration % LOG_EVERY and self.progress < 1:
            return
        left = ""
        if self.schedule.iterations is None and self.schedule.minutes is not None:
            rest = max(0.0, 60 * self.schedule.minutes - self.seconds)
            left = f", {int(rest // 60)}:{int(rest % 60):02d} left"
        bar.set_postfix_str(", ".join(f"{name} {value:.3f}" for name, value in terms.items()) + left)
        self._log({"iteration": self.iteration, "seconds": round(self.seconds, 1)} | terms)

    def _log(self, entry: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # A full disk costs lines of the log; a checkpoint that finds none ends the training.
        with suppress(OSError), (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
