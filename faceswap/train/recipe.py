"""A recipe: phases of training, each a set of options until an iteration count or a plateau.

The presets of stages.train hold them, `--preset recipe`: warped first, then unwarped, then with the
discriminator, as the guides of DeepFaceLab's users go about it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

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
