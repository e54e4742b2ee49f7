"""5.1 mask_remove: take stored or drawn masks away, into a trash folder, and put them back

    python -m stages.mask_remove --workspace DIR --side dst
    python -m stages.mask_remove --workspace DIR --side src --polygons
    python -m stages.mask_remove --workspace DIR --side src --restore

Moves the masks that stages.mask_apply stored, or with --polygons those drawn by hand, to
data_src/aligned_masks_trash/NNN; nothing is deleted. --restore puts back what was removed last.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.config import option, run_stage
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import masks_of
from faceswap.masks.removal import has_removed, remove_polygons, remove_stored, restore
from faceswap.masks.selection import SetSettings
from faceswap.types import Side


class Settings(SetSettings):
    polygons: bool = option(False, "remove drawn masks instead of stored ones")
    restore: bool = option(False, "put back what was removed last")

    def writes(self) -> Iterable[Path]:
        drawn = self.folders() if self.polygons or self.restore else []
        stored = map(masks_of, self.folders() if not self.polygons else [])
        return [*drawn, *stored]


def main(cfg: Settings) -> None:
    if cfg.polygons and cfg.restore:
        raise UserError(
            "--restore puts back what was removed last, of either kind", "", "leave --polygons out"
        )
    sets = cfg.sets()
    if cfg.restore and cfg.side == "both":
        # One of both sides may have lost none.
        sets = {side: faceset for side, faceset in sets.items() if has_removed(faceset)} or sets
    for side, faceset in sets.items():
        if cfg.restore:
            stored, drawn = restore(faceset)
            say(f"{side}: {stored} stored and {drawn} drawn masks are back")
        else:
            _remove(cfg, side, faceset)


def _remove(cfg: Settings, side: Side, faceset: Faceset) -> None:
    count, trash = remove_polygons(faceset) if cfg.polygons else remove_stored(faceset)
    kind = "drawn" if cfg.polygons else "stored"
    if trash is None:
        say(f"{side}: no face has a {kind} mask")
        return
    back = command("stages.mask_remove", "--workspace", cfg.workspace, "--side", side, "--restore")
    say(f"{side}: {count} {kind} masks are in {trash}; to put them back: {back}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
