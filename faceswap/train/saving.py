"""Saving a run, noticing that it collapses, and taking it back to where it was good."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.learn import backups, checkpoint
from faceswap.learn.stored import check_run
from faceswap.train.log import History, Journal
from faceswap.train.preview import PreviewFaces
from faceswap.train.run import Run
from faceswap.train.update.steps import TrainStep
from faceswap.types import Image

# The running scale of a loss: its median over so many iterations, trusted from so many on.
_REFERENCE, _ENOUGH = 400, 100
# An explosion is no single bad batch: the median of so many iterations is this much above the scale, both
# as a factor and in robust deviations (1.4826 · MAD is a normal distribution's sigma).
_RECENT = 16
_TIMES, _SIGMAS = 2.0, 8.0
_MAD_TO_SIGMA = 1.4826
# Contrast of a made face against the one it should be: flat below, alive above.
_FLAT, _ALIVE = 0.2, 0.5


class CollapseError(Exception):
    """The model has broken; the text says how."""


class LossWatch:
    """Looks at the losses of both sides as they come; `see` raises CollapseError."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: after a change of the options, losses may jump for a good reason."""
        self._seen = {side: deque[float](maxlen=_REFERENCE + _RECENT) for side in ("src", "dst")}

    def see(self, src: float, dst: float) -> None:
        """Take the losses of one iteration; raises CollapseError for no number, or an explosion."""
        for side, loss in (("src", src), ("dst", dst)):
            if not math.isfinite(loss):
                raise CollapseError(f"the loss is no number any more ({side} {loss})")
            seen = self._seen[side]
            seen.append(loss)
            if len(seen) >= _ENOUGH + _RECENT:
                _refuse_explosion(side, np.array(seen))


class FlatWatch:
    """Looks at previews for a face that has lost its contrast; `see` raises CollapseError.

    A new model's faces are flat too: a column counts only after it has been alive.
    """

    def __init__(self) -> None:
        self._alive: set[str] = set()

    def see(self, faces: PreviewFaces) -> None:
        """Raises CollapseError naming what has gone flat."""
        pairs = {
            "src > src": (faces.src_src, faces.src),
            "dst > dst": (faces.dst_dst, faces.dst),
            "swap": (faces.swap, faces.dst),
        }
        for name, (made, wanted) in pairs.items():
            ratio = contrast_ratio(made, wanted)
            if not math.isfinite(ratio):
                raise CollapseError(f"the faces of {name!r} are no numbers any more")
            if ratio > _ALIVE:
                self._alive.add(name)
            elif ratio < _FLAT and name in self._alive:
                raise CollapseError(f"the faces of {name!r} have gone flat ({ratio:.0%} of their contrast)")


def contrast_ratio(made: Image, wanted: Image) -> float:
    """Median over (N, R, R, 3) faces of the standard deviation of the middle, made ÷ wanted."""
    edge = made.shape[1] // 4
    middle = (slice(None), slice(edge, -edge), slice(edge, -edge))
    deviations = [pictures[middle].std(axis=(1, 2)).mean(axis=-1) for pictures in (made, wanted)]
    return float(np.median(deviations[0] / np.maximum(deviations[1], 1e-6)))


def _refuse_explosion(side: str, seen: NDArray[np.float64]) -> None:
    before, now = seen[:-_RECENT], float(np.median(seen[-_RECENT:]))
    scale = float(np.median(before))
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(before - scale)))
    if now > max(_TIMES * scale, scale + _SIGMAS * sigma):
        raise CollapseError(f"the {side} loss has exploded from {scale:.4f} to {now:.4f}")


# After a collapse the step is halved; so many times in a row without getting past it is enough.
_STEP_FACTOR = 0.5
_MOST_ROLL_BACKS = 4
_RETRY_S = 60.0


