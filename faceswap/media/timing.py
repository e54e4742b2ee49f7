"""When frames are shown, and which picture file is which frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.console import command, say, warn
from faceswap.errors import UserError
from faceswap.io.files import list_images, refuse_twins
from faceswap.io.leftout import say_left_out
from faceswap.media.clips import clips_beside
from faceswap.media.probe.video import Clip, fingerprint, probe
from faceswap.media.timestamps import read_timestamps
from faceswap.types import Side
from faceswap.workspace import Workspace


@dataclass(frozen=True)
class Timing:
    """When frames are shown: (stem, seconds from the clip's start); and the clip whose sound they get.

    fps: the mean rate. known_end_s: when the last frame's stay ends, 0 where that is not known.
    """

    frames: tuple[tuple[str, float], ...]
    fps: float
    clip: Clip | None
    known_end_s: float = 0.0

    @property
    def end_s(self) -> float:
        """When the last frame's stay ends; by the rate where nothing tells it."""
        last_s = self.frames[-1][1]
        return self.known_end_s if self.known_end_s > last_s else last_s + 1 / self.fps


def find_frames_timing(folder: Path, given: Path | None, fps: float | None) -> Timing:
    """The times of any folder of pictures: `fps`, or its timestamps.json, or the rate of the clip `given`.

    Raises UserError when there are no pictures, or no rate can be known.
    """
    pictures = list_images(folder)
    if not pictures:
        raise UserError(f"no pictures in {folder}", _found_in(folder), "name a folder with --frames DIR")
    say_left_out(folder)
    record = read_timestamps(folder) if fps is None else None
    if record is not None and record.complete:
        frames = tuple((Path(frame.name).stem, frame.time_s) for frame in record.frames)
        clip = _where_it_lies(record.clips[0], folder, given)
        return Timing(frames, record.choice.fps or clip.fps, clip, clip.end_s)
    return _even([path.stem for path in pictures], probe(given) if given else None, fps)


def _found_in(folder: Path) -> str:
    if not folder.is_dir():
        return "there is no such folder"
    kinds = sorted({path.suffix or path.name for path in folder.iterdir()})
    return f"it holds {', '.join(kinds[:8])}" if kinds else "it is empty"


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
    dst = _where_it_lies(record.clips[0], place.root, given)
    return Timing(frames, min(dst.fps, record.choice.fps or dst.fps), dst, dst.end_s)


def _even_timing(place: Workspace, given: Path | None, fps: float | None) -> Timing:
    """For frames that came without times, as in a workspace of DeepFaceLab."""
    stems = [path.stem for path in list_images(place.frames(Side.DST)) or list_images(place.merged)]
    say_left_out(place.frames(Side.DST))
    if not stems:
        hint = f"type: {command('stages.extract_dst', '--workspace', place.root)}"
        raise UserError(f"no frames in {place.frames(Side.DST)}", "", hint)
    beside, _ = clips_beside(place.clip_stem(Side.DST))
    clip = probe(given or beside[0]) if given or beside else None
    if fps is None and clip is not None:
        warn(f"no timestamps.json: frames are shown evenly, {clip.fps:.5g} a second (--fps changes it)")
    return _even(stems, clip, fps)


def _even(stems: Sequence[str], clip: Clip | None, fps: float | None) -> Timing:
    """At `fps`, or at the clip's own rate, from the clip's first frame on."""
    rate = fps or (clip.fps if clip else None)
    if rate is None:
        found = f"{len(stems)} frames, no timestamps.json and no clip"
        raise UserError("it is not known when frames are shown", found, "add --fps N, for example --fps 25")
    start_s = clip.start_s if clip else 0.0
    return Timing(tuple((stem, start_s + index / rate) for index, stem in enumerate(stems)), rate, clip)


def _where_it_lies(recorded: Clip, folder: Path, given: Path | None) -> Clip:
    """The recorded clip where it lies now, or with the sound of `given`; without sound when it is gone."""
    if given is not None:
        other = probe(given)
        taken = {name: getattr(other, name) for name in ("path", "origin_s", "stream", "audio_codec")}
        return recorded.model_copy(update=taken)
    there = [path for path in (recorded.path, folder / recorded.path.name) if path.is_file()]
    same = [path for path in there if fingerprint(path) == recorded.fingerprint]
    if not there:
        warn(f"{recorded.path.name} is gone: the result has no sound (--input FILE names it)")
        return recorded.model_copy(update={"audio_codec": None})
    if not same:
        warn(f"{there[0]} has changed since its frames were extracted; its sound may not fit")
    if same and not recorded.end_s:
        # Recorded before these were.
        now = probe(same[0])
        newer = {name: getattr(now, name) for name in ("end_s", "timecode", "timecode_fps", "alpha")}
        recorded = recorded.model_copy(update=newer)
    return recorded.model_copy(update={"path": (same or there)[0]})


def without_missing(timing: Timing, folder: Path, hint: str) -> Timing:
    """Only the frames that have a picture in `folder`, at their times: each stays until the next one.

    Raises UserError with `hint` when none has.
    """
    there = {path.stem for path in list_images(folder)}
    frames = tuple(frame for frame in timing.frames if frame[0] in there)
    if not frames:
        raise UserError(f"no frame of the clip is in {folder}", _found_in(folder), hint)
    missing = [stem for stem, _ in timing.frames if stem not in there]
    if missing:
        say(f"{len(missing)} frames are not in {folder} and skipped, the first is {missing[0]}")
    return replace(timing, frames=frames, known_end_s=timing.end_s)


def find_pictures(folder: Path, timing: Timing, hint: str, whole: Timing | None = None) -> list[Path]:
    """The file in `folder` of each frame of `timing`, in order.

    whole: with the frames that are left out on purpose, too.
    Raises UserError with `hint`, naming the first missing one and how many are missing.
    """
    pictures = list_images(folder)
    refuse_twins(pictures)
    there = {path.stem: path for path in pictures}
    missing = [stem for stem, _ in timing.frames if stem not in there]
    if missing:
        what = f"{len(missing)} of {len(timing.frames)} frames are missing in {folder}"
        raise UserError(what, f"the first is {missing[0]}", hint)
    extra = len(there.keys() - {stem for stem, _ in (whole or timing).frames})
    if extra:
        warn(f"{extra} pictures in {folder} belong to no frame of dst and are left out")
    return [there[stem] for stem, _ in timing.frames]
