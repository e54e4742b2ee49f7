"""Settings over a clip: what an edit names changes, and nothing else does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from faceswap.merge.keyframes import Key, Keyframes
from faceswap.merge.settings import MergeSettings

FRAMES_N = 12
BASE = Keyframes(MergeSettings(erode=10))
frames = st.integers(0, FRAMES_N - 1)
values = st.integers(-400, 400)
edits = st.lists(
    st.tuples(st.sampled_from(["set", "onward", "key", "clear"]), frames, frames, values), max_size=8
)


def erodes(looks: Keyframes) -> list[int]:
    return [looks.at(frame).settings.erode for frame in range(FRAMES_N)]


def edited(steps: list[tuple[str, int, int, int]]) -> Keyframes:
    looks = BASE
    for kind, one, other, value in steps:
        if kind == "set":
            looks = looks.set({"erode": value}, min(one, other), max(one, other))
        elif kind == "onward":
            looks = looks.set_onward({"erode": value}, one)
        elif kind == "key":
            looks = looks.key({"erode": value}, one)
        else:
            looks = looks.clear(one)
    return looks


@settings(max_examples=100, deadline=None)
@given(edits, frames, frames, values)
def test_a_range_changes_its_frames_and_no_other(steps: Any, one: int, other: int, value: int) -> None:
    looks, (first, last) = edited(steps), sorted((one, other))
    changed = erodes(looks.set({"erode": value}, first, last))
    assert changed[first : last + 1] == [value] * (last - first + 1)
    before = erodes(looks)
    # Where a run is cut in two, its values are the same but for the rounding of sums.
    for frame in (*range(first), *range(last + 1, FRAMES_N)):
        assert abs(changed[frame] - before[frame]) <= 1
    assert sum(changed[f] != before[f] for f in (*range(first), *range(last + 1, FRAMES_N))) <= 1


@settings(max_examples=60, deadline=None)
@given(edits, frames, values)
def test_from_here_on_ends_before_the_next_change(steps: Any, first: int, value: int) -> None:
    looks = edited(steps)
    later = [key.frame for key in looks.keys.get("erode", ()) if key.frame > first]
    end = min(later, default=FRAMES_N)
    changed, before = erodes(looks.set_onward({"erode": value}, first)), erodes(looks)
    assert changed[first:end] == [value] * (end - first)
    assert changed[end:] == before[end:]


@settings(max_examples=60, deadline=None)
@given(edits)
def test_no_key_says_again_what_holds_there_and_one_frame_has_one_key(steps: Any) -> None:
    keys = edited(steps).keys.get("erode", ())
    assert [key.frame for key in keys] == sorted({key.frame for key in keys})
    held = [Key(-1, 10), *keys]
    for before, key in zip(held, keys, strict=False):
        assert key.ramp or before.ramp or key.value != before.value


def test_keyframes_are_joined_by_straight_lines() -> None:
    looks = BASE.key({"erode": 0}, 2).key({"erode": 40}, 6)
    assert erodes(looks) == [10, 10, 0, 10, 20, 30, 40, 40, 40, 40, 40, 40]


def test_what_has_no_values_between_holds_until_the_next_keyframe() -> None:
    looks = BASE.key({"mask_mode": "dst"}, 2).key({"mask_mode": "full"}, 6)
    assert looks.at(1).settings.mask_mode == BASE.base.mask_mode
    assert [looks.at(frame).settings.mask_mode for frame in (2, 5, 6, 11)] == ["dst", "dst", "full", "full"]


def test_a_frame_of_its_own_inside_a_run_leaves_the_run_around_it() -> None:
    looks = BASE.key({"erode": 0}, 0).key({"erode": 100}, 10).set({"erode": -7}, 5, 5)
    assert erodes(looks) == [0, 10, 20, 30, 40, -7, 60, 70, 80, 90, 100, 100]


def test_everywhere_means_everywhere() -> None:
    looks = BASE.set({"erode": 30, "blur": 7}, 3, 5).everywhere({"erode": 50})
    assert erodes(looks) == [50] * FRAMES_N
    assert looks.at(4).settings.blur == 7


def test_copying_takes_all_settings_and_leaves_who_is_swapped() -> None:
    looks = BASE.set({"erode": 30, "mask_mode": "full"}, 4, 4).act(0, "skip", 7, 7).copy(4, 6, None)
    assert [looks.at(frame).settings.erode for frame in (3, 4, 5, 6, 11)] == [10, 30, 10, 30, 30]
    assert looks.at(8).settings.mask_mode == "full"
    assert looks.at(7).action(0) == "skip" and looks.at(6).action(0) == "swap"


def test_each_face_of_a_frame_has_an_action_of_its_own() -> None:
    looks = BASE.act(1, "leave", 2, 4)
    assert [looks.at(frame).action(1) for frame in range(6)] == [
        "swap",
        "swap",
        "leave",
        "leave",
        "leave",
        "swap",
    ]
    assert looks.at(3).action(0) == "swap"
    assert looks.at(3).settings == BASE.base


@pytest.mark.parametrize("changes", [{"erode": 401}, {"mask_mode": "none such"}, {"no setting": 1}])
def test_a_look_out_of_range_is_never_taken(changes: dict[str, Any]) -> None:
    for edit in (BASE.everywhere, lambda c: BASE.set(c, 0), lambda c: BASE.key(c, 0)):
        with pytest.raises(ValidationError):
            edit(changes)
