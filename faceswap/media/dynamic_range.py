"""Whether the two sides of a job have the same dynamic range."""

from contextlib import suppress
from pathlib import Path

from faceswap.console import warn
from faceswap.errors import UserError
from faceswap.media.timestamps import read_timestamps
from faceswap.types import Side
from faceswap.workspace import Workspace


def warn_of_ranges(place: Workspace) -> None:
    """Warn where the frames of src and dst are known to be of different ranges (SDR, PQ, HLG)."""
    kinds = {side: kind for side in Side if (kind := _kind(place.frames(side)))}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{side} is {kind}" for side, kind in kinds.items())
        warn(
            f"{told}: their values mean different light, and the swap will not match;"
            " extract the HDR side again with --tone-map --again"
        )


def _kind(folder: Path) -> str:
    # A record that cannot be read stops those who need its times, not a hint.
    with suppress(UserError):
        record = read_timestamps(folder)
        return "/".join(sorted({clip.color.dynamic_range for clip in record.clips})) if record else ""
    return ""
