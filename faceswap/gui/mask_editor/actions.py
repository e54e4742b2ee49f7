"""What the mask editor does, by the names that the table of commands uses."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceswap.gui.mask_editor.window import MaskWindow


def actions_of(window: "MaskWindow") -> dict[str, Callable[[], object]]:
    """Every action of `window`."""
    return _drawing(window) | _faces(window) | _views(window) | _others(window)


def _drawing(window: "MaskWindow") -> dict[str, Callable[[], object]]:
    canvas = window.canvas
    return {
        "include": lambda: window.use(kind="include"),
        "exclude": lambda: window.use(kind="exclude"),
        "brush": lambda: window.use(tool="polygon" if canvas.tool == "brush" else "brush"),
        "smaller": lambda: canvas.set_radius(canvas.radius_px / 1.2),
        "larger": lambda: canvas.set_radius(canvas.radius_px * 1.2),
        "close": canvas.close_draft,
        "escape": canvas.escape,
        "delete": canvas.delete,
        "turn": canvas.turn,
        "undo": window.undo,
        "redo": window.redo,
        "propose": window.propose,
        "carry": window.carry,
    }


def _faces(window: "MaskWindow") -> dict[str, Callable[[], object]]:
    editor = window.editor
    return {
        "previous": lambda: window.leave(lambda: editor.step(-1)),
        "next": lambda: window.leave(lambda: editor.step(1)),
        "back": lambda: window.leave(lambda: editor.step(-5)),
        "on": lambda: window.leave(lambda: editor.step(5)),
        "previous_labelled": lambda: window.leave(lambda: editor.step(-1, only_labelled=True)),
        "next_labelled": lambda: window.leave(lambda: editor.step(1, only_labelled=True)),
        "first": lambda: window.leave(lambda: editor.go(0)),
        "last": lambda: window.leave(lambda: editor.go(len(editor.order) - 1)),
        "filter": window.next_filter,
        "throw_away": window.throw_away,
        "restore": window.restore,
    }


def _views(window: "MaskWindow") -> dict[str, Callable[[], object]]:
    canvas = window.canvas
    return {
        "red": lambda: window.use(color="red"),
        "green": lambda: window.use(color="green"),
        "blue": lambda: window.use(color="blue"),
        "mask": lambda: window.look_at("mask"),
        "stored": lambda: window.look_at("stored"),
        "overlay": lambda: window.look_at("overlay"),
        "overlay_stored": window.shade_stored,
        "outlines": lambda: window.use(outlines=not canvas.outlines),
        "zoom_in": lambda: canvas.zoom_by(1.25),
        "zoom_out": lambda: canvas.zoom_by(0.8),
        "fit": canvas.fit,
    }


def _others(window: "MaskWindow") -> dict[str, Callable[[], object]]:
    return {
        "save": window.save,
        "help": lambda: window.parts.help.setVisible(not window.parts.help.isVisible()),
        "quit": window.close,
    }
