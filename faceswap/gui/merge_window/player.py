"""Playing the clip in the merge window."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

if TYPE_CHECKING:
    from faceswap.gui.merge_window.window import MergeWindow


class Player(QTimer):
    """Goes on by a frame at the clip's rate, or as fast as frames are shown: none is left out.

    looping: begin again after the last frame of the range, or of the clip, instead of stopping.
    """

    def __init__(self, window: "MergeWindow", fps: float) -> None:
        super().__init__(window)
        self.looping = False
        self._window, self._last = window, len(window.clip.frames) - 1
        self.setInterval(round(1000 / fps))
        self.timeout.connect(self._step)

    def toggle(self) -> None:
        """Play or pause; at the end there is nothing to play but in a loop."""
        if self.isActive():
            self.stop()
        elif self._window.editor.at < self._last or self.looping:
            self.start()
        self._window.parts.buttons["play"].setText("Pause" if self.isActive() else "Play")

    def _step(self) -> None:
        if not self._window.is_shown:
            return
        at = self._window.editor.at
        first, last = self._window.editor.range or (0, self._last)
        if at < last:
            self._window.go(at + 1)
        elif self.looping:
            self._window.go(first)
        else:
            self.toggle()
