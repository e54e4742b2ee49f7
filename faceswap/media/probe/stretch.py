"""Which frames of a clip a part of it shows, read from its packets."""

from collections.abc import Iterator
from dataclasses import dataclass

import av

from faceswap.console import progress
from faceswap.media.probe.packets import Shown, is_untimed, shown_from
from faceswap.media.probe.video import Clip

# People read times rounded to a thousandth, so a frame this little before a time is meant by it.
_TOLERANCE_S = 0.0005
# A decoder that starts this long before a key frame cannot miss it, wherever seeking ends.
_RUN_UP_S = 1.0


@dataclass(frozen=True)
class Part:
    """What a clip shows from `start_s` until before `end_s`, None for its end, in seconds from its start."""

    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class Stretch:
    """The frames that begin within a part: times in seconds from the clip's start.

    end_s: when the last one's stay ends, at the latest with the part. is_ended: the part has an end.
    seek_s: where to seek to, so that the first is decoded for sure; 0 is the clip's start.
    is_joined: the clip is made of recordings whose clocks are made one. is_untimed: see `is_untimed`.
    """

    first_s: float
    last_s: float
    end_s: float
    count: int
    is_ended: bool
    seek_s: float
    is_joined: bool
    is_untimed: bool


def find_stretch(clip: Clip, part: Part) -> Stretch | None:
    """The frames of `clip` in `part`; None where none begins in it."""
    wanted_s = clip.origin_s + max(part.start_s, clip.start_s) - _TOLERANCE_S
    most_s = float("inf") if part.end_s is None else clip.origin_s + part.end_s - _TOLERANCE_S
    first_s, last_s, next_s = float("inf"), -float("inf"), float("inf")
    key_s, count, joined, untimed = 0.0, 0, False, False
    with av.open(str(clip.path.resolve()), metadata_errors="replace") as container:
        stream = container.streams[clip.stream]
        assert isinstance(stream, av.VideoStream)
        untimed = is_untimed(container)
        frames = _until(shown_from(container, stream, wanted_s), most_s)
        for frame in progress(frames, "look for the part", "frames", after_s=2):
            joined |= frame.joined
            if frame.is_key and frame.time_s <= wanted_s + 2 * _TOLERANCE_S:
                key_s = frame.time_s - clip.origin_s
            if wanted_s <= frame.time_s < most_s:
                first_s, last_s, count = min(first_s, frame.time_s), max(last_s, frame.time_s), count + 1
            elif frame.time_s >= most_s:
                next_s = min(next_s, frame.time_s)
    if not count:
        return None
    first_s, last_s, next_s = (max(0.0, time_s - clip.origin_s) for time_s in (first_s, last_s, next_s))
    stays_s = clip.end_s if clip.end_s > last_s else last_s + 1 / clip.fps
    end_s = min(next_s if next_s < float("inf") else stays_s, part.end_s or float("inf"))
    is_ended = part.end_s is not None
    seek_s = 0.0 if joined or untimed else max(0.0, key_s - _RUN_UP_S)
    return Stretch(first_s, last_s, end_s, count, is_ended, seek_s, joined, untimed)


def _until(frames: Iterator[Shown], end_s: float) -> Iterator[Shown]:
    """Frames in decoding order until none that follows can be shown before the first at or after `end_s`."""
    next_s = float("inf")
    for frame in frames:
        yield frame
        next_s = min(next_s, frame.time_s) if frame.time_s >= end_s else next_s
        if frame.decoded_s is not None and frame.decoded_s >= next_s:
            return
