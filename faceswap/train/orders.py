"""Which options hold now: those of the settings file in the run folder, and over them the phase's."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceswap.errors import UserError
from faceswap.io.documents import read_settings
from faceswap.train.journal import Journal
from faceswap.train.options import StepOptions
from faceswap.train.recipe import Phase
from faceswap.types import Json

if TYPE_CHECKING:
    from faceswap.train.run import Run


@dataclass(frozen=True)
class Schedule:
    """When to stop, save, look and measure.

    iterations: stop when the model has had so many in its life, or None.
    minutes: stop after training so long in this run, or None.
    save_minutes, preview_seconds, quality_minutes: how long at most between two of these.
    keep: automatic backups of so many hours and days, 0 for none.
    timelapse: so many previews are kept, 0 for none.
    reset_inter: LIAE's inter_AB is drawn anew every so many iterations of a phase, or None.
    stop_when_flat: stop when the error on held-back faces falls no more.
    """

    iterations: int | None = None
    minutes: float | None = None
    save_minutes: float = 10.0
    preview_seconds: float = 60.0
    quality_minutes: float = 10.0
    keep: int = 0
    timelapse: int = 0
    reset_inter: int | None = None
    stop_when_flat: bool = False


@dataclass(frozen=True)
class Orders:
    """How to train and when to do what, from now on."""

    options: StepOptions
    schedule: Schedule


class Director:
    """Hands out orders: at the start, when the settings file was changed, when a phase has ended.

    path: the settings file, as the stage has written it. live: names in it that may change while training.
    resolve: from changed settings, by name, to orders; raises UserError for what cannot be.
    """

    def __init__(
        self,
        run: "Run",
        path: Path,
        live: Collection[str],
        resolve: Callable[[Json], Orders],
        phases: Sequence[Phase],
        journal: Journal,
    ) -> None:
        self._run, self._path, self._live, self._resolve = run, path, live, resolve
        self._phases, self._journal = phases, journal
        self._stamp = _stamp(path)
        self._values = self._read()
        self._written = frozenset(self._values)  # The stage writes all settings that there are.
        self._changes: Json = {}

    def orders(self) -> Orders:
        """What holds now; UserError where a phase sets what cannot be."""
        phase = self._phase
        return self._resolve(self._changes | (phase.settings if phase else {}))

    def introduction(self) -> str | None:
        """Which phase it is, as a sentence; None without a recipe."""
        phase = self._phase
        if phase is None:
            return None
        number = min(self._run.phase + 1, len(self._phases))
        set_to = (
            ", ".join(f"{name} {value}" for name, value in phase.settings.items()) or "nothing of its own"
        )
        begun = f"from iteration {self._run.phase_since}"
        return f"phase {number} of {len(self._phases)}, {phase.name!r}, {begun}: {set_to}"

    @property
    def over(self) -> bool:
        """Whether the recipe's last phase has ended."""
        return bool(self._phases) and self._run.phase >= len(self._phases)

    def reread(self) -> Orders | None:
        """New orders where the settings file was changed; what cannot be is said and changes nothing."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return None
        self._stamp, before = stamp, (self._values, self._changes)
        try:
            values = self._read()
            changed = {name: value for name, value in values.items() if value != self._values.get(name)}
            self._values = values
            self._changes = self._changes | {n: v for n, v in changed.items() if n in self._live}
            orders = self.orders()
        except (UserError, OSError) as error:
            self._values, self._changes = before
            self._journal.warn(f"{self._path.name} was changed, but not to what can be used: {error}")
            return None
        self._tell(changed)
        return orders

    def advance(self, errors: Sequence[float], losses: Sequence[float]) -> Orders | None:
        """New orders where the phase has ended; both series are those of this phase, oldest first."""
        if self._phase is None or self.over:
            return None
        since = self._run.iteration - self._run.phase_since
        reason = self._phase.end(since, errors, losses)
        if reason is None:
            return None
        self._journal.say(f"phase {self._phase.name!r} ends at iteration {self._run.iteration}: {reason}")
        self._run.phase, self._run.phase_since = self._run.phase + 1, self._run.iteration
        last = self._run.phase == len(self._phases)
        self._journal.say("that was the recipe's last phase" if last else self.introduction() or "")
        return self.orders()

    @property
    def _phase(self) -> Phase | None:
        return self._phases[min(self._run.phase, len(self._phases) - 1)] if self._phases else None

    def _read(self) -> Json:
        return read_settings(self._path)

    def _tell(self, changed: Json) -> None:
        phase = self._phase
        for name, value in changed.items():
            if name not in self._written:
                self._journal.warn(f"{self._path.name} sets {name}, but there is no such setting")
            elif name not in self._live:
                self._journal.warn(f"{name} can only change when training is started anew")
            elif phase and name in phase.settings:
                self._journal.warn(f"{name} is decided by the phase {phase.name!r}")
            else:
                self._journal.say(f"from iteration {self._run.iteration} on: {name} {value}")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
