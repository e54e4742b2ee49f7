"""Which mask model and which facesets a mask stage works on."""

from pathlib import Path
from typing import Literal

from faceswap.config import StageSettings, option
from faceswap.console import say
from faceswap.faceset.store import Faceset, has_faces
from faceswap.types import Side
from faceswap.workspace import Workspace

BUNDLED = "bundled"
# What mask_train calls its model unless told otherwise.
DEFAULT = "masks"


def choose_model(place: Workspace, name: str | None) -> Path | None:
    """The folder of mask model `name`; None for the bundled one.

    Without a name it is the workspace's own, where there is one. UserError where the named one is missing.
    """
    if name == BUNDLED or (name is None and not (place.models / DEFAULT).is_dir()):
        return None
    return place.model(name or DEFAULT)


class SetSettings(StageSettings):
    """Flags of the stages that go through facesets."""

    side: Literal["src", "dst", "both"] = option("both", "whose faces; both takes those that are there")

    def sets(self) -> dict[Side, Faceset]:
        """The facesets asked for. UserError where one that was asked for, or any of both, is missing."""
        sides = self.sides()
        sets = {side: Faceset.open(self.place.aligned(side)) for side in sides}
        if self.side == "both":
            for side in set(Side) - set(sides):
                say(f"{side}: no faces yet, left out")
        return sets

    def sides(self) -> list[Side]:
        """The sides whose facesets are asked for."""
        if self.side != "both":
            return [Side(self.side)]
        return [side for side in Side if has_faces(self.place.aligned(side))] or [Side.SRC]

    def folders(self) -> list[Path]:
        """The folders of those facesets."""
        return [self.place.aligned(side) for side in self.sides()]
