"""Curves over the iterations, one panel below the other: zoomed, moved and smoothed together."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from faceswap.train.watch.curves import Series
from faceswap.train.watch.panels import Panel, short, ticks
from faceswap.train.watch.span import SMOOTHINGS, Columns, Span, columns, fitted

# As in loss.png: src first.
_COLORS = tuple(map(QColor, ("#5aaaff", "#ffc846")))
_PAPER, _PANEL, _LINES, _INK, _DIM, _MARK = map(
    QColor, ("#151618", "#1d1f22", "#2c2f34", "#e4e4e4", "#8a8d93", "#d9574a")
)
_LEFT_PX, _RIGHT_PX, _TITLE_PX, _BOTTOM_PX, _GAP_PX = 56, 10, 20, 22, 6
_LABEL_PX = 18
_STEP, _CLICK_PX = 1.25, 4


class CurvesView(QWidget):
    """picked: an iteration was clicked; moved: other iterations are looked at, or more smoothly."""

    picked = Signal(float)
    moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.span = Span()
        self.smoothing = SMOOTHINGS[3]
        self._panels: Sequence[Panel] = ()
        self._drawn: QPixmap | None = None
        self._shown: list[tuple[Panel, QRectF, Mapping[str, Columns]]] = []
        self._mark: float | None = None
        self._cursor: QPointF | None = None
        self._pressed: QPointF | None = None
        self._dragged = False
        self.setMinimumSize(300, 200)
        self.setMouseTracking(True)

    def show_panels(self, panels: Sequence[Panel]) -> None:
        """What is known now; where new iterations are followed, they come into sight."""
        self._panels = panels
        ends = [(curve.at[0], curve.at[-1]) for panel in panels for curve in panel.curves.values()]
        if ends:
            self.span.grow(float(min(first for first, _ in ends)), float(max(last for _, last in ends)))
        self._redraw()

    def show_mark(self, iteration: float | None) -> None:
        """A line at the iteration whose picture is shown."""
        self._mark = iteration
        self.update()

    def smooth(self, smoothing: int) -> None:
        """Show means of so many iterations."""
        self.smoothing = smoothing
        self._moved()

    def cycle(self) -> None:
        """The next range, as DeepFaceLab's key l."""
        self.span.cycle()
        self._moved()

    def show_newest(self, width: float | None) -> None:
        """The newest so many iterations, None for all."""
        self.span.show(width)
        self._moved()

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Show `factor` times as many iterations, about a pixel, else about the newest where it is seen."""
        if x is None:
            x = self._plot().right() if self.span.end is None else self._plot().center().x()
        self.span.zoom(factor, self._iteration(x))
        self._moved()

    # -- Qt ------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        self.zoom(_STEP ** (-event.angleDelta().y() / 120), event.position().x())

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._pressed, self._dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._cursor = event.position()
        if self._pressed is not None:
            by = event.position().x() - self._pressed.x()
            if self._dragged or abs(by) > _CLICK_PX:
                self._dragged, self._pressed = True, event.position()
                first, last = self.span.bounds
                self.span.pan(-by * (last - first) / self._plot().width())
                self._moved()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._pressed is not None and not self._dragged and self._panels:
            self.picked.emit(self._iteration(event.position().x()))
        self._pressed = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self.show_newest(None)

    def leaveEvent(self, event: QEnterEvent) -> None:  # type: ignore[override]  # noqa: N802
        self._cursor = None
        self.update()
        super().leaveEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self._redraw()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        # The curves are drawn when they change, the cursor with every move.
        if self._drawn is None:
            self._drawn = self._draw()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn)
        if not self._panels:
            return
        for shown in self._shown:
            self._paint_title(painter, *shown)
        if self._mark is not None and self.span.bounds[0] <= self._mark <= self.span.bounds[1]:
            self._paint_line(painter, self._x(self._mark), QPen(_MARK, 2))
        if self._cursor is not None and self._plot().contains(self._cursor):
            self._paint_line(painter, self._cursor.x(), QPen(_DIM, 1, Qt.PenStyle.DotLine))
            told = f"{self._iteration(self._cursor.x()):,.0f}"
            width = painter.fontMetrics().horizontalAdvance(told) + 12
            left = min(self._plot().right() - width, self._cursor.x() - width / 2)
            label = QRectF(left, self.height() - _BOTTOM_PX + 2, width, _BOTTOM_PX - 4)
            painter.fillRect(label, QColor("#34373c"))
            painter.setPen(_INK)
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, told)

    # -- drawing -------------------------------------------------------------------------------------

    def _moved(self) -> None:
        self._redraw()
        self.moved.emit()

    def _redraw(self) -> None:
        self._drawn = None
        self.update()

    def _plot(self) -> QRectF:
        return QRectF(
            _LEFT_PX, 0, max(1, self.width() - _LEFT_PX - _RIGHT_PX), max(1, self.height() - _BOTTOM_PX)
        )

    def _iteration(self, x: float) -> float:
        first, last = self.span.bounds
        return first + (x - self._plot().left()) / self._plot().width() * (last - first)

    def _x(self, iteration: float) -> float:
        first, last = self.span.bounds
        return self._plot().left() + (iteration - first) / (last - first) * self._plot().width()

    def _paint_line(self, painter: QPainter, x: float, pen: QPen) -> None:
        painter.setPen(pen)
        painter.drawLine(QPointF(x, self._plot().top()), QPointF(x, self._plot().bottom()))

    def _draw(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        drawn = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(_PAPER)
        self._shown = []
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        weights = [panel.weight for panel in self._panels]
        room = self._plot().height() - _GAP_PX * len(weights)
        top = 0.0
        for panel in self._panels:
            height = room * panel.weight / sum(weights)
            area = QRectF(_LEFT_PX, top + _TITLE_PX, self._plot().width(), max(1.0, height - _TITLE_PX))
            self._draw_panel(painter, panel, area)
            top += height + _GAP_PX
        self._draw_iterations(painter)
        painter.end()
        return drawn

    def _draw_iterations(self, painter: QPainter) -> None:
        painter.setPen(_DIM)
        first, last = self.span.bounds
        for tick in ticks(first, last, int(self._plot().width() / 90)) if self._panels else ():
            # The last one would stick out.
            left = min(self._x(tick), self.width() - 24) - 45
            label = QRectF(left, self.height() - _BOTTOM_PX, 90, _BOTTOM_PX)
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, short(tick))

    def _draw_panel(self, painter: QPainter, panel: Panel, area: QRectF) -> None:
        bounds, width = self.span.bounds, round(area.width())
        smoothing = self.smoothing if panel.smooths else 1
        shown = {name: columns(curve, bounds, width, smoothing) for name, curve in panel.curves.items()}
        low, high = fitted(list(shown.values()), whole=not panel.smooths)
        painter.fillRect(area, _PANEL)
        most = max(2, int(area.height() / 28))
        # One alone would not tell the scale.
        tried = (ticks(low, high, count) for count in (most, most + 1, most + 2))
        labelled = area.bottom() + _LABEL_PX
        for tick in next((marks for marks in tried if len(marks) > 1), []):
            y = area.bottom() - (tick - low) / (high - low) * area.height()
            painter.setPen(_LINES)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            if labelled - y < _LABEL_PX:
                continue
            labelled = y
            painter.setPen(_DIM)
            label = QRectF(0, y - _LABEL_PX / 2, _LEFT_PX - 6, _LABEL_PX)
            painter.drawText(label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, short(tick))
        painter.save()
        painter.setClipRect(area)
        for color, one in reversed(list(zip(_COLORS, shown.values(), strict=False))):
            _draw_curve(painter, area, one, (low, high), color)
        painter.restore()
        self._shown.append((panel, area, shown))

    def _paint_title(
        self, painter: QPainter, panel: Panel, area: QRectF, shown: Mapping[str, Columns]
    ) -> None:
        x, y = area.left(), area.top() - 6
        at = None if self._cursor is None else self._cursor.x() - area.left()
        words = [(panel.title, _DIM)]
        for color, (name, one) in zip(_COLORS, shown.items(), strict=False):
            if len(one.x):
                words.append((f"{name} {short(_value(one, at))}".strip(), color))
        if panel.best is not None:
            words.append((f"best {short(panel.best)}", _DIM))
        for word, color in words:
            painter.setPen(color)
            painter.drawText(QPointF(x, y), word)
            x += painter.fontMetrics().horizontalAdvance(word) + 14


def _value(shown: Columns, x: float | None) -> float:
    """The value at a pixel, the newest where there is none."""
    place = -1 if x is None else int(np.abs(shown.x - x).argmin())
    return float(shown.mean[place])


def _draw_curve(
    painter: QPainter, area: QRectF, shown: Columns, scale: tuple[float, float], color: QColor
) -> None:
    if not len(shown.x):
        return
    low, high = scale

    def points(values: Series) -> list[QPointF]:
        y = area.bottom() - (values - low) / (high - low) * area.height()
        # Far outside, Qt's own numbers overflow.
        y = np.clip(y, area.top() - 1000, area.bottom() + 1000)
        return [QPointF(*point) for point in zip((area.left() + shown.x).tolist(), y.tolist(), strict=True)]

    band = QColor(color)
    band.setAlpha(50)
    # A line a column is drawn in a tenth of the time that a polygon takes.
    width = np.ceil(np.ptp(shown.x) / max(1, len(shown.x) - 1))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(band, float(max(1.0, width)), Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    painter.drawLines([QLineF(*ends) for ends in zip(points(shown.low), points(shown.high), strict=True)])
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, 1.5))
    line = points(shown.mean)
    painter.drawPolyline(QPolygonF(line))
    if len(line) <= area.width() / 12:
        painter.setBrush(color)
        for point in line:
            painter.drawEllipse(point, 2, 2)
