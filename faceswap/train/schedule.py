"""Which options hold now: a recipe's phase over those of the settings file in the run folder.

The presets of stages.train hold them, `--preset recipe`: warped first, then unwarped, then with the
discriminator, as the guides of DeepFaceLab's users go about it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from faceswap.errors import UserError
from faceswap.io.documents import read_settings
from faceswap.train.log import Journal
from faceswap.train.options import StepOptions
from faceswap.types import Json

if TYPE_CHECKING:
    from faceswap.train.run import Run


# A series is flat when its last quarter is less than this below the quarter before, and surely so.
_WORTH = 0.01
_SURE_SIGMAS = 2.0
# Fewer points than these say nothing; losses are averaged to so many blocks first.
_LEAST_POINTS, _BLOCKS = 16, 64


class Phase(BaseModel):
    """settings: options of stages.train that hold in it, by name. iterations: its longest.

    plateau: it ends earlier when the error on held-back faces (without any, the loss) falls no more, but not
    before `at_least` iterations. The last phase may have no end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    settings: dict[str, Any] = Field(default_factory=dict)
    iterations: int | None = Field(None, ge=1)
    plateau: bool = False
    at_least: int = Field(2000, ge=1)

    def end(self, iterations: int, errors: Sequence[float], losses: Sequence[float]) -> str | None:
        """Why it ends after so many iterations of it, None where it goes on.

        errors: figures of the held-back faces in this phase, oldest first; losses: of every iteration in it.
        """
        if self.iterations is not None and iterations >= self.iterations:
            return f"it has had its {self.iterations} iterations"
        if not self.plateau or iterations < self.at_least:
            return None
        if errors:
            return "the error on held-back faces falls no more" if is_flat(errors) else None
        return "the loss falls no more" if is_flat(averaged(losses)) else None


def is_flat(values: Sequence[float]) -> bool:
    """Whether a falling series has come to rest: its last quarter is not 1 % below the quarter before it.

    Medians are compared, and twice the standard error of their difference is given to the fall: a noisy
    series counts as flat only when there are enough points to be sure.
    """
    if len(values) < _LEAST_POINTS:
        return False
    quarter = len(values) // 4
    before, after = (np.asarray(part) for part in (values[-2 * quarter : -quarter], values[-quarter:]))
    fall = np.median(before) - np.median(after)
    # The standard error of a median is 1.2533 σ/√n; differences of neighbours carry no trend.
    steps = np.diff(np.asarray(values[-2 * quarter :]))
    sigma = np.std(steps) / np.sqrt(2)
    doubt = _SURE_SIGMAS * 1.2533 * sigma * np.sqrt(2 / quarter)
    return bool(fall + doubt < _WORTH * np.median(before))


def averaged(losses: Sequence[float]) -> list[float]:
    """Means of at most 64 equal stretches of `losses`, oldest first."""
    return [float(part.mean()) for part in np.array_split(np.asarray(losses), _BLOCKS) if len(part)]


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
class ActiveOptions:
    """How to train and when to do what, from now on."""

    options: StepOptions
    schedule: Schedule


class LiveOptions:
    """Hands out orders: at the start, when the settings file was changed, when a phase has ended.

    path: the settings file, as the stage has written it. live: names in it that may change while training.
    resolve: from changed settings, by name, to orders; raises UserError for what cannot be.
    """

    def __init__(
        self,
        run: "Run",
        path: Path,
        live: Collection[str],
        resolve: Callable[[Json], ActiveOptions],
        phases: Sequence[Phase],
        journal: Journal,
    ) -> None:
        self._run, self._path, self._live, self._resolve = run, path, live, resolve
        self._phases, self._journal = phases, journal
        self._stamp = _stamp(path)
        self._values = self._read()
        self._written = frozenset(self._values)  # The stage writes all settings that there are.
        self._changes: Json = {}

    def orders(self) -> ActiveOptions:
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

    def reread(self) -> ActiveOptions | None:
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

    def advance(self, errors: Sequence[float], losses: Sequence[float]) -> ActiveOptions | None:
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
