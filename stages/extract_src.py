"""2 extract_src: write the frames of the clip, or clips, with the wanted face

    python -m stages.extract_src --workspace DIR --fps 20

Reads data_src.* (one clip or several), the folder data_src_clips, or what --input names. Frames are
numbered 00001.png and so on; of several clips each frame's name begins with its clip's. Photographs need no
extraction: stages.workspace --src FOLDER copies them to data_src.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.media.clips import find_clips, refuse_stills
from faceswap.media.dynamic_range import warn_of_ranges
from faceswap.media.extract import extract
from faceswap.media.probe.survey import Deinterlace
from faceswap.media.timestamps import Choice
from faceswap.types import Side
from faceswap.walk import next_step


class Settings(StageSettings):
    input: Path | None = option(None, "a clip or a folder of clips, instead of data_src.*")
    fps: float = option(20.0, "at most so many frames a second are kept; 0 keeps every frame", ge=0, le=1000)
    format: Literal["png", "jpg"] = option("png", "png loses nothing, jpg is about a tenth of its size")
    quality: int = option(95, "of jpg frames", ge=1, le=100)
    tone_map: bool = option(False, "make HDR (PQ, HLG) SDR of BT.709; else its values are kept")
    deinterlace: Deinterlace = option(
        "auto", "make whole pictures of interlaced ones: auto where fields are found, also film in telecine"
    )
    again: bool = option(False, "move frames that are there to data_src_trash and start anew")

    def writes(self) -> Iterable[Path]:
        return [self.place.frames(Side.SRC)]


def main(cfg: Settings) -> None:
    folder = cfg.place.frames(Side.SRC)
    refuse_stills(cfg.place, Side.SRC, cfg.input)
    choice = Choice(
        fps=cfg.fps,
        format=cfg.format,
        quality=cfg.quality,
        tone_map=cfg.tone_map,
        deinterlace=cfg.deinterlace,
    )
    made = extract(find_clips(cfg.place.clip_stem(Side.SRC), cfg.input), folder, choice, again=cfg.again)
    # Replaying the settings should find the frames, not move them away.
    cfg.model_copy(update={"again": False}).save(folder / "extract_src.json")
    clips = f" of {len(made.clips)} clips" if len(made.clips) > 1 else ""
    say(f"{len(made.frames)} frames{clips} in {folder}")
    warn_of_ranges(cfg.place)
    say(f"next: {next_step(cfg.place, 'extract_src')}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
