"""The clip in one strip: what is done, where settings change, what needs a look, and where one is."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypeAlias

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QToolTip, QWidget

Status: TypeAlias = Literal["pending", "changed", "done"]

COLORS: Mapping[Status, QColor] = {
    "pending": QColor("#4a4d53"),
    "changed": QColor("#d9a441"),
    "done": QColor("#4f9d5d"),
}
_URGENCY = list(COLORS)
_KEY, _PROBLEM, _HEAD, _RANGE = (
    QColor("#e4e4e4"),
    QColor("#d9574a"),
    QColor("#4a90d9"),
    QColor(74, 144, 217, 70),
)
_THUMB, _BAR_PX, _KEYS_PX = QSize(104, 58), 10, 14


class Timeline(QWidget):
    """went: a frame was chosen; ranged: first and last frame of a range that was drawn with Shift.

    wanted: the frames whose thumbnails there is room for.
    """

    went = Signal(int)
    ranged = Signal(int, int)
    wanted = Signal(list)

    def __init__(self, count: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count, self._at = count, 0
        self._statuses: Sequence[Status] = ["pending"] * count
        self._keys: Collection[int] = ()
        self._problems: Mapping[int, str] = {}
        self._range: tuple[int, int] | None = None
        self._thumbnails: dict[int, QImage] = {}
        self._begun: int | None = None
        self.setFixedHeight(_THUMB.height() + _BAR_PX + _KEYS_PX + 12)
        self.setMouseTracking(True)

    def set_position(self, frame: int) -> None:
        self._at = frame
        self.update()

    def set_statuses(self, statuses: Sequence[Status]) -> None:
        self._statuses = statuses
        self.update()

    def set_keys(self, frames: Collection[int]) -> None:
        self._keys = frames
        self.update()

    def set_problems(self, problems: Mapping[int, str]) -> None:
        self._problems = problems
        self.update()

    def set_range(self, frames: tuple[int, int] | None) -> None:
        self._range = frames
        self.update()

    def set_thumbnail(self, frame: int, image: QImage) -> None:
        self._thumbnails[frame] = image
        self.update()

    def slots(self) -> list[int]:
        """The frames that thumbnails stand for, from left to right."""
        count = max(1, self.width() // _THUMB.width())
        return [min(self._count - 1, int((slot + 0.5) * self._count / count)) for slot in range(count)]

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self.wanted.emit(self.slots())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#1d1f22"))
        self._paint_thumbnails(painter)
        top = _THUMB.height() + 4
        # A pixel of a long clip stands for many frames, and shows the least finished one.
        for x in range(self.width()):
            first, last = self._frame(x), max(self._frame(x), self._frame(x + 1) - 1)
            shown = min(self._statuses[first : last + 1], key=_URGENCY.index)
            painter.fillRect(QRectF(x, top, 1, _BAR_PX), COLORS[shown])
        for frame in self._problems:
            painter.fillRect(QRectF(self._x(frame), top, max(1.0, self.width() / self._count), 3), _PROBLEM)
        if self._range:
            left, right = self._x(self._range[0]), self._x(self._range[1] + 1)
            painter.fillRect(QRectF(left, 0, right - left, self.height()), _RANGE)
        self._paint_keys(painter, top + _BAR_PX + _KEYS_PX / 2)
        middle = (self._x(self._at) + self._x(self._at + 1)) / 2
        painter.setPen(QPen(_HEAD, 2))
        painter.drawLine(QPointF(middle, 0), QPointF(middle, self.height()))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        frame = self._frame(event.position().x())
        self._begun = frame if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else None
        self._choose(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        frame = self._frame(event.position().x())
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(frame)
        else:
            problem = self._problems.get(frame, "")
            told = f"frame {frame + 1}, {self._statuses[frame]}" + (f", {problem}" if problem else "")
            QToolTip.showText(event.globalPosition().toPoint(), told, self)

    def _choose(self, frame: int) -> None:
        if self._begun is not None:
            self.ranged.emit(min(self._begun, frame), max(self._begun, frame))
        self.went.emit(frame)

    def _frame(self, x: float) -> int:
        return min(self._count - 1, max(0, int(x * self._count / max(1, self.width()))))

    def _x(self, frame: int) -> float:
        return frame * self.width() / self._count

    def _paint_thumbnails(self, painter: QPainter) -> None:
        slots = self.slots()
        width = self.width() / len(slots)
        for number, frame in enumerate(slots):
            image = self._thumbnails.get(frame)
            place = QRectF(number * width + 1, 1, width - 2, _THUMB.height())
            if image is not None:
                fitted = image.size().scaled(place.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
                inside = QRectF(QPointF(), fitted.toSizeF())
                inside.moveCenter(place.center())
                painter.drawImage(inside, image)
            painter.fillRect(
                QRectF(place.left(), place.bottom() - 2, place.width(), 2), COLORS[self._statuses[frame]]
            )

    def _paint_keys(self, painter: QPainter, y: float) -> None:
        painter.setBrush(_KEY)
        painter.setPen(Qt.PenStyle.NoPen)
        for frame in self._keys:
            x = (self._x(frame) + self._x(frame + 1)) / 2
            painter.drawPolygon(
                QPolygonF([QPointF(x + dx, y + dy) for dx, dy in ((-4, 0), (0, -5), (4, 0), (0, 5))])
            )
