"""The time code by which editors find a shot again, hh:mm:ss:ff, with ; where numbers are dropped."""

import re
from collections.abc import Iterable, Mapping

_FORM = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.])(\d{1,3})")
_DAY_H = 24
_NTSC = 1001 / 1000
_RATES_HZ = (24 / _NTSC, 24, 25, 30 / _NTSC, 30, 48, 50, 60 / _NTSC, 60, 100, 120 / _NTSC, 120)


def find_timecode(tags: Iterable[Mapping[str, str]]) -> str:
    """The first time code among the tags of a clip and its streams, "" without one."""
    texts = (value for each in tags for name, value in each.items() if name.lower() == "timecode")
    return next((text for text in texts if _FORM.fullmatch(text)), "")


def counted_rate(average_hz: float, guessed_hz: float) -> float:
    """The frames a second that a time code counts: the clip's mean rate, unless some frames stay longer."""
    usual = any(abs(average_hz / rate_hz - 1) < 0.0005 for rate_hz in _RATES_HZ)
    return average_hz if usual else guessed_hz


def is_timecode(text: str) -> bool:
    """Whether `text` is hh:mm:ss:ff, or hh:mm:ss;ff where numbers are dropped."""
    return _FORM.fullmatch(text) is not None


def moved_timecode(timecode: str, seconds: float, fps: float) -> str:
    """The time code of the frame shown `seconds` after the one at `timecode`, at `fps` frames a second.

    Drop-frame counting leaves out the first two numbers of a minute, four at 60 frames/s, but not of each
    tenth minute (SMPTE ST 12-1). After 24 hours it begins anew.
    """
    found = _FORM.fullmatch(timecode)
    if found is None:
        raise ValueError(f"{timecode!r} is no time code")
    rate = max(1, round(fps))
    drops = found[4] != ":" and rate % 30 == 0
    hours, minutes, secs, frames = (int(found[group]) for group in (1, 2, 3, 5))
    number = ((60 * hours + minutes) * 60 + secs) * rate + frames + round(seconds * fps)
    dropped = rate // 15 if drops else 0
    per_minute, per_ten = 60 * rate - dropped, 600 * rate - 9 * dropped
    if drops:
        passed = 60 * hours + minutes
        number = (number - dropped * (passed - passed // 10)) % (_DAY_H * 6 * per_ten)
        tens, rest = divmod(number, per_ten)
        number += dropped * (9 * tens + max(0, (rest - dropped) // per_minute))
    seconds_in, frame = divmod(number, rate)
    minutes_in, second = divmod(seconds_in, 60)
    sign = found[4] if drops else ":"
    return f"{minutes_in // 60 % _DAY_H:02}:{minutes_in % 60:02}:{second:02}{sign}{frame:02}"
