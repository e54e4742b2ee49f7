"""The training loop: iterate, report, look, measure, save; stop at a target, a time or a signal; heal."""

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from statistics import median

from faceswap.console import progress_bar
from faceswap.errors import UserError
from faceswap.io.lock import FolderLock
from faceswap.stopping import StopRequest
from faceswap.train import reset
from faceswap.train.data.batches import Batches, Feed
from faceswap.train.distributed import is_loss_of_a_peer
from faceswap.train.log import ENDED, History, Journal
from faceswap.train.memory import is_out_of_memory, out_of_memory
from faceswap.train.preview import MEAN_OF, PreviewFaces
from faceswap.train.quality import Judge, Track
from faceswap.train.run import Run
from faceswap.train.saving import CollapseError, FlatWatch, LossWatch, RunSaver
from faceswap.train.schedule import ActiveOptions, LiveOptions, Schedule, is_flat
from faceswap.train.update.steps import Losses, TrainStep
from faceswap.train.viewer import Board, Viewer
from faceswap.train.watch import requests

# How often the run folder is looked at for changes and requests, and a phase's curve for its plateau.
_LISTEN_S = 1.0
_PLATEAU_EVERY = 100


class Trainer:
    """Trains one run; everything it writes lies in the run's folder.

    director: hands out orders in place of the `schedule` and the step's options; judge: measures how good
    the model is; board: TensorBoard's. Each may be left out.
    """

    def __init__(
        self,
        run: Run,
        step: TrainStep,
        batches: Batches,
        schedule: Schedule,
        *,
        live_options: LiveOptions | None = None,
        judge: Judge | None = None,
        board: Board | None = None,
    ) -> None:
        self.run, self.step, self.batches = run, step, batches
        self._live_options, self._judge, self._board = live_options, judge, board
        self._orders = live_options.orders() if live_options else ActiveOptions(step.options, schedule)
        self._journal = Journal(run.folder)
        self._losses, self._flatness = LossWatch(), FlatWatch()
        self._durations_s: deque[float] = deque(maxlen=51)
        self._waits_s: deque[float] = deque(maxlen=51)
        self._ending: str | None = None  # why, once it is to end

    @property
    def schedule(self) -> Schedule:
        """The schedule that holds now."""
        return self._orders.schedule

    def train(self) -> None:
        """Run until the schedule or the recipe ends or a stop is asked for, and save.

        A collapse is answered by going back to the last good checkpoint with half the step. Raises
        KeyboardInterrupt (Ctrl-C) or Stopped (SIGTERM, SIGHUP) after saving, and UserError where a collapse
        comes again and again, the memory does not suffice, or another process trains the same run.
        """
        run = self.run
        with ExitStack() as stack:
            stack.enter_context(FolderLock(run.folder))
            stop = stack.enter_context(StopRequest())
            self._history = stack.enter_context(History(run.folder / "history.jsonl", run.iteration))
            self._feed = stack.enter_context(closing(Feed(self.batches)))
            self._bar = stack.enter_context(
                progress_bar(run.folder.name, "it", self.schedule.iterations, run.iteration)
            )
            self._begin()
            stack.enter_context(self._parting())
            while not self._train_and_save(stop):
                pass
        stop.raise_if_wanted()

    def _begin(self) -> None:
        run = self.run
        self._keeper = RunSaver(run, self.step, self._history, self._journal)
        self._track = Track(run.folder / "quality.jsonl", run.iteration)
        self._viewer = Viewer(run, self.step, self.batches, self._journal, self._board)
        self._obey(self._orders)
        requests.take(run.folder)
        self._started = self._listened_at = self._measured_at = time.monotonic()
        self._previewed_at = -math.inf
        self._journal.say(f"training from iteration {run.iteration} on")
        if self._live_options and (text := self._live_options.introduction()):
            self._journal.say(text)

    @contextmanager
    def _parting(self) -> Iterator[None]:
        """The log's last line, whatever ends what is done while entered."""
        try:
            yield
        except BaseException as error:
            self._ending = _reason(error)
            raise
        finally:
            number, saved = self.run.iteration, self._keeper.saved_iteration
            src, dst = self._history.mean_since(max(0, number - MEAN_OF))
            loss = f", loss src {src:.4f} dst {dst:.4f}" if number else ""
            kept = f"; saved is iteration {saved}" if saved != number else ""
            self._journal.say(f"{ENDED} {number}{loss}: {self._ending}{kept}")

    def _ended(self, stop: StopRequest) -> bool:
        target, minutes = self.schedule.iterations, self.schedule.minutes
        if stop.wanted:
            again = "Ctrl-C once more stops without saving"
            self._journal.say(f"stopping at iteration {self.run.iteration}; {again}")
            self._ending = "by a signal"
        elif target is not None and self.run.iteration >= target:
            self._ending = "all iterations are done"
        elif minutes is not None and time.monotonic() - self._started >= 60 * minutes:
            self._ending = "the time is over"
        return self._ending is not None

    def _train_and_save(self, stop: StopRequest) -> bool:
        """Train to the end; False where a collapse came in between and there is more to do."""
        try:
            while not self._ended(stop):
                self._advance()
            self._save(last=True)
        except CollapseError as error:
            self._heal(error)
            return False
        return True

    def _advance(self) -> None:
        """One iteration and what is due after it."""
        losses = self._iterate()
        self._bar.set_postfix_str(self._report(losses), refresh=False)
        self._bar.update(1)
        self._direct()
        self._listen()
        self._look_and_save()

    def _iterate(self) -> Losses:
        run = self.run
        begun = time.monotonic()
        batch = self._feed.next(run.samples, self.step.options)
        got = time.monotonic()
        try:
            losses = self.step(batch, run.seed, run.iteration)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._keeper.save(0, last=True)
            raise self._out_of_memory() from None
        run.samples += self.batches.batch_size
        self._losses.see(losses.src, losses.dst)
        seconds, waited = time.monotonic() - begun, got - begun
        run.iteration += 1
        run.elapsed_s += seconds
        extra = {"wait_ms": 1000 * waited, **losses.extra}
        self._history.append(run.iteration, losses.src, losses.dst, 1000 * seconds, extra)
        self._durations_s.append(seconds)
        self._waits_s.append(waited)
        if self._board:
            named = {"src": losses.src, "dst": losses.dst, **losses.extra}
            self._board.losses(run.iteration, named)
            self._board.speed(run.iteration, seconds, 2 * self.batches.batch_size, waited / seconds)
        return losses

    def _out_of_memory(self) -> UserError:
        return out_of_memory(self.step, self.batches.batch_size, self._keeper.saved_iteration)

    def _report(self, losses: Losses) -> str:
        # A median, because the first iteration and a busy moment say nothing about the rest.
        typical = median(self._durations_s)
        waited = sum(self._waits_s) / sum(self._durations_s)
        text = f"src {losses.src:.4f} dst {losses.dst:.4f}"
        text += f", {1000 * typical:.0f} ms/iteration, {2 * self.batches.batch_size / typical:.1f} samples/s"
        text += f", {waited:.0%} waiting for data"
        if self.schedule.minutes is None:
            return text
        left = max(0.0, 60 * self.schedule.minutes - (time.monotonic() - self._started))
        return f"{text}, {int(left) // 60}:{int(left) % 60:02} left"

    def _direct(self) -> None:
        """Draw inter_AB anew where that is due, and go on to the recipe's next phase where one has ended."""
        run, every = self.run, self.schedule.reset_inter
        in_phase = run.iteration - run.phase_since
        if every and in_phase and in_phase % every == 0:
            reset.redraw(run.model, reset.INTER, run.seed, run.iteration)
            self._losses.forget()
            self._journal.say(f"{reset.INTER} drawn anew at iteration {run.iteration}")
        if self._live_options is None:
            return
        curves: tuple[list[float], list[float]] = ([], [])
        if in_phase % _PLATEAU_EVERY == 0:
            curves = self._track.errors_since(run.phase_since), self._history.sums_since(run.phase_since)
        orders = self._live_options.advance(*curves)
        if orders is not None:
            self._save()
            self._keeper.back_up("phase")
            self._obey(orders)
            self._ending = "the recipe is over" if self._live_options.over else None

    def _listen(self) -> None:
        """See whether the settings file was changed, or a window asks for something."""
        if time.monotonic() - self._listened_at < _LISTEN_S:
            return
        self._listened_at = time.monotonic()
        orders = self._live_options.reread() if self._live_options else None
        if orders is not None:
            self._obey(orders)
        asked = requests.take(self.run.folder)
        if "samples" in asked:
            self._viewer.draw_others()
            self._previewed_at = -math.inf
        if asked & {"save", "backup"}:
            self._save()
        if "backup" in asked:
            self._keeper.back_up("hand")
        if "stop" in asked:
            self._ending = "a window asked for it"

    def _look_and_save(self) -> None:
        now, schedule = time.monotonic(), self.schedule
        if self._judge and now - self._measured_at >= 60 * schedule.quality_minutes:
            self._measure()
        elif self._keeper.due(schedule.save_minutes):
            self._save()
        elif now - self._previewed_at >= schedule.preview_seconds:
            self._show(self._look())

    def _look(self) -> PreviewFaces:
        """Look whether a face has gone flat."""
        faces = self._viewer.look()
        self._flatness.see(faces)
        return faces

    def _show(self, faces: PreviewFaces) -> None:
        self._viewer.show(faces, self._history, self._track.figures, self.schedule.timelapse)
        self._previewed_at = time.monotonic()

    def _save(self, last: bool = False) -> bool:
        """Save after a look, for a model whose face is flat never becomes a checkpoint, and draw after it."""
        faces = self._look()
        saved = self._keeper.save(self.schedule.keep, last)
        self._show(faces)
        return saved

    def _measure(self) -> None:
        """Measure the held-back faces and save; keep the best, and end when nothing gets better."""
        assert self._judge is not None
        figures = self._judge.measure(self.step, self.run.iteration)
        best = self._track.add(figures)
        self._journal.say(f"held-back faces at iteration {self.run.iteration}: {figures}")
        if self._board:
            self._board.figures(figures)
        if self._save() and best:
            self._keeper.back_up("best")
        self._measured_at = time.monotonic()
        if self.schedule.stop_when_flat and is_flat(self._track.errors_since(self.run.phase_since)):
            self._journal.say("the error on held-back faces falls no more: that is what this training gives")
            self._ending = "the error falls no more"

    def _heal(self, error: CollapseError) -> None:
        self._keeper.roll_back(error)
        self._losses.forget()
        self._track.cut(self.run.iteration)
        self._obey(self._live_options.orders() if self._live_options else self._orders)
        self._bar.n = self.run.iteration

    def _obey(self, orders: ActiveOptions) -> None:
        """Train by `orders` from now on, with what collapses have left of the learning rate."""
        if orders.options != self._orders.options:
            self._losses.forget()
        self._orders = orders
        for note in self.step.change(orders.options, self.run.step_factor):
            self._journal.say(note)
        self._bar.total = orders.schedule.iterations


def _reason(error: BaseException) -> str:
    if is_loss_of_a_peer(error):
        return "another process of this training has ended"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted without saving"
    return str(error).partition("\n")[0] or type(error).__name__
