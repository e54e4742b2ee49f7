"""Noise taken out of a folder of frames, along time; stopped anywhere, the same call continues.

The filter remembers the frames before. So that a stopped run ends with the pixels of an unstopped one, it
works on runs of CHUNK frames, always the same ones, and sees WARM_UP frames before each without writing them.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, StringConstraints

from faceswap.console import progress_bar, say
from faceswap.errors import UserError
from faceswap.io.documents import read_as
from faceswap.io.files import atomic_path, free_folder, list_images, refuse_twins, write_json
from faceswap.io.flow import ordered_map
from faceswap.io.images import WRITABLE, read_image, write_image
from faceswap.io.leftout import left_out, say_left_out
from faceswap.media.ffmpeg import denoise_command, ffmpeg_binary
from faceswap.media.pipes import Filter
from faceswap.media.probe.video import fingerprint
from faceswap.media.timestamps import NAME as TIMES
from faceswap.types import Frame

CHUNK = 200
WARM_UP = 20
NAME = "denoise.json"
JPEG_QUALITY = 98
# The frames are numbered, not timed: this filter looks at their order alone.
_FPS = 25


@dataclass(frozen=True)
class Denoised:
    """Where the denoised frames are, and the originals."""

    frames: Path
    originals: Path


class _State(BaseModel):
    """denoise.json; originals: where they are, or go; first: the fingerprint of the first denoised frame."""

    factor: Annotated[float, Field(gt=0, le=1000)]
    originals: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    first: str | None = None


def denoise(folder: Path, factor: float, *, replace: bool = False, again: bool = False) -> Denoised:
    """Denoise the frames of `folder` into `folder`_denoised, or put them in their place.

    factor:  strength in space, 1 to 20; 7 is DeepFaceLab's.
    replace: the originals go to a trash folder as the denoised frames take their names, each in one step.
             Frames of formats that are not written, as WebP, become PNG.
    again:   drop frames that were denoised with another factor.
    Raises UserError for a folder without frames, frames of different sizes and damaged frames.
    """
    side = folder.with_name(f"{folder.name}_denoised")
    done = _replaced(folder)
    if done is not None and not (side / NAME).is_file():
        assert done.originals is not None
        say(f"already denoised by {done.factor:g}; the originals are in {done.originals}")
        return Denoised(folder, Path(done.originals))
    if not list_images(folder):
        hint = "extract some first, or name a folder with --frames DIR"
        raise UserError(f"no frames in {folder}", left_out(folder), hint)
    if (done is None and not (side / NAME).is_file()) or again:
        refuse_twins(list_images(folder), _made)
    state = _settle(side, factor, again)
    # From the first replaced frame on `folder` holds both kinds, and must not be filtered any more.
    if state.originals is None:
        _filter_missing(folder, side, factor)
        if (folder / TIMES).is_file():
            shutil.copyfile(folder / TIMES, side / TIMES)
    if replace or state.originals is not None:
        return _replace(folder, side, state)
    return Denoised(side, folder)


def _replaced(folder: Path) -> "_State | None":
    """What is noted of a folder whose frames were replaced, unless they have been extracted anew since."""
    path, frames = folder / NAME, list_images(folder)
    note = read_as(path, _State) if path.is_file() else None
    if note is None or note.originals is None or not frames or note.first != fingerprint(frames[0]):
        return None
    return note


def _settle(side: Path, factor: float, again: bool) -> "_State":
    """The state of the work in `side`, begun if there is none."""
    path = side / NAME
    if not path.is_file() and side.exists() and any(side.iterdir()):
        raise UserError(f"{side} holds files that were not made by this stage", "", "move it away")
    state = read_as(path, _State) if path.is_file() else _State(factor=factor)
    if state.factor != factor:
        if not again or state.originals is not None:
            found = f"they were made with --factor {state.factor:g}"
            raise UserError(f"{side} holds denoised frames", found, "type that, or add --again to drop them")
        shutil.rmtree(side)
        state = _State(factor=factor)
    _write(path, state)
    return state


def _write(path: Path, state: "_State") -> None:
    write_json(path, state.model_dump(mode="json", exclude_none=True))


def _filter_missing(folder: Path, side: Path, factor: float) -> None:
    frames = list_images(folder)
    there = {path.name for path in list_images(side)}
    say_left_out(folder)
    refuse_twins(frames, _made)
    already = sum(_made(path) in there for path in frames)
    with progress_bar(f"denoise {folder.name}", "frames", len(frames), already) as bar:
        for start in range(0, len(frames), CHUNK):
            if any(_made(path) not in there for path in frames[start : start + CHUNK]):
                for target, frame in _filtered(frames, start, factor):
                    if target not in there:
                        write_image(side / target, frame, JPEG_QUALITY)
                        bar.update()


def _made(frame: Path) -> str:
    """The name of a denoised frame: its own, or with .png where its format is not written."""
    return frame.name if frame.suffix.lower() in WRITABLE else f"{frame.stem}.png"


def _filtered(frames: Sequence[Path], start: int, factor: float) -> Iterator[tuple[str, Frame]]:
    """(file name, denoised frame) of the chunk that begins at `start`, each as deep as its file was."""
    warm_up = min(start, WARM_UP)
    names = frames[start - warm_up : start + CHUNK]
    deep = read_image(frames[0]).dtype == np.uint16
    with Filter(denoise_command(factor, deep, ffmpeg_binary())) as process:
        given = ((index / _FPS, frame) for index, frame in enumerate(_read(names, frames[0])))
        for index, frame in enumerate(process.frames(given, _FPS)):
            if index >= warm_up:
                yield _made(names[index]), frame
        ended_well, words = process.finish()
    if not ended_well:
        raise UserError(
            "ffmpeg could not denoise the frames", words, "the frames are as they were; try again"
        )


def _read(names: Sequence[Path], first: Path) -> Iterator[Frame]:
    like = read_image(first)
    for path, frame in zip(names, ordered_map(read_image, names, os.cpu_count() or 1), strict=True):
        if frame.shape != like.shape or frame.dtype != like.dtype:
            found = f"{frame.shape[1]}x{frame.shape[0]} {frame.dtype}"
            wanted = f"{like.shape[1]}x{like.shape[0]} {like.dtype}"
            hint = "frames of one clip are alike: move the others away"
            raise UserError(f"{path} is not like the first frame", f"{found} instead of {wanted}", hint)
        yield frame


def _replace(folder: Path, side: Path, state: "_State") -> Denoised:
    """Give the denoised frames the originals' places; at every moment each name is a whole file."""
    trash = Path(state.originals or free_folder(folder.with_name(f"{folder.name}_trash")))
    if state.originals is None:
        state = state.model_copy(update={"originals": str(trash)})
        _write(side / NAME, state)
    trash.mkdir(parents=True, exist_ok=True)
    originals = {_made(path): path for path in list_images(folder)}
    for path in list_images(side):
        original = originals.get(path.name, folder / path.name)
        _keep(original, trash / original.name)
        if original.name != path.name:
            original.unlink(missing_ok=True)
        os.replace(path, folder / path.name)
    _write(folder / NAME, state.model_copy(update={"first": fingerprint(list_images(folder)[0])}))
    shutil.rmtree(side)
    return Denoised(folder, trash)


def _keep(original: Path, kept: Path) -> None:
    """The original under a second name, unless an earlier run came as far."""
    if kept.exists() or not original.exists():
        return
    try:
        os.link(original, kept)
    except OSError:
        # File systems without links, such as FAT.
        with atomic_path(kept) as temporary:
            shutil.copyfile(original, temporary)
