"""5 align_dst: find the faces in the frames of the destination and cut them out, aligned

    python -m stages.align_dst --workspace DIR [--smooth]

Reads data_dst/, writes data_dst/aligned/: one crop a face, which carries where it came from.
Faces whose crops you delete there are left alone in the result. Stopped, the
same command continues. Frames without a face are listed at the end and in align_report.json.
--smooth steadies the landmarks of each face along time, without lag, and says by how much; it can be
given later and taken back with --no-smooth.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.align.align import AlignSettings, align
from faceswap.config import run_stage
from faceswap.faceset.stored_masks import masks_of
from faceswap.types import Side


class Settings(AlignSettings):
    def writes(self) -> Iterable[Path]:
        aligned = self.place.aligned(Side.DST)
        return [aligned, masks_of(aligned)]

    def reads(self) -> Iterable[Path]:
        return [self.place.frames(Side.DST)]


def main(cfg: Settings) -> None:
    align(cfg, Side.DST)


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
