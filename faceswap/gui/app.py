"""The application that all windows live in."""

import ctypes
import os
import sys
from types import FrameType

from faceswap.errors import Stopped, UserError
from faceswap.stopping import StopRequest
from faceswap.system import HINT, explain_import, missing_libraries

try:
    from PySide6.QtCore import QTimer
    from PySide6.QtGui import QColor, QImage, QPalette
    from PySide6.QtWidgets import QApplication, QStyleFactory, QWidget
except ImportError as error:
    raise (
        explain_import(error)
        or UserError("the window needs Qt", str(error), "type: pip install 'faceswap-workbench[gui]'")
    ) from None

import numpy as np
from numpy.typing import NDArray

_COLORS = {
    QPalette.ColorRole.Window: "#26282c",
    QPalette.ColorRole.Base: "#1d1f22",
    QPalette.ColorRole.AlternateBase: "#2b2d31",
    QPalette.ColorRole.Button: "#34373c",
    QPalette.ColorRole.WindowText: "#e4e4e4",
    QPalette.ColorRole.Text: "#e4e4e4",
    QPalette.ColorRole.ButtonText: "#e4e4e4",
    QPalette.ColorRole.ToolTipBase: "#34373c",
    QPalette.ColorRole.ToolTipText: "#e4e4e4",
    QPalette.ColorRole.PlaceholderText: "#8a8d93",
    QPalette.ColorRole.Highlight: "#4a90d9",
    QPalette.ColorRole.HighlightedText: "#ffffff",
}


def application(without_screen: str = "") -> QApplication:
    """The running application, dark as film people like it.

    Raises UserError where there is no screen; without_screen: what a person can do then.
    """
    running = QApplication.instance()
    if isinstance(running, QApplication):
        return running
    # OpenCV's wheels point Qt to plugins of their own version of Qt.
    if "cv2" in os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", ""):
        del os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"]
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in names):
        # Qt would end the process without a word to the user.
        raise UserError(
            "there is no screen to open a window on",
            "neither DISPLAY nor WAYLAND_DISPLAY is set",
            without_screen,
        )
    if os.environ.get("QT_QPA_PLATFORM", "xcb").startswith("xcb") and (lacking := missing_libraries()):
        # Nor here.
        raise UserError(f"a window needs {', '.join(lacking)}, which this system lacks", "", HINT)
    _keep_constants()
    app = QApplication(sys.argv[:1])
    app.setStyle(QStyleFactory.create("Fusion"))
    palette = QPalette()
    for role, color in _COLORS.items():
        palette.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#6b6e74"))
    app.setPalette(palette)
    return app


def fill_screen(window: QWidget) -> None:
    """Give a window nine tenths of its screen, but no less than 1280 x 720."""
    room = window.screen().availableSize()
    window.resize(max(1280, room.width() * 9 // 10), max(720, room.height() * 9 // 10))


def _keep_constants() -> None:
    """Let None, True and False outlive PySide6.

    PySide6 6.12 drops a reference to what Python methods return to Qt: to None with every repaint, to True
    with every event. Python 3.11 counts those, and ends with "deallocating None" after some thousand; later
    ones do not (PEP 683).
    """
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            # The count is the first field of an object.
            ctypes.c_ssize_t.from_address(id(constant)).value += 2**60


def run(window: QWidget) -> None:
    """Show a window until it is closed; signals close it, and are raised then, but for Ctrl-C."""
    # Qt's loop never lets Python look for signals on its own.
    wake = QTimer(window)
    wake.timeout.connect(lambda: None)
    wake.start(200)
    window.show()
    with _Close(window) as stop:
        application().exec()
    if isinstance(stop.reason, Stopped):
        raise stop.reason


class _Close(StopRequest):
    """Closes a window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__()
        self._window = window

    def remember(self, number: int, frame: FrameType | None) -> None:
        if not self.wanted:
            super().remember(number, frame)
        self._window.close()


def to_image(picture: NDArray[np.uint8]) -> QImage:
    """Qt's copy of a picture (h, w, 3) uint8 RGB."""
    height, width = picture.shape[:2]
    rows = np.ascontiguousarray(picture)
    return QImage(rows.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
