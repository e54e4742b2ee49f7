"""5.1 mask_fetch: copy the faces with drawn masks to a folder of their own

    python -m stages.mask_fetch --workspace DIR --side dst

Copies them from data_dst/aligned/ to data_dst/aligned_masks/, a faceset by itself: labels to keep, or to
train a mask model on elsewhere. --move takes them out of data_dst/aligned/.
"""

from faceswap.config import option, run_stage
from faceswap.console import say
from faceswap.masks.export import fetch
from faceswap.masks.sets import SetSettings


class Settings(SetSettings):
    move: bool = option(False, "take the faces out of the faceset")


def main(cfg: Settings) -> None:
    for side, faceset in cfg.sets().items():
        target = faceset.folder.with_name(f"{faceset.folder.name}_masks")
        count = fetch(faceset, target, move=cfg.move)
        done = "moved" if cfg.move else "copied"
        say(f"{side}: {count} faces {done} to {target}" if count else f"{side}: no face has a drawn mask")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
