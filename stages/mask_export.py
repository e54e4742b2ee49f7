"""5.1 mask_export: write the masks of a faceset as pictures

    python -m stages.mask_export --workspace DIR --side dst
    python -m stages.mask_export --workspace DIR --side dst --space frame

Writes the mask that counts for each face (drawn, else stored, else the hull of the landmarks) as 8-bit PNG:
to data_dst/aligned_masks_png/ one a crop, in the crop's size, or with --space frame to data_dst/masks_png/
one a frame, all its faces in it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from faceswap.config import option, run_stage
from faceswap.console import say, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import count_known, counted, masks_of
from faceswap.io.files import list_images
from faceswap.io.leftout import say_left_out
from faceswap.masks.export import Exported, export_crops, export_frames
from faceswap.masks.selection import SetSettings
from faceswap.types import Side


class Settings(SetSettings):
    space: Literal["crop", "frame"] = option("crop", "one picture a crop, or one a frame")
    workers: int = option(0, "pictures written at a time; 0 is one a core", ge=0, le=128)

    def target(self, folder: Path, side: Side) -> Path:
        """Where the pictures of the faceset in `folder` are written."""
        if self.space == "crop":
            return folder.with_name(f"{folder.name}_masks_png")
        return self.place.frames(side) / "masks_png"

    def writes(self) -> Iterable[Path]:
        return [self.target(self.place.aligned(side), side) for side in self.sides()]

    def reads(self) -> Iterable[Path]:
        return [*self.folders(), *map(masks_of, self.folders())]


def main(cfg: Settings) -> None:
    for side, faceset in cfg.sets().items():
        target, done = _export(cfg, side, faceset)
        for name, reason in done.failed.items():
            warn(f"{name} is left out: {reason}")
        say(f"{side}: {done.written} masks in {target}; {counted(count_known(faceset.faces))}")


def _export(cfg: Settings, side: Side, faceset: Faceset) -> tuple[Path, Exported]:
    workers, target = cfg.workers or os.cpu_count() or 1, cfg.target(faceset.folder, side)
    if cfg.space == "crop":
        return target, export_crops(faceset, target, workers)
    frames = list_images(cfg.place.frames(side))
    say_left_out(cfg.place.frames(side))
    if not frames:
        hint = f"extract them again: stages.extract_{side}, or leave --space frame out"
        raise UserError(f"no frames in {cfg.place.frames(side)}", "", hint)
    return target, export_frames(faceset, frames, target, workers)


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
