"""8 encode: make the finished video from the merged frames, with dst's times and sound

    python -m stages.encode --workspace DIR

Writes result.mp4, and result_mask.mp4 where masks were merged. Both say in their metadata that they
are synthetic and by which tool.
"""

from pathlib import Path

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, say, warn
from faceswap.io.encode import MASK_NOTE, NOTE, encode, find_pictures, find_timing
from faceswap.io.files import list_images


class Settings(StageSettings):
    input: Path | None = option(None, "the clip that gives the sound, instead of data_dst.*")
    quality: int = option(
        16, "of H.264, x264's CRF: 0 loses nothing, 18 looks like it, 51 is worst", ge=0, le=51
    )
    sound: bool = option(True, "take the clip's sound along")
    fps: float | None = option(None, "rate of frames that have no timestamps.json", ge=0.01, le=1000)


def main(cfg: Settings) -> None:
    place = cfg.place
    timing = find_timing(place, cfg.input, cfg.fps)
    merge = command("stages.merge", "--workspace", cfg.workspace)
    frames = find_pictures(place.merged, timing, merge)
    encode(place.result, frames, timing, quality=cfg.quality, sound=cfg.sound, note=NOTE)
    say(f"{len(frames)} frames in {place.result}")
    if list_images(place.merged_mask):
        masks = find_pictures(place.merged_mask, timing, merge)
        encode(place.result_mask, masks, timing, quality=cfg.quality, sound=False, note=MASK_NOTE)
        say(f"{len(masks)} frames in {place.result_mask}")
    else:
        warn(f"no masks in {place.merged_mask}, so no {place.result_mask.name}")
    cfg.save(place.root / "encode.json")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
