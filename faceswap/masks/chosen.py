"""Which mask model is meant."""

from pathlib import Path

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
