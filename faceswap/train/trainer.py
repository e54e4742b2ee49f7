"""The training loop: iterate, report, look, save; stop at a target, a time, a signal or a broken loss."""

import math
import time
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median

from faceswap.console import progress_bar, say
from faceswap.errors import UserError
from faceswap.io.images import write_image
from faceswap.stopping import StopRequest
from faceswap.train.batches import Batch, Batches
from faceswap.train.history import History
from faceswap.train.preview import contact_sheet, loss_plot
from faceswap.train.run import Run
from faceswap.train.steps import Losses, TrainStep

PREVIEW_ROWS = 4


@dataclass(frozen=True)
class Schedule:
    """When to stop, save and look.

    iterations: stop when the model has had so many in its life, or None.
    minutes: stop after training so long in this run, or None.
    save_minutes, preview_seconds: how long at most between two saves, two previews.
    """

    iterations: int | None = None
    minutes: float | None = None
    save_minutes: float = 10.0
    preview_seconds: float = 60.0


class Trainer:
    """Trains one run; everything it writes lies in the run's folder."""

    def __init__(self, run: Run, step: TrainStep, batches: Batches, schedule: Schedule) -> None:
        self.run, self.step, self.batches, self.schedule = run, step, batches, schedule
        self._saved_iteration = run.iteration
        self._durations_s: deque[float] = deque(maxlen=51)

    def train(self) -> None:
        """Run until the schedule ends or a stop is asked for; saves before it returns or raises.

        Raises KeyboardInterrupt (Ctrl-C) or Stopped (SIGTERM) after saving, and UserError, without
        saving, when a loss is not a finite number any more.
        """
        with ExitStack() as stack:
            stop = stack.enter_context(StopRequest())
            history = stack.enter_context(History(self.run.folder / "history.jsonl", self.run.iteration))
            batches = stack.enter_context(closing(self.batches.follow(self.run.samples)))
            bar = stack.enter_context(
                progress_bar(self.run.folder.name, "it", self.schedule.iterations, self.run.iteration)
            )
            self._started = self._saved_at = time.monotonic()
            self._previewed_at = -math.inf
            while not self._finished() and not stop.wanted:
                losses = self._iterate(next(batches), history)
                bar.set_postfix_str(self._report(losses), refresh=False)
                bar.update(1)
                self._look_and_save(history)
            if stop.wanted:
                say(f"stopping at iteration {self.run.iteration}; once more to stop without saving")
            self._save(history)
            self._preview(history)
        stop.raise_if_wanted()

    def _finished(self) -> bool:
        target, minutes = self.schedule.iterations, self.schedule.minutes
        reached = target is not None and self.run.iteration >= target
        return reached or (minutes is not None and time.monotonic() - self._started >= 60 * minutes)

    def _iterate(self, batch: Batch, history: History) -> Losses:
        begun = time.monotonic()
        losses = self.step(batch, self.run.seed, self.run.iteration)
        seconds = time.monotonic() - begun
        if not all(map(math.isfinite, losses)):
            raise self._broken(f"the loss is no number any more (src {losses.src}, dst {losses.dst})")
        self.run.iteration += 1
        self.run.samples += self.batches.batch_size
        self.run.elapsed_s += seconds
        history.append(self.run.iteration, losses.src, losses.dst, 1000 * seconds)
        self._durations_s.append(seconds)
        return losses

    def _broken(self, what: str) -> UserError:
        return UserError(
            f"{what} at iteration {self.run.iteration + 1}",
            f"the checkpoint of iteration {self._saved_iteration} is kept" if self._saved_iteration else "",
            "go on from there with a smaller --learning-rate, or with --precision float32",
        )

    def _report(self, losses: Losses) -> str:
        # A median, because the first iteration and a busy moment say nothing about the rest.
        typical = median(self._durations_s)
        text = f"src {losses.src:.4f} dst {losses.dst:.4f}"
        text += f", {1000 * typical:.0f} ms/iteration, {2 * self.batches.batch_size / typical:.1f} samples/s"
        if self.schedule.minutes is None:
            return text
        left = max(0.0, 60 * self.schedule.minutes - (time.monotonic() - self._started))
        return f"{text}, {int(left) // 60}:{int(left) % 60:02} left"

    def _look_and_save(self, history: History) -> None:
        # A new model is saved at once, so that a full disk or a wrong folder shows in the first minute.
        if self.run.iteration == 1 or time.monotonic() - self._saved_at >= 60 * self.schedule.save_minutes:
            self._save(history)
        if time.monotonic() - self._previewed_at >= self.schedule.preview_seconds:
            self._preview(history)

    def _save(self, history: History) -> None:
        if self.run.iteration == self._saved_iteration:
            return
        if not self.step.is_finite():
            raise self._broken("the weights are no numbers any more")
        self.run.save(self.step.optimizer_tensors())
        src, dst = history.mean_since(self._saved_iteration)
        say(f"saved at iteration {self.run.iteration}; mean loss since the last: src {src:.4f} dst {dst:.4f}")
        self._saved_iteration, self._saved_at = self.run.iteration, time.monotonic()

    def _preview(self, history: History) -> None:
        faces = self.step.preview(
            self.batches.src.spread(PREVIEW_ROWS), self.batches.dst.spread(PREVIEW_ROWS)
        )
        title = f"{self.run.folder.name}  {self.run.model.spec.arch}  iteration {self.run.iteration}"
        write_image(self.run.folder / "preview.png", contact_sheet(faces, title))
        write_image(self.run.folder / "loss.png", loss_plot(history.src, history.dst, self.run.iteration))
        self._previewed_at = time.monotonic()
