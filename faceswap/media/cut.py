"""A part of a clip as a clip of its own, exact to the frame."""

import re
from dataclasses import replace
from pathlib import Path

from faceswap.console import progress_bar, say, warn
from faceswap.errors import UserError
from faceswap.io.documents import read_text
from faceswap.io.files import atomic_path
from faceswap.media.extract import open_frames
from faceswap.media.ffmpeg import cut_command, ffmpeg_binary
from faceswap.media.pipes import Transcoder
from faceswap.media.probe.stretch import Part, Stretch, find_stretch
from faceswap.media.probe.timecode import moved_timecode
from faceswap.media.probe.video import Clip
from faceswap.media.sound import Sound, read_sound
from faceswap.media.timestamps import Choice

_MOST_S = 1e7
_AS_TEXT = "save it as UTF-8 text: a line for each part, START END"


def parse_time(text: str) -> float:
    """Seconds of "hh:mm:ss.mmm", "mm:ss.mmm" or "ss.mmm"; UserError for anything else."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text.strip()):
        raise UserError(
            f"{text!r} is no time", "", "type hh:mm:ss.mmm or seconds, such as 00:01:02.500 or 62.5"
        )
    seconds = 0.0
    for field in text.split(":"):
        seconds = 60 * seconds + float(field)
    if seconds > _MOST_S:
        raise UserError(f"{text[:20]}… is longer than any clip" if len(text) > 20 else f"{text} is too long")
    return seconds


def parse_part(start: str, end: str) -> Part:
    """A part by its two times; an end of zero is the clip's end, as in DeepFaceLab (deepfacelab.md §12).

    Raises UserError when it does not end after it starts.
    """
    part = Part(parse_time(start), parse_time(end) or None)
    if part.end_s is not None and part.end_s <= part.start_s:
        raise UserError(f"a part from {start} to {end} is empty", "", "name an end after the start")
    return part


def read_list(path: Path) -> list[Part]:
    """The parts of a cut list: a line each, start and end with space or comma between; # begins a remark."""
    if not path.is_file():
        raise UserError(f"no cut list {path}", "", "write one: a line for each part, START END")
    parts = []
    for number, line in enumerate(read_text(path, _AS_TEXT).splitlines(), 1):
        words = re.split(r"[\s,;]+", line.partition("#")[0].strip())
        if words == [""]:
            continue
        if len(words) != 2:
            raise UserError(
                f"line {number} of {path} is no part", line, "write START END, such as 0:10 0:12.5"
            )
        parts.append(parse_part(*words))
    if not parts:
        raise UserError(f"{path} names no part", "", "write a line for each part, START END")
    return parts


def choose_sound(clip: Clip, number: int | None) -> Sound | None:
    """All tracks of the clip, or only the one of this number from 0; UserError when it has none such."""
    sound = read_sound(clip.path)
    if number is None:
        return sound
    tracks = sound.tracks if sound else ()
    if sound is None or number >= len(tracks):
        found = "; ".join(track.name for track in tracks)
        raise UserError(
            f"{clip.path} has no sound track {number}", f"it has {found or 'no sound'}", "name another"
        )
    return replace(sound, tracks=(tracks[number],))


def cut(clip: Clip, part: Part, target: Path, *, quality: int, sound: Sound | None) -> int:
    """Write `part` to `target` as H.264 and return how many frames it has; the first is at time zero.

    quality: x264's constant rate factor.  Distances between frames, and between sound and picture, and the
    last frame's stay are as in the clip; a time code is moved.
    Raises UserError when the part shows no frame, or ffmpeg fails.
    """
    stretch = find_stretch(clip, part)
    found = f"it lasts {clip.end_s or clip.duration_s:.3f} s"
    if stretch is None:
        raise UserError(f"{clip.path} shows no frame in this part", found, "name other times")
    with atomic_path(target) as temporary:
        count = _transcode(clip, temporary, stretch, quality, sound)
        if count != stretch.count and stretch.seek_s:
            # Some containers cannot tell where a time lies; decoding all from the first frame on can.
            count = _transcode(clip, temporary, replace(stretch, seek_s=0.0), quality, sound)
        if count == 0:
            raise UserError(f"no frame of this part of {clip.path} can be decoded", found, "name other times")
    if count < stretch.count:
        warn(f"{target.name}: {count} of {stretch.count} frames could be decoded")
    say(f"{count} frames from {stretch.first_s:.3f} s in {target}")
    return count


def _transcode(clip: Clip, target: Path, stretch: Stretch, quality: int, sound: Sound | None) -> int:
    """Run ffmpeg and return how many frames it wrote."""
    timecode = clip.timecode and moved_timecode(
        clip.timecode, stretch.first_s - clip.start_s, clip.timecode_fps
    )
    own_clock = stretch.is_untimed or (stretch.is_joined and not sound)
    command = cut_command(
        clip, target, stretch, quality=quality, sound=sound, timecode=timecode,
        late_s=_late(clip) if own_clock else 0.0, binary=ffmpeg_binary(),
    )  # fmt: skip
    count = 0
    with Transcoder(command) as process, progress_bar("cut", "frames", stretch.count) as bar:
        for count in process.counts():
            bar.update(count - bar.n)
        ended_well, words = process.finish()
    if not ended_well:
        hint = "the clip is as it was; free some disk space if it is full, and try again"
        raise UserError(f"ffmpeg could not cut {clip.path}", words, hint)
    return count


def _late(clip: Clip) -> float:
    """How much later than it is shown ffmpeg's clock has the first frame."""
    with open_frames(clip, Choice()) as decoder:
        first_s = next((seconds for seconds, _ in decoder.frames()), clip.start_s)
    return first_s - clip.start_s
