"""4 align_src: find the faces in the frames of the source and cut them out, aligned

    python -m stages.align_src --workspace DIR

Reads data_src/, writes data_src/aligned/: one crop a face, which carries where it came from.
Delete crops of other people and bad ones there; every crop that stays is trained on. Stopped, the
same command continues. Frames without a face are listed at the end and in align_report.json.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.align.align import AlignSettings, align
from faceswap.config import run_stage
from faceswap.faceset.stored_masks import masks_of
from faceswap.types import Side


class Settings(AlignSettings):
    def writes(self) -> Iterable[Path]:
        aligned = self.place.aligned(Side.SRC)
        return [aligned, masks_of(aligned)]

    def reads(self) -> Iterable[Path]:
        return [self.place.frames(Side.SRC)]


def main(cfg: Settings) -> None:
    align(cfg, Side.SRC)


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
