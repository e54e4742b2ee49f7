"""3 extract_dst: write every frame of the clip that receives the face, and their times

    python -m stages.extract_dst --workspace DIR

Reads data_dst.* or what --input names. The times in data_dst/timestamps.json let the finished video
keep its rhythm, also where the frame rate varies.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.errors import UserError
from faceswap.media.clips import find_clips, refuse_stills
from faceswap.media.dynamic_range import warn_of_ranges
from faceswap.media.extract import extract
from faceswap.media.probe.survey import Deinterlace
from faceswap.media.timestamps import Choice
from faceswap.types import Side
from faceswap.walk import next_step


class Settings(StageSettings):
    input: Path | None = option(None, "a clip, instead of data_dst.*")
    fps: float = option(0.0, "at most so many frames a second are kept; 0 keeps every frame", ge=0, le=1000)
    format: Literal["png", "jpg"] = option("png", "png loses nothing, jpg is about a tenth of its size")
    quality: int = option(95, "of jpg frames", ge=1, le=100)
    tone_map: bool = option(False, "make HDR (PQ, HLG) SDR of BT.709; else its values are kept")
    deinterlace: Deinterlace = option(
        "auto", "make whole pictures of interlaced ones: auto where fields are found, also film in telecine"
    )
    again: bool = option(False, "move frames that are there to data_dst_trash and start anew")

    def writes(self) -> Iterable[Path]:
        return [self.place.frames(Side.DST)]


def main(cfg: Settings) -> None:
    folder = cfg.place.frames(Side.DST)
    refuse_stills(cfg.place, Side.DST, cfg.input)
    clips = find_clips(cfg.place.clip_stem(Side.DST), cfg.input)
    if len(clips) > 1:
        found = ", ".join(clip.name for clip in clips)
        raise UserError("the destination is one clip", f"found {found}", f"add --input {clips[0]}")
    choice = Choice(
        fps=cfg.fps,
        format=cfg.format,
        quality=cfg.quality,
        tone_map=cfg.tone_map,
        deinterlace=cfg.deinterlace,
    )
    made = extract(clips, folder, choice, again=cfg.again)
    # Replaying the settings should find the frames, not move them away.
    cfg.model_copy(update={"again": False}).save(folder / "extract_dst.json")
    say(f"{len(made.frames)} frames in {folder}")
    warn_of_ranges(cfg.place)
    say(f"next: {next_step(cfg.place, 'extract_dst')}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
