"""What the preview window does, by the names that the table of commands uses."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from faceswap.train.watch.span import next_smoothing

if TYPE_CHECKING:
    from faceswap.gui.preview_window.window import PreviewWindow


def actions_of(window: "PreviewWindow") -> dict[str, Callable[[], object]]:
    """Every action of `window`."""
    sheet, curves, parts = window.parts.sheet, window.parts.curves, window.parts
    return {
        "save": lambda: window.ask("save"),
        "backup": lambda: window.ask("backup"),
        "samples": lambda: window.ask("samples"),
        "stop": lambda: window.ask("stop"),
        "page": window.turn_page,
        "masked": parts.buttons["masked"].toggle,
        "zoom_in": lambda: sheet.zoom_by(1.25),
        "zoom_out": lambda: sheet.zoom_by(0.8),
        "fit": sheet.fit,
        "earlier": lambda: window.step(-1),
        "later": lambda: window.step(1),
        "first": lambda: window.go(0),
        "live": window.go_live,
        "play": window.play,
        "range": curves.cycle,
        "smoother": lambda: curves.smooth(next_smoothing(curves.smoothing, 1)),
        "rougher": lambda: curves.smooth(next_smoothing(curves.smoothing, -1)),
        "narrower": lambda: curves.zoom(0.8),
        "wider": lambda: curves.zoom(1.25),
        "help": lambda: parts.help.setVisible(not parts.help.isVisible()),
        "quit": window.close,
    }
