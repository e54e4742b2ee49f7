"""The merge window's keys: DeepFaceLab's are its own, and none means two things."""

from collections import Counter

import pytest

from faceswap.gui.merge_window.commands import (
    BY_KEY,
    COMMANDS,
    Adjust,
    Choose,
    Do,
    changed_by,
    choices,
    keys_of,
    span,
)
from faceswap.merge.settings import MergeSettings

# deepfacelab.md §11.2: more, less; Shift is five.
DFL_PAIRS = {
    "hist_match_threshold": "QA", "erode": "WS", "blur": "ED", "motion_blur_power": "RF",
    "output_face_scale": "UJ", "super_resolution_power": "TG", "blursharpen_amount": "YH",
    "image_denoise_power": "IK", "bicubic_degrade_power": "OL",
}  # fmt: skip
DFL_CYCLES = {"masked_hist_match": "z", "mask_mode": "x", "color_transfer": "c", "sharpen_mode": "n"}
# deepfacelab.md §11.2: original is 0.
DFL_MODES = {
    "`": "original", "1": "overlay", "2": "hist-match", "3": "seamless", "4": "seamless-hist-match",
    "5": "raw-rgb", "6": "raw-predict",
}  # fmt: skip
# deepfacelab.md §11.8.
DFL_OTHERS = {
    ",": "previous", "<": "first", ".": "next", ">": "process", "/": "copy_next", "?": "copy_on",
    "m": "copy_previous", "M": "copy_back", "v": "checkerboard", "-": "zoom_out", "=": "zoom_in",
    "Tab": "help", "Esc": "quit",
}  # fmt: skip


def test_no_key_means_two_things() -> None:
    count = Counter(key for command in COMMANDS for key in command.keys)
    assert [key for key, times in count.items() if times > 1] == []


@pytest.mark.parametrize(("setting", "pair"), DFL_PAIRS.items())
def test_deepfacelabs_pairs_change_its_settings_and_shift_goes_five_steps(setting: str, pair: str) -> None:
    more, less = pair.lower()
    assert [BY_KEY[key].action for key in (more, less)] == [Adjust(setting, 1), Adjust(setting, -1)]
    assert [BY_KEY[key].action for key in pair] == [Adjust(setting, 5), Adjust(setting, -5)]


def test_the_colour_degrade_has_deepfacelabs_uneven_keys() -> None:
    steps = [BY_KEY[key].action for key in "p;P:"]
    assert steps == [Adjust("color_degrade_power", step) for step in (1, -1, 5, -5)]


def test_deepfacelabs_other_keys_do_what_they_did() -> None:
    assert {key: BY_KEY[key].action for key in DFL_CYCLES.values()} == {
        key: Adjust(setting) for setting, key in DFL_CYCLES.items()
    }
    assert {key: BY_KEY[key].action for key in DFL_MODES} == {
        key: Choose("mode", mode) for key, mode in DFL_MODES.items()
    }
    assert {key: BY_KEY[key].action for key in DFL_OTHERS} == {
        key: Do(name) for key, name in DFL_OTHERS.items()
    }


def test_every_setting_of_the_look_has_a_key_but_what_deepfacelab_never_had() -> None:
    without = {"mode", "morph", "smooth_mask", "smooth_color"}
    assert {name for name in MergeSettings.model_fields if not keys_of(name)} == without
    assert keys_of("erode") == "W S" and keys_of("mask_mode") == "X"


def test_numbers_stop_at_their_ends_and_lists_go_round() -> None:
    assert changed_by(Adjust("erode", 5), MergeSettings(erode=398)) == {"erode": 400}
    assert changed_by(Adjust("erode", 5), MergeSettings(erode=400)) == {}
    last = choices("mask_mode")[-1]
    assert changed_by(Adjust("mask_mode"), MergeSettings(mask_mode=last)) == {
        "mask_mode": choices("mask_mode")[0]
    }
    assert changed_by(Adjust("masked_hist_match"), MergeSettings(masked_hist_match=True)) == {
        "masked_hist_match": False
    }
    assert span("output_face_scale") == (-50, 50)
