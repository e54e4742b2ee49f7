"""A part of a clip as a clip of its own, exact to the frame."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import av

from faceswap.console import progress_bar, say
from faceswap.errors import UserError
from faceswap.io.ffmpeg import cut_command, ffmpeg_binary
from faceswap.io.files import atomic_path
from faceswap.io.pipes import Transcoder
from faceswap.io.sound import Sound, read_sound
from faceswap.io.video import Clip

# People read times rounded to a thousandth, so a frame this little before a time is meant by it.
_TOLERANCE_S = 0.0005


@dataclass(frozen=True)
class Part:
    """What a clip shows from `start_s` until before `end_s`, None for its end, in seconds from its start."""

    start_s: float
    end_s: float | None


def parse_time(text: str) -> float:
    """Seconds of "hh:mm:ss.mmm", "mm:ss.mmm" or "ss.mmm"; UserError for anything else."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text.strip()):
        raise UserError(
            f"{text!r} is no time", "", "type hh:mm:ss.mmm or seconds, such as 00:01:02.500 or 62.5"
        )
    seconds = 0.0
    for field in text.split(":"):
        seconds = 60 * seconds + float(field)
    return seconds


def parse_part(start: str, end: str) -> Part:
    """A part by its two times; an end of zero is the clip's end, as in DeepFaceLab (dfl-facts §12).

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
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
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
        found = "; ".join(
            f"{t.index}: {' '.join(filter(None, (t.codec, t.language, t.title)))}" for t in tracks
        )
        raise UserError(
            f"{clip.path} has no sound track {number}", f"it has {found or 'no sound'}", "name another"
        )
    return replace(sound, tracks=(tracks[number],))


def cut(clip: Clip, part: Part, target: Path, *, quality: int, sound: Sound | None) -> int:
    """Write `part` to `target` as H.264 and return how many frames it has; the first is at time zero.

    quality: x264's constant rate factor.  Distances between frames, and between sound and picture, stay.
    Raises UserError when the part shows no frame, or ffmpeg fails.
    """
    first_s = _frame_from(clip, part.start_s)
    last_s = None if part.end_s is None else _frame_from(clip, part.end_s)
    if first_s is None or first_s == last_s:
        found = f"it lasts {clip.duration_s:.3f} s"
        raise UserError(f"{clip.path} shows no frame in this part", found, "name other times")
    total = round(((clip.duration_s if last_s is None else last_s) - first_s) * clip.fps)
    end_s = None if last_s is None else last_s - _TOLERANCE_S
    with atomic_path(target) as temporary:
        # A millionth earlier, lest rounding to ffmpeg's millionths drops the very frame.
        command = cut_command(
            clip, temporary, max(0.0, first_s - 1e-6), end_s, quality=quality, sound=sound,
            binary=ffmpeg_binary(),
        )  # fmt: skip
        count = 0
        with Transcoder(command) as process, progress_bar(f"cut {target.name}", "frames", total) as bar:
            for count in process.counts():
                bar.update(count - bar.n)
            ended_well, words = process.finish()
        if not ended_well:
            hint = "the clip is as it was; free some disk space if it is full, and try again"
            raise UserError(f"ffmpeg could not write {target}", words, hint)
    say(f"{count} frames from {first_s:.3f} s in {target}")
    return count


def _frame_from(clip: Clip, time_s: float) -> float | None:
    """When the first frame at or after `time_s` is shown, in seconds from the clip's start; None at its end.

    Packets only are looked at, from the key frame before on, until decoding order has passed it.
    """
    wanted_s = clip.origin_s + time_s - _TOLERANCE_S
    found_s = None
    with av.open(str(clip.path.resolve()), metadata_errors="replace") as container:
        container.seek(int(max(clip.origin_s, wanted_s) * 1_000_000))
        for packet in container.demux(container.streams[clip.stream]):
            if packet.pts is None or packet.time_base is None:
                continue
            shown_s = float(packet.pts * packet.time_base)
            if shown_s >= wanted_s and (found_s is None or shown_s < found_s):
                found_s = shown_s
            if found_s is not None and packet.dts is not None and packet.dts * packet.time_base >= found_s:
                break
    return None if found_s is None else max(0.0, found_s - clip.origin_s)
