"""3.1 denoise: take the noise out of frames, along time

    python -m stages.denoise --workspace DIR                   the frames of data_dst, into data_dst_denoised
    python -m stages.denoise --workspace DIR --replace         … in place, the originals in data_dst_trash
    python -m stages.denoise --frames DIR                      any folder of frames of one size

16-bit PNG stays 16-bit. Stopped at any moment all files are whole, and the same command continues to the
same pixels as if it had not been stopped. The filter is ffmpeg's hqdn3d with the strengths of DeepFaceLab.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.media.denoise import denoise
from faceswap.types import Side


class Settings(StageSettings):
    frames: Path | None = option(None, "a folder of frames, instead of data_dst")
    factor: float = option(7, "strength; more takes details too", ge=1, le=20)
    replace: bool = option(
        False, "put the denoised frames in place of the originals, which go to a trash folder"
    )
    again: bool = option(False, "drop frames that were denoised with another factor")

    @property
    def folder(self) -> Path:
        return (self.frames or self.place.frames(Side.DST)).resolve()

    def writes(self) -> Iterable[Path]:
        return [self.folder.with_name(f"{self.folder.name}_denoised"), *([self.folder] * self.replace)]

    def reads(self) -> Iterable[Path]:
        return [self.folder]


def main(cfg: Settings) -> None:
    made = denoise(cfg.folder, cfg.factor, replace=cfg.replace, again=cfg.again)
    say(f"denoised frames in {made.frames}\noriginals in {made.originals}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
