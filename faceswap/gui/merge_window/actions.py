"""What the merge window does, by the names that the table of commands uses."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceswap.gui.merge_window.window import MergeWindow


def actions_of(window: "MergeWindow") -> dict[str, Callable[[], object]]:
    """Every action of `window` that is no change of a single setting."""
    return _frames(window) | _clip(window) | _others(window)


def _frames(window: "MergeWindow") -> dict[str, Callable[[], object]]:
    editor, last = window.editor, len(window.clip.frames) - 1
    return {
        "previous": lambda: window.go(editor.at - 1),
        "next": lambda: window.go(editor.at + 1),
        "first": lambda: window.go(0),
        "last": lambda: window.go(last),
        "back": lambda: window.go(editor.at - 10),
        "on": lambda: window.go(editor.at + 10),
        "play": window.player.toggle,
        "loop": window.parts.buttons["loop"].toggle,
        "next_problem": lambda: window.jump(1),
        "previous_problem": lambda: window.jump(-1),
    }


def _clip(window: "MergeWindow") -> dict[str, Callable[[], object]]:
    editor, last = window.editor, len(window.clip.frames) - 1

    def copied(first: int, until: int | None, to: int) -> None:
        if 0 <= to <= last:
            window.act(editor.copy(first, until))
            window.go(to)

    def ranged(first: int | None, until: int | None) -> None:
        start, end = editor.range or (0, last)
        first, until = start if first is None else first, end if until is None else until
        window.choose_range(min(first, until), max(first, until))

    return {
        "copy_next": lambda: copied(editor.at + 1, editor.at + 1, editor.at + 1),
        "copy_on": lambda: copied(editor.at + 1, None, editor.at + 1),
        "copy_previous": lambda: copied(editor.at - 1, editor.at - 1, editor.at - 1),
        "copy_back": lambda: copied(0, editor.at - 1, 0),
        "keyframe": lambda: window.act(editor.key_all()),
        "clear_keys": lambda: window.act(editor.clear()),
        "range_start": lambda: ranged(editor.at, None),
        "range_end": lambda: ranged(None, editor.at),
        "undo": lambda: window.act(editor.undo()),
        "redo": lambda: window.act(editor.redo()),
    }


def _others(window: "MergeWindow") -> dict[str, Callable[[], object]]:
    return {
        "checkerboard": window.toggle_checkerboard,
        "view": window.next_view,
        "zoom_in": lambda: window.canvas.zoom_by(1.25),
        "zoom_out": lambda: window.canvas.zoom_by(0.8),
        "fit": window.canvas.fit,
        "next_face": window.next_face,
        "cycle_action": lambda: window.act(window.editor.cycle_action()),
        "process": window.process,
        "help": lambda: window.parts.help.setVisible(not window.parts.help.isVisible()),
        "quit": window.close,
    }
