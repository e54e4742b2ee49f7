"""Merged frames to a finished video: dst's times and sound, whole or not at all, marked as synthetic."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from faceswap import __version__
from faceswap.console import command, progress, say, warn
from faceswap.errors import UserError
from faceswap.io.ffmpeg import audio_mode, encode_command, ffmpeg_binary
from faceswap.io.files import atomic_path, list_images
from faceswap.io.flow import ordered_map
from faceswap.io.images import DamagedImage, as_uint8, read_image
from faceswap.io.pipes import Encoder
from faceswap.io.timestamps import read_timestamps
from faceswap.io.video import Clip, Color, fingerprint, probe
from faceswap.types import Frame, Side
from faceswap.workspace import Workspace

TOOL = f"faceswap-workbench {__version__}"
NOTE = (
    f"Synthetic media: the face in this video was swapped by {TOOL}. It is not a recording of what is shown."
)
MASK_NOTE = f"Synthetic media: mask of a face swap made by {TOOL}."


@dataclass(frozen=True)
class Timing:
    """When frames are shown: (stem, seconds from the clip's start); and the clip whose sound they get.

    fps: the mean rate, by which the last frame's stay is known.
    """

    frames: tuple[tuple[str, float], ...]
    fps: float
    clip: Clip | None


def find_timing(place: Workspace, given: Path | None, fps: float | None) -> Timing:
    """The times of dst's frames: from timestamps.json, else even, at `fps` or the clip's rate, and a warning.

    given: a clip that takes the place of data_dst.* for sound.
    Raises UserError when extraction was not finished, or no rate can be known.
    """
    record = read_timestamps(place.frames(Side.DST))
    if record is None:
        return _even_timing(place, given, fps)
    if not record.complete:
        hint = f"finish it: {command('stages.extract_dst', '--workspace', place.root)}"
        raise UserError("the extraction of dst's frames was not finished", "", hint)
    frames = tuple((Path(frame.name).stem, frame.time_s) for frame in record.frames)
    dst = _clip_of(record.clips[0], place, given)
    return Timing(frames, min(dst.fps, record.choice.fps or dst.fps), dst)


def _even_timing(place: Workspace, given: Path | None, fps: float | None) -> Timing:
    """For frames that came without times, as in a workspace of DeepFaceLab."""
    stems = [path.stem for path in list_images(place.frames(Side.DST)) or list_images(place.merged)]
    if not stems:
        hint = f"type: {command('stages.extract_dst', '--workspace', place.root)}"
        raise UserError(f"no frames in {place.frames(Side.DST)}", "", hint)
    beside = sorted(path for path in place.root.glob(f"{place.clip_stem(Side.DST).name}.*") if path.is_file())
    clip = probe(given or beside[0]) if given or beside else None
    rate = fps or (clip.fps if clip else None)
    if rate is None:
        found = f"{len(stems)} frames, no timestamps.json and no clip"
        raise UserError("it is not known when frames are shown", found, "add --fps N, for example --fps 25")
    warn(f"no timestamps.json: frames are shown evenly, {rate:.5g} a second (--fps changes it)")
    start_s = clip.start_s if clip else 0.0
    return Timing(tuple((stem, start_s + index / rate) for index, stem in enumerate(stems)), rate, clip)


def _clip_of(recorded: Clip, place: Workspace, given: Path | None) -> Clip:
    """The recorded clip where it lies now, or with the sound of `given`; without sound when it is gone."""
    if given is not None:
        other = probe(given)
        taken = {name: getattr(other, name) for name in ("path", "origin_s", "stream", "audio_codec")}
        return recorded.model_copy(update=taken)
    there = [path for path in (recorded.path, place.root / recorded.path.name) if path.is_file()]
    same = [path for path in there if fingerprint(path) == recorded.fingerprint]
    if not there:
        warn(f"{recorded.path.name} is gone: the result has no sound (--input FILE names it)")
        return recorded.model_copy(update={"audio_codec": None})
    if not same:
        warn(f"{there[0]} has changed since its frames were extracted; its sound may not fit")
    return recorded.model_copy(update={"path": (same or there)[0]})


def find_pictures(folder: Path, timing: Timing, command: str) -> list[Path]:
    """The file in `folder` of each frame of `timing`, in order.

    Raises UserError naming the first missing one and how many are missing; `command` makes them.
    """
    there = {path.stem: path for path in list_images(folder)}
    missing = [stem for stem, _ in timing.frames if stem not in there]
    if missing:
        what = f"{len(missing)} of {len(timing.frames)} frames are missing in {folder}"
        raise UserError(what, f"the first is {missing[0]}", f"type: {command}")
    extra = len(there) - len(timing.frames)
    if extra > 0:
        warn(f"{extra} pictures in {folder} belong to no frame of dst and are left out")
    return [there[stem] for stem, _ in timing.frames]


def encode(
    target: Path, pictures: Sequence[Path], timing: Timing, *, quality: int, sound: bool, note: str
) -> None:
    """Write `pictures` at their times to the H.264 mp4 `target`; an older one stays until it is whole.

    quality: x264's constant rate factor, 0-51.  sound: take the first sound track of the clip along.
    Odd sizes get one more line or column, a copy of the last, because H.264's yuv420p counts in twos.
    Raises UserError for a damaged frame, one of another size, or when ffmpeg fails.
    """
    height, width = _read(pictures[0]).shape[:2]
    if height % 2 or width % 2:
        size = f"{width + width % 2}x{height + height % 2}"
        say(f"{target.name}: {width}x{height} padded to {size} by repeating the last line, as H.264 asks")
    clip = timing.clip
    heard = clip if clip is not None and clip.has_audio and sound else None
    if heard is not None and audio_mode(heard) == "aac":
        say(f"{target.name}: {heard.audio_codec} sound is encoded as AAC, because mp4 cannot carry it")
    with atomic_path(target) as temporary:
        command = encode_command(
            temporary,
            color=clip.color if clip else Color(),
            sample_aspect=clip.sample_aspect if clip else (1, 1),
            quality=quality,
            note=note,
            sound=heard,
            binary=ffmpeg_binary(),
        )
        with Encoder(command) as encoder:
            encoder.feed(_timed(target.name, pictures, timing, (height, width)), timing.fps)
            ended_well, words = encoder.finish()
        if not ended_well:
            hint = "the frames are as they were; free some disk space if it is full, and try again"
            raise UserError(f"ffmpeg could not write {target}", words, hint)


def _timed(
    label: str, pictures: Sequence[Path], timing: Timing, size: tuple[int, int]
) -> Iterator[tuple[float, Frame]]:
    frames = ordered_map(_read, pictures, os.cpu_count() or 1)
    shown = progress(frames, f"encode {label}", "frames", len(pictures))
    for path, (_, time_s), frame in zip(pictures, timing.frames, shown, strict=True):
        if frame.shape[:2] != size:
            found = f"{frame.shape[1]}x{frame.shape[0]} instead of {size[1]}x{size[0]}"
            raise UserError(f"{path} has another size than the first frame", found, "merge it again")
        yield time_s, _padded(frame)


def _read(path: Path) -> Frame:
    """One picture as RGB uint8; H.264 in yuv420p holds 8 bits, so deeper frames are rounded to them."""
    try:
        return as_uint8(read_image(path))
    except DamagedImage as error:
        hint = "delete it and merge again: the merge only makes what is missing"
        raise UserError(f"{path} is damaged", error.reason, hint) from None


def _padded(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    padded: Frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return padded
