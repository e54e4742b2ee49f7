"""A film as a folder of pictures, PNG, TIFF or OpenEXR, in place as a whole."""

import os
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from faceswap.errors import UserError
from faceswap.io.codecs import Film
from faceswap.io.color_tags import Color
from faceswap.io.files import replace_folder
from faceswap.io.flow import ordered_map
from faceswap.io.stills import SUFFIXES, encode_still
from faceswap.io.timestamps import NAME, Choice, FrameTime, Timestamps, write_timestamps
from faceswap.io.timing import Timing
from faceswap.types import Frame


def write_sequence(
    folder: Path, frames: Iterator[Frame], timing: Timing, film: Film, *, color: Color, note: str
) -> None:
    """Write `frames` to `folder`, named as the frames of `timing`, each with `note` in its text.

    With a clip, its times go to timestamps.json beside them, so that stages.encode --frames finds them.
    An older sequence stays until this one is whole; UserError when `folder` holds anything else.
    """
    suffix = SUFFIXES[film.name]
    strange = [path.name for path in folder.glob("*") if path.suffix != suffix and path.name != NAME]
    if strange:
        raise UserError(f"{folder} holds other files too", f"the first is {strange[0]}", "move them away")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    names = [f"{stem}{suffix}" for stem, _ in timing.frames]

    def write(item: tuple[str, Frame]) -> None:
        (part / item[0]).write_bytes(encode_still(film, item[1], color, note))

    try:
        # Closed before the folder goes, whatever happens: no thread may write into it then.
        with closing(ordered_map(write, zip(names, frames, strict=True), os.cpu_count() or 1)) as written:
            deque(written, maxlen=0)
        if timing.clip is not None:
            times = (
                FrameTime(name=name, time_s=t) for name, (_, t) in zip(names, timing.frames, strict=True)
            )
            clip = timing.clip.model_copy(update={"end_s": timing.end_s})
            made = Timestamps(complete=True, choice=Choice(), clips=(clip,), frames=tuple(times))
            write_timestamps(part, made)
        replace_folder(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
