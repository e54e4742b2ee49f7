"""5.1 mask_fetch: copy the faces with drawn masks to a folder of their own

    python -m stages.mask_fetch --workspace DIR --side dst

Copies them from data_dst/aligned/ to data_dst/aligned_masks/, a faceset by itself: labels to keep, or to
train a mask model on elsewhere. --move takes them out of data_dst/aligned/.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.config import option, run_stage
from faceswap.console import say
from faceswap.faceset.stored_masks import masks_of
from faceswap.masks.export import fetch
from faceswap.masks.selection import SetSettings


class Settings(SetSettings):
    move: bool = option(False, "take the faces out of the faceset")

    def target(self, folder: Path) -> Path:
        """Where faces from `folder` go."""
        return folder.with_name(f"{folder.name}_masks")

    def writes(self) -> Iterable[Path]:
        folders = self.folders()
        taken_from = [*folders, *map(masks_of, folders)] if self.move else []
        return [*map(self.target, folders), *taken_from]

    def reads(self) -> Iterable[Path]:
        return self.folders()


def main(cfg: Settings) -> None:
    for side, faceset in cfg.sets().items():
        target = cfg.target(faceset.folder)
        count = fetch(faceset, target, move=cfg.move)
        done = "moved" if cfg.move else "copied"
        say(f"{side}: {count} faces {done} to {target}" if count else f"{side}: no face has a drawn mask")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
