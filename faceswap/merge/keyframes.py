"""The look of every frame of a clip: one base, and keys that change single settings from a frame on.

A setting that changes over the clip has keys, as in any animation program. A key holds its value until the
next key of that setting, or, where it is a ramp, runs to it in a straight line. A frame of its own, a range,
"from here on" and keyframes are all made of these two. Everything here is a value: edits return a new one,
so that any number of them can be undone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from faceswap.merge.settings import MergeSettings

# What happens to one face of a frame: it is swapped; it keeps its pixels, and the mask still shows where a
# swap would be; it is passed over.
Action: TypeAlias = Literal["swap", "leave", "skip"]
ACTIONS: tuple[Action, ...] = get_args(Action)
# Settings whose values have others in between.
NUMERIC = frozenset(
    name for name, info in MergeSettings.model_fields.items() if info.annotation in (int, float, float | None)
)
_ACTION = "face "

Value: TypeAlias = Any


class Key(NamedTuple):
    """From `frame` on a setting has `value`; a ramp runs from there to the next key's value."""

    frame: int
    value: Value
    ramp: bool = False


class FrameSettings(NamedTuple):
    """How one frame is merged: the settings, and by the number of a face what is not "swap"."""

    settings: MergeSettings
    actions: Mapping[int, Action]

    def action(self, face: int) -> Action:
        """What happens to the frame's face number `face`."""
        return self.actions.get(face, "swap")


@dataclass(frozen=True)
class Keyframes:
    """keys: by setting, in the order of frames, at most one a frame; "face N" holds the actions of face N."""

    base: MergeSettings = field(default_factory=MergeSettings)
    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)

    def at(self, frame: int) -> FrameSettings:
        """The look of a frame, from 0."""
        values = {name: self._value(name, frame) for name in self.keys}
        actions = {
            int(name.removeprefix(_ACTION)): value
            for name, value in values.items()
            if name.startswith(_ACTION) and value != "swap"
        }
        settings = {name: value for name, value in values.items() if not name.startswith(_ACTION)}
        return FrameSettings(self.base.model_copy(update=settings) if settings else self.base, actions)

    def frames(self) -> list[int]:
        """Where any key is, in order."""
        return sorted({key.frame for keys in self.keys.values() for key in keys})

    def everywhere(self, changes: Mapping[str, Value]) -> "Keyframes":
        """Settings of all frames, whatever keys said."""
        kept = {name: keys for name, keys in self.keys.items() if name not in changes}
        return Keyframes(checked(self.base, changes), kept)

    def set(self, changes: Mapping[str, Value], first: int, last: int | None = None) -> "Keyframes":
        """Settings of the frames `first` … `last` (None: to the end of the clip); all others stay."""
        checked(self.base, changes)
        return self._each(changes, lambda name, value: self._filled(name, value, first, last))

    def set_onward(self, changes: Mapping[str, Value], first: int) -> "Keyframes":
        """Settings from `first` to the frame before the next key of each, as changes made earlier stay."""
        checked(self.base, changes)
        return self._each(
            changes, lambda name, value: self._filled(name, value, first, self._before_next(name, first))
        )

    def key(self, changes: Mapping[str, Value], frame: int) -> "Keyframes":
        """Keyframes at `frame`: numbers run in straight lines from and to the keyframes beside it.

        What has no values in between holds from here on. A keyframe that follows a held value begins a run.
        """
        checked(self.base, changes)

        def keyed(name: str, value: Value) -> Iterable[Key]:
            others = [key for key in self.keys.get(name, ()) if key.frame != frame]
            return [*others, Key(frame, value, name in NUMERIC)]

        return self._each(changes, keyed)

    def clear(self, frame: int, names: Iterable[str] | None = None) -> "Keyframes":
        """Without the keys at `frame`, of the given settings or of all."""
        chosen = self.keys if names is None else names
        kept = {name: [key for key in self.keys.get(name, ()) if key.frame != frame] for name in chosen}
        return self._with(kept)

    def act(self, face: int, action: Action, first: int, last: int | None = None) -> "Keyframes":
        """What happens to face number `face` in the frames `first` … `last`."""
        name = f"{_ACTION}{face}"
        return self._with({name: self._filled(name, action, first, last)})

    def copy(self, source: int, first: int, last: int | None = None) -> "Keyframes":
        """All settings of the frame `source` for the frames `first` … `last`; who is swapped stays."""
        settings = self.at(source).settings
        names = [name for name in self.keys if not name.startswith(_ACTION)]
        return self.set({name: getattr(settings, name) for name in names}, first, last)

    def _value(self, name: str, frame: int) -> Value:
        value = self._exact(name, frame)
        return round(value) if _is_whole(name) and value is not None else value

    def _exact(self, name: str, frame: int) -> Value:
        """The value before rounding."""
        keys = self.keys.get(name, ())
        index = bisect_right(keys, frame, key=lambda key: key.frame) - 1
        if index < 0:
            return self._base(name)
        here = keys[index]
        if not here.ramp or index + 1 == len(keys) or None in (here.value, keys[index + 1].value):
            return here.value
        after = keys[index + 1]
        share = (frame - here.frame) / (after.frame - here.frame)
        return here.value + share * (after.value - here.value)

    def _base(self, name: str) -> Value:
        return "swap" if name.startswith(_ACTION) else getattr(self.base, name)

    def _is_ramp(self, name: str, frame: int) -> bool:
        keys = self.keys.get(name, ())
        index = bisect_right(keys, frame, key=lambda key: key.frame) - 1
        return index >= 0 and keys[index].ramp

    def _before_next(self, name: str, frame: int) -> int | None:
        later = [key.frame for key in self.keys.get(name, ()) if key.frame > frame]
        return later[0] - 1 if later else None

    def _filled(self, name: str, value: Value, first: int, last: int | None) -> Iterable[Key]:
        """The keys of a setting with `value` over a range, and outside it the values that were there."""
        keys = self.keys.get(name, ())
        made = [key for key in keys if key.frame < first]
        if first and self._is_ramp(name, first - 1):
            # The run must end where the range begins, on the value it had there, not on the new one.
            made = [key for key in made if key.frame != first - 1]
            made.append(Key(first - 1, self._exact(name, first - 1)))
        made.append(Key(first, value))
        if last is not None:
            after = last + 1
            made.append(Key(after, self._exact(name, after), self._is_ramp(name, after)))
            made += [key for key in keys if key.frame > after]
        return made

    def _each(self, changes: Mapping[str, Value], made: Any) -> "Keyframes":
        return self._with({name: made(name, value) for name, value in changes.items()})

    def _with(self, keys: Mapping[str, Iterable[Key]]) -> "Keyframes":
        changed = dict(self.keys)
        for name, some in keys.items():
            changed[name] = self._needed(name, sorted(some, key=lambda key: key.frame))
        return replace(self, keys={name: some for name, some in changed.items() if some})

    def _needed(self, name: str, keys: list[Key]) -> tuple[Key, ...]:
        """Without the keys that say again what holds there already."""
        needed: list[Key] = []
        before = Key(-1, self._base(name))
        for key in keys:
            if key.ramp or before.ramp or key.value != before.value:
                needed.append(key)
                before = key
        return tuple(needed)


def _is_whole(name: str) -> bool:
    return name in NUMERIC and MergeSettings.model_fields[name].annotation is int


def checked(base: MergeSettings, changes: Mapping[str, Value]) -> MergeSettings:
    """`base` with `changes`; pydantic's ValidationError for values out of range or settings nobody knows."""
    return MergeSettings.model_validate(base.model_dump() | dict(changes))
