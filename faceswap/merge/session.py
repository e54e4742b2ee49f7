"""A merge in the making: the looks of a clip's frames, every step of them, and the file that keeps them.

The file is JSON and is written anew, whole, at every change; keys name frames by their stems, so that a frame
that goes missing moves nothing else. The batch merge replays it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, StringConstraints, ValidationError

from faceswap.console import say, warn
from faceswap.errors import UserError
from faceswap.io.documents import Count, first_fault, fitted, read_json
from faceswap.io.files import natural_order, sha256, write_json
from faceswap.merge.keyframes import ACTIONS, NUMERIC, Key, Keyframes, Value, checked
from faceswap.merge.settings import MergeSettings
from faceswap.types import Json

NAME = "merge_session.json"
SCHEMA = 1
# What to do with a session that is there: go on with it; begin a new one, keeping the old file; or go on with
# it though it was made for other frames.
Resume: TypeAlias = Literal["resume", "new", "adopt"]
_HINT = "add --interactive --session new to begin another (this file is kept), or --session ignore"

_Stem = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class _StoredClip(BaseModel):
    first: _Stem
    last: _Stem
    frames: Count
    digest: Annotated[str, StringConstraints(max_length=256)] | None


class _Stored(BaseModel):
    """The file. Sessions of before there were upscalers name none."""

    clip: _StoredClip
    at: _Stem
    upscaler: Annotated[str, StringConstraints(max_length=4096)] | None = None
    base: MergeSettings
    keys: dict[_Stem, list[tuple[_Stem, Value, bool]]]


@dataclass(frozen=True)
class Clip:
    """The frames of a merge, in order, and what tells them from another clip's.

    digest: None where there are no files; first, last and number of the frames must tell then.
    """

    stems: tuple[str, ...]
    digest: str | None

    @classmethod
    def of(cls, frames: Sequence[Path]) -> "Clip":
        """A clip of frames; their files may go missing between the first and the last, or be gone at all."""
        ends = [path for path in (frames[0], frames[-1]) if path.is_file()]
        digest = " ".join(map(sha256, ends)) if len(ends) == 2 else None
        return cls(tuple(path.stem for path in frames), digest)

    def is_in(self, stored: "_StoredClip") -> bool:
        """Whether a session file tells of this clip."""
        if self.digest is not None:
            return stored.digest == self.digest
        told = stored.first, stored.last, stored.frames
        return told == (self.stems[0], self.stems[-1], len(self.stems))


class Session:
    """The looks of a clip, with undo and redo without limit.

    at: the frame that was looked at last; upscaler: the user's network for super-resolution, if any.
    """

    def __init__(
        self, path: Path, clip: Clip, looks: Keyframes, at: int = 0, upscaler: Path | None = None
    ) -> None:
        self.path, self.clip, self.at, self.upscaler = path, clip, at, upscaler
        self._past: list[Keyframes] = []
        self._future: list[Keyframes] = []
        self._looks = looks

    @classmethod
    def open(cls, path: Path, clip: Clip, base: MergeSettings, how: Resume = "resume") -> "Session":
        """The session of `path`, or a new one that begins with `base`.

        Raises UserError for a session of other frames (unless adopted), of a later version, or one that
        cannot be read. `how` = "new" keeps the file under the next free name.
        """
        if how == "new" and path.is_file():
            kept = _free_name(path)
            path.rename(kept)
            say(f"the session before is kept as {kept.name}")
        if not path.is_file():
            return cls(path, clip, Keyframes(base))
        try:
            return cls._read(path, clip, how)
        except ValueError as error:
            raise UserError(f"{path} is no merge session of this version", _told(error), _HINT) from None

    @property
    def looks(self) -> Keyframes:
        return self._looks

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    def change(self, looks: Keyframes) -> bool:
        """Take other looks and keep them; False where nothing differs."""
        if looks == self._looks:
            return False
        self._past.append(self._looks)
        self._future.clear()
        self._put(looks)
        return True

    def amend(self, looks: Keyframes) -> None:
        """Go on with the last change, as a moving slider does: one step to undo, to be saved at its end."""
        self._looks = looks

    def undo(self) -> bool:
        """Back to the looks before the last change; False where there are none."""
        return self._step(self._past, self._future)

    def redo(self) -> bool:
        """Forward again; False where nothing was undone."""
        return self._step(self._future, self._past)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        write_json(self.path, self._to_json())

    def _step(self, origin: list[Keyframes], other: list[Keyframes]) -> bool:
        if not origin:
            return False
        other.append(self._looks)
        self._put(origin.pop())
        return True

    def _put(self, looks: Keyframes) -> None:
        self._looks = looks
        self.save()

    def _to_json(self) -> Json:
        stems, last = self.clip.stems, len(self.clip.stems) - 1
        keys = {
            # A range to the end of the clip needs no key behind it.
            name: [[stems[key.frame], key.value, key.ramp] for key in some if key.frame <= last]
            for name, some in self._looks.keys.items()
        }
        return {
            "schema": SCHEMA,
            "clip": {"first": stems[0], "last": stems[-1], "frames": len(stems), "digest": self.clip.digest},
            "at": stems[min(self.at, last)],
            "upscaler": str(self.upscaler) if self.upscaler else None,
            "base": self._looks.base.model_dump(mode="json"),
            "keys": keys,
        }

    @classmethod
    def _read(cls, path: Path, clip: Clip, how: Resume) -> "Session":
        content = read_json(path, hint=_HINT)
        if isinstance(content, dict) and content.get("schema") != SCHEMA:
            raise ValueError(f"it has schema {content.get('schema')}, this version reads {SCHEMA}")
        stored = fitted(content, _Stored)
        if not clip.is_in(stored.clip) and how != "adopt":
            made = stored.clip
            raise UserError(
                f"{path} was made for other frames",
                f"{made.frames} frames, {made.first} to {made.last}; "
                f"here are {len(clip.stems)}, {clip.stems[0]} to {clip.stems[-1]}",
                "add --session adopt to use it here, --interactive --session new to begin another (this one "
                "is kept), or --session ignore",
            )
        looks = Keyframes(stored.base)
        place = {stem: index for index, stem in enumerate(clip.stems)}
        lost = {stem for keys in stored.keys.values() for stem, _, _ in keys if stem not in place}
        if lost:
            first = min(lost, key=natural_order)
            warn(f"{len(lost)} frames with settings of their own are missing, the first is {first}")
        keys = {name: _placed(name, some, place, looks.base) for name, some in stored.keys.items()}
        at = place.get(stored.at, 0)
        looks = Keyframes(looks.base, {name: some for name, some in keys.items() if some})
        return cls(path, clip, looks, at, Path(stored.upscaler) if stored.upscaler else None)


def _placed(
    name: str, stored: Sequence[tuple[str, Value, bool]], place: dict[str, int], base: MergeSettings
) -> tuple[Key, ...]:
    """The keys of a setting where their frames are now; that of a missing frame moves to the next."""
    later = sorted(place, key=natural_order)
    found: dict[int, Key] = {}
    for stem, value, ramp in stored:
        value = _checked(name, value, base)
        index = place.get(stem)
        if index is None:
            following = [other for other in later if natural_order(other) > natural_order(stem)]
            if not following:
                continue
            index = place[following[0]]
        found[index] = Key(index, value, ramp and name in NUMERIC)
    return tuple(found[index] for index in sorted(found))


def _checked(name: str, value: Value, base: MergeSettings) -> Value:
    """The value of a key; ValueError for what is no setting, no action, or out of range."""
    number = name.removeprefix("face ")
    if number != name:
        if not re.fullmatch(r"[0-9]{1,6}", number) or value not in ACTIONS:
            raise ValueError(f"{name} cannot be {value!r}")
        return value
    if name not in MergeSettings.model_fields:
        raise ValueError(f"there is no setting {name}")
    # Where a run was cut, its value may lie between two whole numbers.
    is_cut = isinstance(value, float) and MergeSettings.model_fields[name].annotation is int
    settings = checked(base, {name: round(value) if is_cut else value})
    return value if is_cut else getattr(settings, name)


def _free_name(path: Path) -> Path:
    for number in range(1, 1_000_000):
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if not free.exists():
            return free
    raise UserError(f"{path.parent} is full of old sessions", "", "delete some")


def _told(error: Exception) -> str:
    return first_fault(error) if isinstance(error, ValidationError) else str(error)
