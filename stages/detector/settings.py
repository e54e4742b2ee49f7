"""What several sub-commands of stages.detector take, and how they ask for what they cannot do without."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from faceswap.config import StageSettings, option
from faceswap.errors import UserError
from faceswap.runtime import DeviceName, Precision

T = TypeVar("T")


class SetSettings(StageSettings):
    set_: Path = Field(
        Path("workspace/detector_set"), alias="set", description="folder of crops and manifest.csv"
    )


class MakeSettings(SetSettings):
    """Of those that fill the set."""

    def writes(self) -> Iterable[Path]:
        return [self.set_]


class JudgeSettings(SetSettings):
    exam_pairs: int = option(200, "pairs of each manipulation in an exam", ge=10, le=20000)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the networks")


def need(value: T | None, flag: str) -> T:
    """`value`, or a UserError that asks for the flag."""
    if value is None:
        raise UserError(f"{flag} is needed here", "", "add it")
    return value
