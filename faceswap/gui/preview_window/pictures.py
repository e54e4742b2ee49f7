"""The contact sheet of a training, and a scrubber through those that were kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from faceswap.gui.zoom import ZoomView

_STEP, _MOST = 1.2, 16.0
_DIM, _INK, _BAR, _HEAD, _LIVE = map(QColor, ("#8a8d93", "#e4e4e4", "#34373c", "#d9574a", "#4f9d5d"))
_ENDS_PX = 72


class SheetView(ZoomView):
    """A sheet of faces; words where there is none yet."""

    margin_px = 8

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dragged: QPointF | None = None
        self._note = "no picture yet"

    def limits(self) -> tuple[float, float]:
        return min(0.1, self.fitting()), _MOST

    def stepped(self, notches: float) -> float:
        return float(self.zoom * _STEP**notches)

    def show_sheet(self, sheet: NDArray[np.uint8] | None) -> None:
        """(h, w, 3) uint8 RGB; None for none."""
        self._note = "no picture yet" if sheet is None else ""
        self.show_picture(np.zeros((200, 320, 3), np.uint8) if sheet is None else sheet, 1.0)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        self.paint_picture(painter)
        if self._note:
            painter.fillRect(self.rect(), QColor("#151618"))
            painter.setPen(_DIM)
            painter.setFont(QFont(painter.font().family(), 13))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._note)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._dragged = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._dragged is not None:
            self.pan(event.position() - self._dragged)
            self._dragged = event.position()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self._dragged = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self.fit()


class Scrubber(QWidget):
    """The pictures that were kept, evenly spaced, and at the right end what is drawn now.

    went: the number of a picture, as many as there are for what is drawn now.
    """

    went = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept: Sequence[int] = ()
        self._at: int | None = None
        self.setFixedHeight(34)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("timelapse: drag to go back in time")

    def show_kept(self, iterations: Sequence[int], at: int | None) -> None:
        """Iterations of the pictures, and the number of the one that is shown; None for now."""
        self._kept, self._at = iterations, at
        self.update()

    def x_of(self, number: int) -> float:
        """Where a picture is, in pixels."""
        return _ENDS_PX + number / max(1, len(self._kept)) * (self.width() - 2 * _ENDS_PX)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._go(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        # Only while a button is held: the widget does not track the mouse.
        self._go(event.position().x())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        left, right = self.x_of(0), self.x_of(len(self._kept)) if self._kept else self.width() - _ENDS_PX
        painter.setPen(QPen(_BAR, 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(left, middle), QPointF(right, middle))
        painter.setPen(QPen(_DIM, 1))
        for number in range(len(self._kept)):
            x = self.x_of(number)
            painter.drawLine(QPointF(x, middle - 4), QPointF(x, middle + 4))
        ends = ((0, f"{self._kept[0]:,}" if self._kept else "none yet"), (self.width() - _ENDS_PX, "now"))
        for x, word in ends:
            painter.setPen(_LIVE if word == "now" and self._at is None else _DIM)
            place = QRectF(x + 4, 0, _ENDS_PX - 8, self.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, word)
        head = self.x_of(self._at) if self._at is not None else right
        painter.setBrush(_HEAD if self._at is not None else _LIVE)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(QPointF(head, middle), 7, 7)
        if self._at is not None:
            self._paint_iteration(painter, head, f"{self._kept[self._at]:,}")

    def _paint_iteration(self, painter: QPainter, x: float, word: str) -> None:
        width = painter.fontMetrics().horizontalAdvance(word) + 12
        left = x + 12 if x + 12 + width < self.width() - _ENDS_PX else x - 12 - width
        place = QRectF(left, self.height() / 2 - 10, width, 20)
        painter.setBrush(_BAR)
        painter.drawRoundedRect(place, 4, 4)
        painter.setPen(_INK)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, word)

    def _go(self, x: float) -> None:
        share = (x - _ENDS_PX) / max(1, self.width() - 2 * _ENDS_PX)
        self.went.emit(min(len(self._kept), max(0, round(share * len(self._kept)))))
