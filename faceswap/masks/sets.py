"""The facesets that a mask stage works on."""

from pathlib import Path
from typing import Literal

from faceswap.config import StageSettings, option
from faceswap.faceset.store import Faceset
from faceswap.types import Side


class SetSettings(StageSettings):
    """Flags of the stages that go through facesets."""

    side: Literal["src", "dst", "both"] = option("both", "whose faces; both takes those that are there")

    def sets(self) -> dict[Side, Faceset]:
        """The facesets asked for. UserError where one that was asked for, or any of both, is missing."""
        return {side: Faceset.open(self.place.aligned(side)) for side in self.sides()}

    def sides(self) -> list[Side]:
        """The sides whose facesets are asked for."""
        if self.side != "both":
            return [Side(self.side)]
        return [side for side in Side if self.place.aligned(side).is_dir()] or [Side.SRC]

    def folders(self) -> list[Path]:
        """The folders of those facesets."""
        return [self.place.aligned(side) for side in self.sides()]
