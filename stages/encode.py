"""8 encode: make the finished video from the merged frames, with dst's times, sound and colours

    python -m stages.encode --workspace DIR
    python -m stages.encode --codec prores4444 --alpha       for another compositing program
    python -m stages.encode --frames DIR --fps 25            any folder of pictures to a video beside it

Writes result.mp4, and result_mask.mp4 where masks were merged; .mov for ProRes, .mkv for ffv1 and
h264-rgb, and folders result_png, result_tiff, result_exr. All say in their metadata that they are
synthetic and by which tool.

ffv1, png and tiff lose nothing, h264-rgb nothing of 8 bits; exr holds linear light in half floats.
h264, hevc and av1 keep colour at half size (4:2:0) at any quality, prores422 at half width.
--skip-missing leaves out frames that were deleted on purpose: each one stays until the next that is there.
A clip that is transparent in part gives films of prores4444, ffv1, png, tiff and exr its own alpha; with
--alpha they carry the merged masks instead. Alpha is as each format means it: straight in png, tiff,
prores4444 and ffv1 (colours are not multiplied by it), premultiplied in exr (they are, in linear light).
Colour tags, time stamps and all sound tracks with their names are those of the destination's clip; folders
of pictures carry timestamps.json and no sound.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from faceswap.config import option, run_stage
from faceswap.console import command, say, warn
from faceswap.errors import UserError
from faceswap.io.files import list_images
from faceswap.io.photos import is_transparent
from faceswap.media.alpha import alpha_of, carried_alpha
from faceswap.media.encode import FRAMES_NOTE, MASK_NOTE, NOTE, Pictures, encode, is_deep
from faceswap.media.film import FilmSettings, kept_in
from faceswap.media.probe.video import Clip
from faceswap.media.timing import Timing, find_frames_timing, find_pictures, find_timing, without_missing
from faceswap.types import Mask, Side

_SKIP = "; where they were deleted on purpose, add --skip-missing"


class Settings(FilmSettings):
    input: Path | None = option(
        None, "the clip that gives the sound, instead of data_dst.*; with --frames rate and colours too"
    )
    frames: Path | None = option(None, "a folder of pictures to encode instead of the merged frames")
    fps: float | None = option(None, "rate of frames that have no timestamps.json", ge=0.01, le=1000)
    skip_missing: bool = option(
        False, "leave out frames whose pictures were deleted; the others and the sound keep their times"
    )
    again: bool = option(False, "replace a video that --frames made earlier")

    def writes(self) -> Iterable[Path]:
        folder = self.frames and self.frames.resolve()
        return [self.target(folder.with_name(f"{folder.name}.mp4") if folder else self.place.result)]

    def reads(self) -> Iterable[Path]:
        return [self.frames or self.place.merged]


def main(cfg: Settings) -> None:
    if cfg.frames is not None:
        encode_folder(cfg, cfg.frames.resolve())
        return
    place = cfg.place
    whole = find_timing(place, cfg.input, cfg.fps)
    merge = command("stages.merge", "--workspace", cfg.workspace)
    if {stem for stem, _ in whole.frames} - {path.stem for path in list_images(place.frames(Side.DST))}:
        merge = f"{command('stages.extract_dst', '--workspace', cfg.workspace)}, then {merge}"
    timing = _kept(cfg, whole, place.merged, f"type: {merge}")
    frames = find_pictures(place.merged, timing, f"type: {merge}{_SKIP}", whole)
    has_masks = bool(list_images(place.merged_mask))
    masks = find_pictures(place.merged_mask, timing, f"type: {merge}", whole) if has_masks else []
    if cfg.alpha and not masks:
        raise UserError(f"no masks in {place.merged_mask} to make alpha of", "", f"type: {merge}")
    own = None if cfg.alpha else carried_alpha(timing, cfg.codec, cfg.target(place.result).name)
    film = cfg.film(is_deep(frames[0]), alpha=own is not None)
    target = kept_in(place.result, film)
    pictures = Pictures(frames, masks if cfg.alpha else ())
    encode(target, pictures, timing, film, sound=cfg.sound, note=NOTE, alpha=_alpha(own, timing))
    say(f"{len(frames)} frames in {target}")
    if masks and not cfg.alpha:
        film, target = replace(film, alpha=False), kept_in(place.result_mask, film)
        encode(target, Pictures(masks), timing, film, sound=False, note=MASK_NOTE)
        say(f"{len(masks)} frames in {target}")
    elif not masks:
        warn(f"no masks in {place.merged_mask}, so no {kept_in(place.result_mask, film).name}")
    cfg.save(place.root / "encode.json")


def encode_folder(cfg: Settings, folder: Path) -> None:
    """Any pictures to a video beside their folder."""
    if cfg.alpha:
        raise UserError("--alpha takes the merged masks, and --frames has none", "", "leave one of them away")
    whole = find_frames_timing(folder, cfg.input, cfg.fps)
    timing = _kept(cfg, whole, folder, "put them back")
    frames = find_pictures(folder, timing, f"put them back{_SKIP}", whole)
    target = cfg.target(folder.with_name(f"{folder.name}.mp4"))
    own = carried_alpha(timing, cfg.codec, target.name)
    if own is None and is_transparent(frames[0]):
        warn(f"{target.name}: opaque, the alpha of the pictures in {folder.name} is left out")
    film = cfg.film(is_deep(frames[0]), alpha=own is not None)
    if target.exists() and not cfg.again:
        raise UserError(f"{target} is there already", "", "add --again to replace it, or move it away")
    pictures = Pictures(frames)
    encode(target, pictures, timing, film, sound=cfg.sound, note=FRAMES_NOTE, alpha=_alpha(own, timing))
    say(f"{len(frames)} frames in {target}")


def _alpha(own: Clip | None, timing: Timing) -> Iterator[Mask] | None:
    return alpha_of(own, [time_s for _, time_s in timing.frames]) if own else None


def _kept(cfg: Settings, whole: Timing, folder: Path, hint: str) -> Timing:
    """The frames that are to be shown: all, or those whose pictures in `folder` were not deleted."""
    there = list_images(folder)
    return without_missing(whole, folder, hint) if cfg.skip_missing or not there else whole


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
