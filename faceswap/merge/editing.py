"""What a person's hand does to a session: which frames a change is for, which face, where one is."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Literal, TypeAlias, get_args

from faceswap.merge.keyframes import ACTIONS, Action, FrameSettings, Keyframes
from faceswap.merge.plan import ClipFaces
from faceswap.merge.session import Session

# Which frames a change is for. "from here on" goes to the next change that was made of that setting, as
# frames keep what they were given.
Scope: TypeAlias = Literal["from here on", "this frame", "range", "all frames", "keyframe"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Editor:
    """scope: for which frames changes are; range: first and last frame; face: number of the chosen one."""

    def __init__(self, session: Session, clip: ClipFaces) -> None:
        self.session, self.clip = session, clip
        self.scope: Scope = "from here on"
        self.range: tuple[int, int] | None = None
        self.face = 0
        # The looks before a slider began to move.
        self._origin: Keyframes | None = None

    @property
    def at(self) -> int:
        return self.session.at

    @property
    def look(self) -> FrameSettings:
        """Of the frame that is looked at."""
        return self.session.looks.at(self.at)

    def go(self, frame: int) -> None:
        """Look at another frame, which ends what a slider was doing."""
        self.settle()
        if frame != self.at:
            self.session.at, self.face = frame, 0

    def keyed(self) -> dict[str, bool]:
        """The settings that change over the clip, and whether they have a key at this frame."""
        return {
            name: any(key.frame == self.at for key in keys) for name, keys in self.session.looks.keys.items()
        }

    def change(self, changes: Mapping[str, Any], moving: bool) -> bool:
        """Give settings values for the frames of the scope; False where nothing differs.

        moving: a slider is on its way, and all its values until `settle` are one step to undo.
        """
        if self._origin is None:
            looks = self._applied(self.session.looks, changes)
            origin = self.session.looks
            if not changes or not self.session.change(looks):
                return False
            self._origin = origin if moving else None
            return True
        self.session.amend(self._applied(self._origin, changes))
        if not moving:
            self.settle()
        return True

    def settle(self) -> None:
        """A slider was let go."""
        if self._origin is not None:
            self._origin = None
            self.session.save()

    def undo(self) -> bool:
        """Back to before the last change."""
        self.settle()
        return self.session.undo()

    def redo(self) -> bool:
        """Forward again."""
        self.settle()
        return self.session.redo()

    def key(self, setting: str, on: bool) -> bool:
        """Give a setting a keyframe here, with the value it has, or take it away."""
        looks = self.session.looks
        if not on:
            return self.session.change(looks.clear(self.at, [setting]))
        return self.session.change(looks.key({setting: getattr(self.look.settings, setting)}, self.at))

    def key_all(self) -> bool:
        """Keyframes here of every setting that has keys anywhere."""
        settings = self.look.settings
        names = [name for name in self.session.looks.keys if hasattr(settings, name)]
        return self.session.change(
            self.session.looks.key({name: getattr(settings, name) for name in names}, self.at)
        )

    def clear(self) -> bool:
        """Take away the keys at this frame."""
        return self.session.change(self.session.looks.clear(self.at))

    def copy(self, first: int, last: int | None) -> bool:
        """Give other frames the settings of this one."""
        return self.session.change(self.session.looks.copy(self.at, first, last))

    def act(self, action: Action) -> bool:
        """What happens to the chosen face in the frames of the scope, wherever it has gone by then."""
        if self.face >= len(self.clip.faces[self.at]):
            return False
        first, last = self._span()
        track = self.clip.track(self.at, self.face)
        chosen = [frame for frame in track if first <= frame and (last is None or frame <= last)]
        looks = self.session.looks
        # A track has no gaps: its face keeps a number for many frames.
        for number, frames in groupby(chosen, track.__getitem__):
            run = list(frames)
            looks = looks.act(number, action, run[0], run[-1])
        return self.session.change(looks)

    def cycle_action(self) -> bool:
        """Swap the chosen face, leave it, skip it, in turn."""
        now = ACTIONS.index(self.look.action(self.face))
        return self.act(ACTIONS[(now + 1) % len(ACTIONS)])

    def _applied(self, looks: Keyframes, changes: Mapping[str, Any]) -> Keyframes:
        if self.scope == "all frames":
            return looks.everywhere(changes)
        if self.scope == "keyframe":
            return looks.key(changes, self.at)
        if self.scope == "from here on":
            for name, value in changes.items():
                # What runs from keyframe to keyframe gets one more; to hold would cut the run off.
                ramps = any(key.ramp for key in looks.keys.get(name, ()))
                looks = (
                    looks.key({name: value}, self.at) if ramps else looks.set_onward({name: value}, self.at)
                )
            return looks
        return looks.set(changes, *self._span())

    def _span(self) -> tuple[int, int | None]:
        """The frames of the scope."""
        if self.scope == "all frames":
            return 0, None
        if self.scope == "range" and self.range is not None:
            return self.range
        if self.scope == "from here on":
            return self.at, None
        return self.at, self.at
