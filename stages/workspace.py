"""1 workspace: create the folders of a job and list what is in them

    python -m stages.workspace --workspace DIR

Puts nothing away and deletes nothing. Copy your clips in as data_src.* and data_dst.* afterwards,
or name them here and they are copied: --src CLIP --dst CLIP. Photographs, one or a folder of them, are copied
into data_src/ or data_dst/ under their names.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.errors import UserError
from faceswap.io.files import atomic_path, list_images
from faceswap.media.clips import bring_photographs, clips_beside, is_still, is_video, new_photographs
from faceswap.types import Side
from faceswap.walk import next_step


class Settings(StageSettings):
    needs_workspace: ClassVar[bool] = False

    src: Path | None = option(
        None, "clip, or folder of photographs, with the wanted face, copied to data_src"
    )
    dst: Path | None = option(None, "clip, or folder of pictures, that receives the face, copied to data_dst")

    def writes(self) -> Iterable[Path]:
        return [self.workspace]


def main(cfg: Settings) -> None:
    place = cfg.place
    brought = {side: clip for side, clip in ((Side.SRC, cfg.src), (Side.DST, cfg.dst)) if clip is not None}
    for side, clip in brought.items():
        # A mistake in one of them shall leave nothing behind.
        if is_pictures(clip):
            new_photographs(clip, place.frames(side))
        else:
            find_target(clip, place.clip_stem(side))
    for folder in (place.aligned(Side.SRC), place.aligned(Side.DST), place.models):
        folder.mkdir(parents=True, exist_ok=True)
    for side, clip in brought.items():
        if is_pictures(clip):
            bring_photographs(clip, place.frames(side))
        else:
            bring(clip, place.clip_stem(side))
    for side in Side:
        clips, others = ([path.name for path in kind] for kind in clips_beside(place.clip_stem(side)))
        frames, faces = len(list_images(place.frames(side))), len(list_images(place.aligned(side)))
        missing = "no clip" if frames else f"no clip yet: copy one to {place.clip_stem(side)}.mp4"
        say(f"{side}: {', '.join(clips) or missing}")
        if others:
            say(f"     passed over, no video: {', '.join(others)}")
        say(f"     {frames} frames, {faces} faces")
    models = sorted(p.name for p in place.models.iterdir() if p.is_dir())
    say(f"models: {', '.join(models) or 'none yet'}")
    say(f"next: {next_step(place, 'workspace')}")


def is_pictures(source: Path) -> bool:
    """Whether it is brought as photographs, and not as a clip."""
    return source.is_dir() or (source.is_file() and is_still(source))


def find_target(clip: Path, stem: Path) -> Path | None:
    """Where `clip` goes: `stem` with its own suffix, None where it is already; nothing is ever replaced."""
    if not clip.is_file():
        raise UserError(f"no file {clip}", "", "name a video file or a folder of pictures")
    if not is_video(clip):
        raise UserError(f"{clip} is no video", "", "name a video file or a folder of pictures")
    target = stem.parent / (stem.name + clip.suffix.lower())
    others, _ = clips_beside(stem)
    if target.exists() and target.stat().st_size == clip.stat().st_size:
        return None
    if others:
        hint = f"move it away first to use {clip}"
        raise UserError(f"{stem.parent} already has {others[0].name}", "", hint)
    return target


def bring(clip: Path, stem: Path) -> None:
    """Copy `clip` to `find_target`, where it is not there yet."""
    target = find_target(clip, stem)
    if target is not None:
        with atomic_path(target) as temporary:
            shutil.copyfile(clip, temporary)


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
