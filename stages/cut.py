"""3.1 cut: take a part out of a clip, exact to the frame

    python -m stages.cut --input FILE --start 00:00:10 --end 00:00:12.500
    python -m stages.cut --input FILE --list FILE            several parts: a line each, START END

Writes <name>_cut beside the clip (<name>_cut_001 … from a list): H.264 of high quality in the clip's own
depth and layout, with its colour tags and the distances between its frames; mp4, mov and mkv stay what they
are, others become mp4. Sound is copied, and only encoded where the file cannot carry it. The frame shown
at --end is the first one left out.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.errors import UserError
from faceswap.media.cut import choose_sound, cut, parse_part, read_list
from faceswap.media.extract import say_geometry
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import probe
from faceswap.media.tracks import fitting


class Settings(StageSettings):
    input: Path | None = option(None, "the clip to cut")
    start: str = option("0", "where the part starts, hh:mm:ss.mmm or seconds")
    end: str = option("0", "where it ends; 0 is the end of the clip")
    list: Path | None = option(None, "a text file with a line START END for each part")
    audio_track: int | None = option(None, "keep only this sound track, the first is 0; else all", ge=0)
    sound: bool = option(True, "take the sound along")
    quality: int = option(8, "x264's CRF: 0 loses nothing of 8 bits, 8 nothing that is seen", ge=0, le=51)
    again: bool = option(False, "replace parts that are there already")

    def writes(self) -> Iterable[Path]:
        return [self.input.with_name(f"{self.input.stem}_cut")] if self.input else []


def main(cfg: Settings) -> None:
    if cfg.input is None:
        raise UserError("no clip was named", "", "add --input FILE")
    parts = read_list(cfg.list) if cfg.list else [parse_part(cfg.start, cfg.end)]
    clip = probe(cfg.input)
    # A part keeps its fields, also those of telecined film, and so its rate.
    clip = clip.model_copy(update={"geometry": surveyed(clip).geometry})
    if clip.several:
        say(clip.several)
    if clip.geometry.shapes:
        say_geometry(clip)
    suffix = cfg.input.suffix.lower()
    suffix = suffix if suffix in (".mp4", ".mov", ".mkv") else ".mp4"
    numbers = [f"_{number:03d}" for number in range(1, len(parts) + 1)] if cfg.list else [""]
    targets = [cfg.input.with_name(f"{cfg.input.stem}_cut{number}{suffix}") for number in numbers]
    there = [target for target in targets if target.exists()]
    if there and not cfg.again:
        raise UserError(f"{there[0]} is there already", "", "add --again to replace it, or rename it")
    sound = fitting(choose_sound(clip, cfg.audio_track), targets[0]) if cfg.sound else None
    for part, target in zip(parts, targets, strict=True):
        cut(clip, part, target, quality=cfg.quality, sound=sound)


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
