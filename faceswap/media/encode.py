"""Frames to a finished film: their times and the clip's sound, whole or not at all, marked as synthetic."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from faceswap import __version__
from faceswap.console import progress, say
from faceswap.errors import UserError
from faceswap.io.files import atomic_path
from faceswap.io.flow import ordered_map
from faceswap.io.images import DamagedImage, as_uint8, read_image, read_mask
from faceswap.media.aspect import FilmShape, film_shape
from faceswap.media.codecs import Film
from faceswap.media.ffmpeg import Ending, encode_command, ffmpeg_binary
from faceswap.media.pipes import Encoder
from faceswap.media.probe.color import Color
from faceswap.media.probe.video import Clip
from faceswap.media.sound import Sound, read_sound
from faceswap.media.stills import write_sequence
from faceswap.media.timing import Timing
from faceswap.media.tracks import fitting
from faceswap.types import Frame, Mask

T = TypeVar("T")

TOOL = f"faceswap-workbench {__version__}"
NOTE = (
    f"Synthetic media: the face in this video was swapped by {TOOL}. It is not a recording of what is shown."
)
MASK_NOTE = f"Synthetic media: mask of a face swap made by {TOOL}."
FRAMES_NOTE = (
    f"Synthetic media, unless its pictures are known to be none: made of them by {TOOL}, which swaps faces."
)


@dataclass(frozen=True)
class Pictures:
    """The picture files of a film in order, and where it carries alpha the mask files of each."""

    frames: Sequence[Path]
    masks: Sequence[Path] = ()

    def read(self, index: int, film: Film) -> Frame:
        """Picture `index` in the depth that `film` is fed with: (H, W, 3) RGB, (H, W, 4) with alpha.

        Raises UserError for a damaged file, or a mask of another size.
        """
        frame = _undamaged(read_image, self.frames[index])
        if not self.masks:
            return as_fed(frame, film)
        mask = _undamaged(read_mask, self.masks[index])
        if mask.shape != frame.shape[:2]:
            found = f"{_size(mask)} instead of {_size(frame)}"
            raise UserError(f"{self.masks[index]} has another size than its frame", found, "merge it again")
        return as_fed(frame, film, mask)


def as_fed(frame: Frame, film: Film, mask: Mask | None = None) -> Frame:
    """A picture in the depth that `film` is fed with: (H, W, 3) RGB, with a mask (H, W, 4) with alpha."""
    frame = _in_depth(frame, film.bits > 8)
    if mask is None:
        return frame
    return np.dstack([frame, np.rint(mask * np.iinfo(frame.dtype).max).astype(frame.dtype)])


def is_deep(path: Path) -> bool:
    """Whether a picture has more than 8 bits a channel."""
    return _undamaged(read_image, path).dtype == np.uint16


def with_alpha(frames: Iterable[Frame], alpha: Iterable[Mask], film: Film) -> Iterator[Frame]:
    """Frames (H, W, 3), made by `as_fed`, each with its alpha (H, W) in [0, 1]: (H, W, 4)."""
    for frame, mask in zip(frames, alpha, strict=True):
        if mask.shape != frame.shape[:2]:
            found = f"{_size(mask)} instead of {_size(frame)}"
            raise UserError("the clip's alpha has another size than its frames", found, "extract it again")
        yield as_fed(frame, film, mask)


def encode(
    target: Path, pictures: Pictures, timing: Timing, film: Film, *, sound: bool, note: str,
    alpha: Iterable[Mask] | None = None,
) -> None:  # fmt: skip
    """Write picture files, read by threads; see `encode_frames`.

    alpha: of each picture, where `film` carries another one than their masks.
    Raises UserError for a damaged one, or one of another size, too.
    """
    indices = range(len(pictures.frames))
    read = ordered_map(lambda index: pictures.read(index, film), indices, os.cpu_count() or 1)
    frames = progress(read, f"encode {target.name}", "frames", len(indices))
    even = _of_one_size(pictures.frames, frames)
    fed = even if alpha is None else with_alpha(even, alpha, film)
    encode_frames(target, fed, timing, film, sound=sound, note=note)


def encode_frames(
    target: Path, frames: Iterable[Frame], timing: Timing, film: Film, *, sound: bool, note: str
) -> None:
    """Write `frames` at their times to `target`, a file or a folder as `film` asks; an older one stays until
    the new one is whole.

    frames: made by `as_fed`, of one size.
    sound: take all sound tracks of the clip along.
    Where colour is kept for every second line or column, odd sizes get one more, a copy of the last.
    Raises UserError when ffmpeg fails.
    """
    color = timing.clip.color if timing.clip else Color()
    shape = film_shape(timing.clip)
    evened = _evened(target.name, frames, film, shape)
    if film.codec.suffix:
        if timing.clip and shape.scaling:
            say(f"{target.name}: {_stored(timing.clip)}, as the clip has it")
        _write_film(target, evened, timing, film, _sound(target, timing) if sound else None, note)
    else:
        if timing.clip and shape.scaling:
            say(f"{target.name}: square pixels, where the clip has {_stored(timing.clip)}")
        write_sequence(target, evened, timing, film, color=color, note=note)


def _write_film(
    target: Path, frames: Iterator[Frame], timing: Timing, film: Film, sound: Sound | None, note: str
) -> None:
    clip = timing.clip
    with atomic_path(target) as temporary:
        command = encode_command(
            temporary,
            film,
            color=clip.color if clip else Color(),
            shape=film_shape(clip),
            note=note,
            sound=sound,
            ending=Ending(timing.frames[-1][1], timing.end_s, len(timing.frames)),
            timecode=clip.timecode if clip else "",
            binary=ffmpeg_binary(),
        )
        timed = ((time_s, frame) for (_, time_s), frame in zip(timing.frames, frames, strict=True))
        with Encoder(command) as encoder:
            encoder.feed(timed, (clip.timecode_fps if clip and clip.timecode else 0.0) or timing.fps)
            ended_well, words = encoder.finish()
        if not ended_well:
            hint = "the frames are as they were; free some disk space if it is full, and try again"
            raise UserError(f"ffmpeg could not write {target}", words, hint)


def _sound(target: Path, timing: Timing) -> Sound | None:
    """The sound of the clip, after a word about tracks that the file cannot carry as they are."""
    sound = read_sound(timing.clip.path) if timing.clip and timing.clip.has_audio else None
    sound = fitting(sound, target)
    for number, track in enumerate(sound.tracks if sound else (), 1):
        becomes = track.becomes(target.suffix)
        if becomes != "copy":
            name = becomes.partition("_")[0].upper()
            why = f"because {target.suffix[1:]} cannot carry it"
            say(f"{target.name}: sound track {number} is encoded as {name} from {track.codec}, {why}")
    return sound


def _of_one_size(paths: Sequence[Path], frames: Iterable[Frame]) -> Iterator[Frame]:
    size = None
    for path, frame in zip(paths, frames, strict=True):
        size = size or frame.shape[:2]
        if frame.shape[:2] != size:
            found = f"{_size(frame)} instead of {size[1]}x{size[0]}"
            raise UserError(f"{path} has another size than the first frame", found, "make it again")
        yield frame


def _stored(clip: Clip) -> str:
    return "{}x{} with pixels of {}:{}".format(clip.width, clip.height, *clip.sample_aspect)


def _evened(label: str, frames: Iterable[Frame], film: Film, shape: FilmShape) -> Iterator[Frame]:
    """All frames, padded as `film` needs it."""
    for number, frame in enumerate(frames):
        padded = _padded(frame, film, shape)
        if number == 0 and padded is not frame:
            sizes = f"{_size(frame)} padded to {_size(padded)}"
            say(f"{label}: {sizes} by repeating the last line, as {film.name} asks")
        yield padded


def _padded(frame: Frame, film: Film, shape: FilmShape) -> Frame:
    bottom, right = shape.padding(frame.shape, film.even)
    if not (bottom or right):
        return frame
    padded: Frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return padded


def _in_depth(frame: Frame, deep: bool) -> Frame:
    if not deep:
        return as_uint8(frame)
    return frame if frame.dtype == np.uint16 else frame.astype(np.uint16) * np.uint16(257)


def _undamaged(read: Callable[[Path], T], path: Path) -> T:
    try:
        return read(path)
    except DamagedImage as error:
        hint = "delete it and make it again: a merge only makes what is missing"
        raise UserError(f"{path} is damaged", error.reason, hint) from None


def _size(pixels: Frame | Mask) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
