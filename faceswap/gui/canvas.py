"""A picture to look at closely: zoomed, moved with the mouse, wiped against another."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from faceswap.gui.app import to_image
from faceswap.gui.zoom import ZoomView
from faceswap.merge.preview import Picture

# As DeepFaceLab zooms (deepfacelab.md §11.8), and further.
_LEAST, _MOST = 0.1, 16.0
_STEP = 1.2
_GRAB_PX = 8
_ACCENT = QColor("#4a90d9")


class Mark(tuple[float, float, float, float, str, bool]):
    """A rectangle in frame pixels (left, top, width, height), its label, and whether it is the chosen one."""


class Canvas(ZoomView):
    """Pictures in frame pixels, whatever size they were computed at.

    clicked: where in the frame, in pixels; context: the same for the right button.
    """

    clicked = Signal(float, float)
    context = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before = QImage()
        self._wipe = 0.5
        self._dragged: QPointF | None = None
        self._wiping = False
        self._marks: list[Mark] = []
        self._note = ""

    def limits(self) -> tuple[float, float]:
        return _LEAST, _MOST

    def stepped(self, notches: float) -> float:
        return float(self.zoom * _STEP**notches)

    def show_pictures(self, picture: Picture, scale: float, before: Picture | None = None) -> None:
        """A picture of `scale` times the frame's size; `before` lies left of the wipe."""
        self._before = QImage() if before is None else to_image(before)
        self.show_picture(picture, scale)

    def show_marks(self, marks: list[Mark]) -> None:
        """Rectangles over the picture."""
        self._marks = marks
        self.update()

    def show_note(self, note: str) -> None:
        """Words over the picture; "" for none."""
        self._note = note
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        target = self.paint_picture(painter)
        if not self._before.isNull():
            self._paint_before(painter, target)
        self._paint_marks(painter)
        if self._note:
            painter.setPen(QColor("#f0c060"))
            painter.setFont(QFont(painter.font().family(), 13))
            painter.drawText(self.rect().adjusted(16, 12, -16, -12), Qt.AlignmentFlag.AlignTop, self._note)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        place = self._to_frame(event.position())
        if event.button() == Qt.MouseButton.RightButton:
            self.context.emit(place.x(), place.y())
            return
        self._wiping = self._on_wipe(event.position())
        self._dragged = event.position()
        if not self._wiping:
            self.clicked.emit(place.x(), place.y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        at = event.position()
        if self._dragged is None:
            over = self._on_wipe(at)
            self.setCursor(Qt.CursorShape.SplitHCursor if over else Qt.CursorShape.ArrowCursor)
        elif self._wiping:
            target = self._target()
            self._wipe = min(1.0, max(0.0, (at.x() - target.left()) / target.width()))
            self.update()
        else:
            self.pan(at - self._dragged)
            self._dragged = at

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self._dragged = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self.fit()

    def _on_wipe(self, at: QPointF) -> bool:
        target = self._target()
        return (
            not self._before.isNull() and abs(at.x() - target.left() - self._wipe * target.width()) < _GRAB_PX
        )

    def _paint_before(self, painter: QPainter, target: QRectF) -> None:
        edge = target.left() + self._wipe * target.width()
        painter.save()
        painter.setClipRect(QRectF(target.left(), target.top(), edge - target.left(), target.height()))
        painter.drawImage(target, self._before)
        painter.restore()
        painter.setPen(QPen(_ACCENT, 2))
        painter.drawLine(QPointF(edge, target.top()), QPointF(edge, target.bottom()))

    def _paint_marks(self, painter: QPainter) -> None:
        corner = self._target().topLeft()
        for left, top, width, height, label, chosen in self._marks:
            painter.setPen(QPen(_ACCENT if chosen else QColor("#9a9da3"), 2 if chosen else 1))
            place = QRectF(left * self.zoom, top * self.zoom, width * self.zoom, height * self.zoom)
            place.translate(corner)
            painter.drawRect(place)
            painter.drawText(place.topLeft() + QPointF(4, -5), label)
