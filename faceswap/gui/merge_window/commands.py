"""What a person can do in the merge window, and by which key: the one table that window and help are made of.

Keys that DeepFaceLab's merger has are its own (deepfacelab.md §11.2, §11.8).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from annotated_types import Ge, Le

from faceswap.gui.keys import Command as AnyCommand
from faceswap.gui.keys import by_key
from faceswap.merge.settings import MergeSettings, Mode


@dataclass(frozen=True)
class Adjust:
    """Move a setting by `step`, within its range; settings with a list of values go to the next one."""

    setting: str
    step: int = 1


@dataclass(frozen=True)
class Choose:
    """Give a setting a value."""

    setting: str
    value: Any


@dataclass(frozen=True)
class Do:
    """Something the window does, by name."""

    name: str


Command: TypeAlias = AnyCommand[Adjust | Choose | Do]


# Settings by their pair of keys; the same letters with Shift go five times as far.
_PAIRS = {
    "hist_match_threshold": ("qa", "threshold of hist-match"),
    "erode": ("ws", "erode the mask"),
    "blur": ("ed", "blur the mask's edge"),
    "motion_blur_power": ("rf", "motion blur"),
    "output_face_scale": ("uj", "scale of the face (more is smaller)"),
    "super_resolution_power": ("tg", "super-resolution"),
    "blursharpen_amount": ("yh", "sharpen, below zero blur"),
    "image_denoise_power": ("ik", "denoise the frame"),
    "bicubic_degrade_power": ("ol", "soften the frame"),
    "color_degrade_power": ("p;", "fewer colours"),
}
_SHIFTED = {";": ":"}
_CYCLES = {
    "masked_hist_match": ("z", "hist-match looks at the face only, or at the crop"),
    "mask_mode": ("x", "next mask"),
    "color_transfer": ("c", "next colour transfer"),
    "sharpen_mode": ("n", "next way to sharpen"),
}
# DeepFaceLab's numbering of the modes.
_MODES: tuple[Mode, ...] = (
    "original", "overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb", "raw-predict",
)  # fmt: skip

_ACTIONS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("frames", (",", "Left"), "previous frame", "previous"),
    ("frames", (".", "Right"), "next frame", "next"),
    ("frames", ("<", "Home"), "first frame", "first"),
    ("frames", ("End",), "last frame", "last"),
    ("frames", ("PgUp",), "ten frames back", "back"),
    ("frames", ("PgDown",), "ten frames on", "on"),
    ("frames", ("Space",), "play or pause", "play"),
    ("frames", ("Ctrl+L",), "play again from the start, or stop at the end", "loop"),
    ("frames", ("F3",), "next problem: no face, a jump, a face at the edge", "next_problem"),
    ("frames", ("Shift+F3",), "problem before", "previous_problem"),
    ("settings over the clip", ("/",), "next frame, and give it these settings", "copy_next"),
    ("settings over the clip", ("?",), "next frame, and give all that follow these settings", "copy_on"),
    ("settings over the clip", ("m",), "previous frame, and give it these settings", "copy_previous"),
    ("settings over the clip", ("M",), "first frame, and give all up to here these settings", "copy_back"),
    ("settings over the clip", ("Ctrl+K",), "keyframe here, of every setting that has any", "keyframe"),
    ("settings over the clip", ("Ctrl+Shift+K",), "take this frame's keyframes away", "clear_keys"),
    ("settings over the clip", ("Ctrl+[",), "begin a range here", "range_start"),
    ("settings over the clip", ("Ctrl+]",), "end the range here", "range_end"),
    ("settings over the clip", ("Ctrl+Z",), "undo", "undo"),
    ("settings over the clip", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", "redo"),
    ("view", ("v",), "show what is transparent as a checkerboard, or not", "checkerboard"),
    ("view", ("b",), "next view: result, original, wipe, side by side, mask", "view"),
    ("view", ("=", "+"), "zoom in", "zoom_in"),
    ("view", ("-",), "zoom out", "zoom_out"),
    ("view", ("0",), "fit the frame into the window", "fit"),
    ("faces", ("Ctrl+F",), "next face of this frame", "next_face"),
    ("faces", ("Ctrl+S",), "swap the chosen face, leave it, or skip it", "cycle_action"),
    ("work", (">", "Ctrl+R"), "merge the remaining frames, or pause", "process"),
    ("work", ("Tab", "F1"), "this help", "help"),
    ("work", ("Esc", "Ctrl+Q"), "save and close", "quit"),
)


def _table() -> Iterable[Command]:
    for number, mode in enumerate(_MODES):
        yield Command("look", ("`" if number == 0 else str(number),), f"mode {mode}", Choose("mode", mode))
    for setting, (key, told) in _CYCLES.items():
        yield Command("look", (key,), told, Adjust(setting))
    for setting, (pair, told) in _PAIRS.items():
        for key, sign, way in zip(pair, (1, -1), ("more", "less"), strict=True):
            yield Command("look", (key,), f"{told}: {way}", Adjust(setting, sign))
            shifted = _SHIFTED.get(key, key.upper())
            yield Command("look", (shifted,), f"{told}: five {way}", Adjust(setting, 5 * sign))
    for group, keys, told, name in _ACTIONS:
        yield Command(group, keys, told, Do(name))


COMMANDS: tuple[Command, ...] = tuple(_table())
BY_KEY: Mapping[str, Command] = by_key(COMMANDS)


def keys_of(setting: str) -> str:
    """The keys that change a setting, as a label shows them: "W S", "X"; "" where it has none."""
    own = [c for c in COMMANDS if isinstance(c.action, Adjust) and c.action.setting == setting]
    return " ".join(
        c.keys[0].upper() for c in own if isinstance(c.action, Adjust) and abs(c.action.step) == 1
    )


def changed_by(action: Adjust | Choose, settings: MergeSettings) -> dict[str, Any]:
    """The setting that an action changes, with its new value; {} where that is at its end already."""
    name = action.setting
    old = getattr(settings, name)
    if isinstance(action, Choose):
        new = action.value
    else:
        values = choices(name)
        if values:
            new = values[(values.index(old) + action.step) % len(values)]
        else:
            low, high = span(name)
            new = min(high, max(low, old + action.step))
    return {} if new == old else {name: new}


def choices(setting: str) -> tuple[Any, ...]:
    """The values of a setting that has a list of them, () for a number."""
    annotation = MergeSettings.model_fields[setting].annotation
    return (False, True) if annotation is bool else get_args(annotation)


def span(setting: str) -> tuple[float, float]:
    """The least and the greatest value of a number."""
    marks = MergeSettings.model_fields[setting].metadata
    low = next(mark.ge for mark in marks if isinstance(mark, Ge))
    high = next(mark.le for mark in marks if isinstance(mark, Le))
    return low, high  # type: ignore[return-value]
