"""The face with its polygons, drawn and changed with the mouse as in DeepFaceLab (deepfacelab.md §6.5)."""

import math
from typing import Literal, TypeAlias

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QCursor, QMouseEvent, QPainter, QPaintEvent, QWheelEvent

from faceswap.faceset.polygons import Kind
from faceswap.gui.mask_editor.painting import Brush, paint_brush, paint_draft, paint_polygon
from faceswap.gui.zoom import ZoomView
from faceswap.masks.edit.document import Document, Place
from faceswap.masks.edit.picking import edge_near, point_near
from faceswap.masks.edit.propose import paint
from faceswap.types import Points

Tool: TypeAlias = Literal["polygon", "brush"]
Color: TypeAlias = Literal["red", "green", "blue"]

# Within so many screen pixels the cursor means a point or an outline.
_REACH_PX = 8.0
_MOST_ZOOM = 20.0
_LEAST_RADIUS, _MOST_RADIUS = 1.0, 200.0
_CTRL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class MaskCanvas(ZoomView):
    """Changes the document it shows.

    edited: something was drawn or moved; chose: another polygon, or none; resized: the brush was.
    tool, kind: what a click draws; radius_px: of the brush, in crop pixels; chosen: number of the polygon
    that is edited; color: of outlines; outlines: whether they are shown; is_locked: whether there is nothing
    to draw on.
    """

    margin_px = 14
    edited = Signal()
    chose = Signal()
    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.document = Document()
        self.is_locked = False
        self.tool: Tool = "polygon"
        self.kind: Kind = "include"
        self.color: Color = "green"
        self.outlines = True
        self.radius_px = 12.0
        self.chosen: int | None = None
        self.note = ""
        self._held: Place | None = None
        self._moved: tuple[int, QPointF] | None = None
        self._panned: QPointF | None = None
        self._path: list[tuple[float, float]] = []
        self._path_kind: Kind = "include"
        self._cursor: QPointF | None = None
        self.setCursor(Qt.CursorShape.CrossCursor)

    def limits(self) -> tuple[float, float]:
        return self.fitting(), _MOST_ZOOM * self.fitting()

    def stepped(self, notches: float) -> float:
        """As DeepFaceLab zooms, in multiples of the fitted size: by 0.2 and a tenth more."""
        times = self.zoom / self.fitting()
        return (times + math.copysign(0.2 + times / 10, notches)) * self.fitting()

    def open(self, document: Document) -> None:
        """Show another face's polygons."""
        self.release()
        self.document, self.chosen = document, None
        self.update()

    def release(self) -> None:
        """End what the mouse is doing: a drag ends where it is, a stroke that is not finished is dropped."""
        self.document.settle()
        self._held = self._moved = None
        self._path = []

    def choose(self, polygon: int | None) -> None:
        """Edit a polygon, or none."""
        self.chosen = polygon
        self.chose.emit()
        self.update()

    def set_radius(self, radius_px: float) -> None:
        """A larger or smaller brush."""
        self.radius_px = min(_MOST_RADIUS, max(_LEAST_RADIUS, radius_px))
        self.resized.emit()
        self.update()

    @property
    def is_busy(self) -> bool:
        """Whether the mouse is in the middle of something."""
        return bool(self._path or self._held or self._moved)

    def escape(self) -> None:
        """Drop what is being drawn, else let go of the chosen polygon."""
        if self.document.drop_draft():
            self.edited.emit()
        else:
            self.choose(None)

    def delete(self) -> None:
        """Delete the chosen polygon, unless the mouse is dragging it."""
        if self.chosen is not None and not self.is_busy:
            self.document.remove(self.chosen)
            self.choose(None)
            self.edited.emit()

    def turn(self) -> None:
        """Make the chosen polygon exclude where it included, or the other way round."""
        if self.chosen is not None:
            kind = self.document.polygons[self.chosen].kind
            self.document.set_kind(self.chosen, "exclude" if kind == "include" else "include")
            self.edited.emit()

    # -- the mouse -----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        at = self._place(event.position())
        if self.is_locked:
            return
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned = event.position()
        elif event.button() == Qt.MouseButton.RightButton:
            self.close_draft()
        elif event.button() == Qt.MouseButton.LeftButton and self.tool == "brush":
            other: Kind = "exclude" if self.kind == "include" else "include"
            self._path, self._path_kind = [at], other if event.modifiers() & _CTRL else self.kind
        elif event.button() == Qt.MouseButton.LeftButton:
            self._draw(at, event)
        self.update()

    # A second click soon after the first is a click like any other.
    mouseDoubleClickEvent = mousePressEvent  # noqa: N815

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        x, y = self._place(event.position())
        self._cursor = event.position()
        if self._panned is not None:
            self.pan(event.position() - self._panned)
            self._panned = event.position()
        elif self._path:
            self._path.append((x, y))
        elif self._held is not None:
            self.document.move_point(self._held, x, y, moving=True)
            self.edited.emit()
        elif self._moved is not None:
            polygon, before = self._moved
            by = (event.position() - before) / self.zoom
            self.document.shift(polygon, by.x(), by.y(), moving=True)
            self._moved = polygon, event.position()
            self.edited.emit()
        elif self.document.draft is not None and event.modifiers() & _SHIFT:
            self._center_on(event.position())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned = None
            return
        if self._path:
            path, self._path = np.array(self._path, np.float32), []
            before = self.document.polygons
            after = paint(before, path, self.radius_px, self._path_kind, self._size.width())
            if after != before:
                self.chosen = None
                self.document.replace_all(after)
                self.edited.emit()
        self.release()
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        if event.modifiers() & _CTRL and self.tool == "brush":
            self.set_radius(self.radius_px * 1.15 ** (event.angleDelta().y() / 120))
        else:
            super().wheelEvent(event)

    def leaveEvent(self, event: object) -> None:  # noqa: N802
        self._cursor = None
        self.update()

    # -- what a click means --------------------------------------------------------------------------

    def close_draft(self) -> bool:
        """Make a polygon of what is being drawn, if it has three points."""
        if not self.document.close():
            return False
        self.edited.emit()
        return True

    def _draw(self, at: tuple[float, float], event: QMouseEvent) -> None:
        draft = self.document.draft
        if draft is not None:
            closes = draft.is_area and self._near(draft.points[0], at)
            if not (closes and self.close_draft()):
                self.document.place(self.kind, *self._inside(at))
                self.edited.emit()
        elif self.chosen is not None:
            self._edit(at, event)
        else:
            edge = edge_near(self.document.polygons, *at, self._reach)
            if edge is not None and self.outlines:
                self.choose(edge.polygon)
            else:
                self.document.place(self.kind, *self._inside(at))
                self.edited.emit()

    def _edit(self, at: tuple[float, float], event: QMouseEvent) -> None:
        assert self.chosen is not None
        chosen = self.document.polygons[self.chosen : self.chosen + 1]
        point, edge = point_near(chosen, *at, self._reach), edge_near(chosen, *at, self._reach)
        is_ctrl, is_shift = bool(event.modifiers() & _CTRL), bool(event.modifiers() & _SHIFT)
        if is_shift:
            self._moved = self.chosen, event.position()
        elif is_ctrl and point is not None:
            if not self.document.remove_point(Place(self.chosen, point.point)):
                self.choose(None)
            self.edited.emit()
        elif is_ctrl and edge is not None:
            self._held = self.document.insert_point(Place(self.chosen, edge.point), *self._inside(at))
            self.edited.emit()
        elif point is not None:
            self._held = Place(self.chosen, point.point)
        else:
            other = edge_near(self.document.polygons, *at, self._reach)
            self.choose(None if other is None else other.polygon)

    # -- places --------------------------------------------------------------------------------------

    @property
    def _reach(self) -> float:
        return _REACH_PX / self.zoom

    def _place(self, at: QPointF) -> tuple[float, float]:
        """Pixel centres of the crop, where the view counts from corners."""
        place = self._to_frame(at)
        return place.x() - 0.5, place.y() - 0.5

    def _inside(self, at: tuple[float, float]) -> tuple[float, float]:
        """The nearest place within the picture: a click beside it means its edge."""
        x, y = at
        return min(self._size.width() - 0.5, max(-0.5, x)), min(self._size.height() - 0.5, max(-0.5, y))

    def _near(self, point: Points, at: tuple[float, float]) -> bool:
        return float(np.hypot(*(point - at))) <= self._reach

    def _center_on(self, at: QPointF) -> None:
        middle = QPointF(self.width() / 2, self.height() / 2)
        self.pan(middle - at)
        self._cursor = middle
        QCursor.setPos(self.mapToGlobal(middle).toPoint())

    # -- painting ------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        target = self.paint_picture(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

        def to_screen(x: float, y: float) -> QPointF:
            return target.topLeft() + QPointF(x + 0.5, y + 0.5) * self.zoom

        if self.outlines:
            for number, one in enumerate(self.document.polygons):
                paint_polygon(painter, one, to_screen, self.color, is_chosen=number == self.chosen)
        draft = self.document.draft
        if draft is not None:
            at = self._cursor
            closes = at is not None and draft.is_area and self._near(draft.points[0], self._place(at))
            paint_draft(painter, draft, to_screen, self.color, at, closes)
        if self.tool == "brush" and self._cursor is not None:
            kind = self._path_kind if self._path else self.kind
            brush = Brush(self.radius_px * self.zoom, kind, self._cursor)
            paint_brush(painter, brush, [to_screen(*place) for place in self._path])
        if self.note:
            painter.setPen(Qt.GlobalColor.white)
            top = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter
            painter.drawText(self.rect().adjusted(16, 12, -16, -12), top, self.note)