class RunSaver:
    """Writes the checkpoints and backups of one run."""

    def __init__(self, run: Run, step: TrainStep, history: History, journal: Journal) -> None:
        self._run, self._step, self._history, self._journal = run, step, history, journal
        self.saved_iteration = run.iteration
        self._tried_at = time.monotonic()
        self._refused = False
        self._roll_backs = self._collapsed_at = 0

    def due(self, minutes: float) -> bool:
        """Whether a save is due that comes every so many minutes; after a refused one, in a minute."""
        # A new model is saved at once, so that a full disk or a wrong folder shows in the first minute.
        first = self._run.iteration == 1 and self.saved_iteration == 0
        wait_s = min(_RETRY_S, 60 * minutes) if self._refused else 60 * minutes
        return first or time.monotonic() - self._tried_at >= wait_s

    def save(self, keep: int, last: bool = False) -> bool:
        """Write a checkpoint unless there is one of this iteration; returns whether it is on the disk.

        Where the disk refuses, training goes on and it is tried again: the weights in memory are then the
        only copy of what was learnt since, and a full disk is often freed by another program or by the user
        who reads the warning. The first and the `last` save raise the OSError, as nothing comes after.
        Raises CollapseError rather than to save weights that are no numbers.
        """
        if self._run.iteration == self.saved_iteration:
            return True
        if not self._step.is_finite():
            raise CollapseError("the weights are no numbers any more")
        self._tried_at = time.monotonic()
        try:
            self._run.save(self._step.tensors())
        except OSError as error:
            if last or not self.saved_iteration:
                raise
            self._refused = True
            self._journal.warn(
                f"not saved at iteration {self._run.iteration}: {error}; the checkpoint of iteration "
                f"{self.saved_iteration} is whole, training goes on and tries again"
            )
            return False
        src, dst = self._history.mean_since(self.saved_iteration)
        self._journal.say(
            f"saved at iteration {self._run.iteration}; mean loss since the last: src {src:.4f} dst {dst:.4f}"
        )
        self.saved_iteration, self._refused = self._run.iteration, False
        if self.saved_iteration > self._collapsed_at:
            self._roll_backs = 0
        self._try_backup(lambda: backups.rotate(self._run.folder, keep))
        return True

    def back_up(self, kind: backups.Kind) -> None:
        """Keep the newest checkpoint as a backup; a disk that refuses costs only the backup."""
        folder = self._run.folder
        self._try_backup(
            lambda: backups.keep_best(folder) if kind == "best" else backups.back_up(folder, kind)
        )

    def _try_backup(self, make: Callable[[], backups.Backup | None]) -> None:
        try:
            made = make()
        except (OSError, UserError, checkpoint.DamagedError) as error:
            self._journal.warn(f"no backup was made: {error}")
            return
        if made is not None:
            self._journal.say(f"backup {made.path.name} made")

    def roll_back(self, error: CollapseError) -> None:
        """Go back to the newest good checkpoint, the second time in a row to an older one, at half the step.

        Faces go on where they were drawn last, so that those which led into the collapse do not come again.
        Raises UserError when there is none, or going back has not helped.
        """
        run = self._run
        at = run.iteration + 1
        candidates = list(self._candidates()) if self._roll_backs < _MOST_ROLL_BACKS else []
        if not candidates:
            raise self._given_up(error, at)
        loaded = candidates[min(self._roll_backs, len(candidates) - 1)]
        backups.return_to(run.folder, loaded.path)
        run.return_to(loaded)
        run.step_factor *= _STEP_FACTOR
        self._step.load_tensors(run.tensors)
        self._history.cut(run.iteration)
        self._roll_backs += 1
        self._collapsed_at = max(self._collapsed_at, at)
        self.saved_iteration = run.iteration
        self._journal.warn(
            f"{error} at iteration {at}: back at the checkpoint of iteration {run.iteration}, "
            f"from there with {run.step_factor:g} × the learning rate"
        )

    def _candidates(self) -> Iterator[checkpoint.Loaded]:
        """The intact checkpoints, newest first, then the automatic backups that are older."""
        autos = [backup.path for backup in backups.list_backups(self._run.folder) if backup.kind == "auto"]
        seen: set[int] = set()
        for path in (*checkpoint.saved(self._run.folder), *autos):
            try:
                loaded = checkpoint.read(path, accept=check_run)
            except UserError:
                continue
            if loaded.iteration not in seen:
                seen.add(loaded.iteration)
                yield loaded

    def _given_up(self, error: CollapseError, at: int) -> UserError:
        often = f"; going back {self._roll_backs} times did not help" if self._roll_backs else ""
        kept = f"the checkpoint of iteration {self.saved_iteration} is kept" if self.saved_iteration else ""
        return UserError(
            f"{error} at iteration {at}{often}",
            kept,
            "go on with a smaller --learning-rate, with --precision float32, or with an older backup "
            "(python -m stages.model list)",
        )
