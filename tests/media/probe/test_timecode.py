"""Time codes against counting by hand, as SMPTE ST 12-1 tells it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.media.probe.timecode import find_timecode, moved_timecode

NTSC = 30000 / 1001


def counted(rate, dropped, minutes):
    """All labels of so many minutes, in order; drop-frame labels that do not exist are left out."""
    return [
        f"{m // 60:02}:{m % 60:02}:{s:02}{';' if dropped else ':'}{f:02}"
        for m in range(minutes) for s in range(60) for f in range(rate)
        if not (s == 0 and f < dropped and m % 10)
    ]  # fmt: skip


LABELS = {
    (rate, dropped): counted(rate, dropped, 23) for rate, dropped in ((25, 0), (30, 2), (60, 4), (24, 0))
}


@pytest.mark.parametrize(
    ("rate", "dropped", "fps"), [(25, 0, 25), (30, 2, NTSC), (60, 4, 2 * NTSC), (24, 0, 24000 / 1001)]
)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_moved_time_code_is_the_one_that_counting_reaches(rate, dropped, fps, data):
    labels = LABELS[rate, dropped]
    start = data.draw(st.integers(0, len(labels) - 1))
    end = data.draw(st.integers(start, len(labels) - 1))
    assert moved_timecode(labels[start], (end - start) / fps, fps) == labels[end]


@pytest.mark.parametrize(
    ("code", "seconds", "fps", "moved"),
    [
        ("01:00:00:00", 1, 25, "01:00:01:00"),
        ("00:00:59;29", 1 / NTSC, NTSC, "00:01:00;02"),  # numbers 0 and 1 are dropped
        ("00:09:59;29", 1 / NTSC, NTSC, "00:10:00;00"),  # … but not in each tenth minute
        ("00:00:59.29", 1 / NTSC, NTSC, "00:01:00.02"),  # as some cameras write it
        ("23:59:59:24", 0.04, 25, "00:00:00:00"),
        ("23:59:59;29", 1 / NTSC, NTSC, "00:00:00;00"),
    ],
)
def test_minutes_and_midnight_are_passed_as_the_standard_says(code, seconds, fps, moved):
    assert moved_timecode(code, seconds, fps) == moved


def test_tags_of_any_case_are_found_and_nonsense_is_none():
    assert find_timecode([{"title": "x"}, {"TIMECODE": "01:00:00:00"}]) == "01:00:00:00"
    assert find_timecode([{"timecode": "soon"}, {}]) == ""
