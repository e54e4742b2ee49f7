"""Polygons, the one being drawn, and the brush, on the screen."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPolygonF

from faceswap.faceset.polygons import Kind, Polygon

ToScreen: TypeAlias = Callable[[float, float], QPointF]

COLORS: Mapping[str, QColor] = {
    "red": QColor("#ff5a52"),
    "green": QColor("#4ee36a"),
    "blue": QColor("#5aa2ff"),
}
_SHADOW = QColor(0, 0, 0, 150)
_HANDLE_PX, _FIRST_PX = 3.5, 7.0
_STROKES: Mapping[Kind, QColor] = {"include": QColor(78, 227, 106, 110), "exclude": QColor(255, 90, 82, 110)}


class Brush(NamedTuple):
    """radius_px: on the screen; at: where the cursor is."""

    radius_px: float
    kind: Kind
    at: QPointF


def paint_polygon(
    painter: QPainter, polygon: Polygon, to_screen: ToScreen, color: str, *, is_chosen: bool
) -> None:
    """An outline, solid where it includes and dotted where it excludes; of the chosen one its points, too."""
    points = [to_screen(float(x), float(y)) for x, y in polygon.points]
    outline = QPolygonF(points)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    # A dark line under the bright one keeps it visible on skin and on walls.
    painter.setPen(QPen(_SHADOW, 4 if is_chosen else 3.2))
    painter.drawPolygon(outline)
    painter.setPen(_pen(COLORS[color], polygon.kind, 2.2 if is_chosen else 1.6))
    painter.drawPolygon(outline)
    if is_chosen:
        _paint_handles(painter, points, COLORS[color])


def paint_draft(
    painter: QPainter, draft: Polygon, to_screen: ToScreen, color: str, cursor: QPointF | None, closes: bool
) -> None:
    """The points placed so far, and the edge that a click would add; closes: it would end the polygon."""
    points = [to_screen(float(x), float(y)) for x, y in draft.points]
    line = QPolygonF([*points, *(points[:1] if closes else [] if cursor is None else [cursor])])
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(_SHADOW, 3.2))
    painter.drawPolyline(line)
    painter.setPen(_pen(COLORS[color], draft.kind, 1.8))
    painter.drawPolyline(line)
    _paint_handles(painter, points, COLORS[color])
    if draft.is_area:
        painter.setPen(QPen(QColor("white"), 2 if closes else 1.2))
        painter.setBrush(QBrush(COLORS[color]) if closes else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(points[0], _FIRST_PX, _FIRST_PX)


def paint_brush(painter: QPainter, brush: Brush, path: Sequence[QPointF]) -> None:
    """The brush's circle under the cursor, and what the stroke has covered."""
    if path:
        covered = QPainterPath(path[0])
        for place in [*path[1:], path[-1] + QPointF(0.01, 0)]:
            covered.lineTo(place)
        pen = QPen(_STROKES[brush.kind], 2 * brush.radius_px)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(covered, pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((_SHADOW, 3.0), (_STROKES[brush.kind].lighter(130), 1.5)):
        painter.setPen(QPen(QColor(color.red(), color.green(), color.blue()), width))
        painter.drawEllipse(brush.at, brush.radius_px, brush.radius_px)


def _pen(color: QColor, kind: Kind, width: float) -> QPen:
    pen = QPen(color, width)
    if kind == "exclude":
        pen.setStyle(Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([3, 2.5])
    return pen


def _paint_handles(painter: QPainter, points: Sequence[QPointF], color: QColor) -> None:
    painter.setPen(QPen(QColor("#151618"), 1))
    painter.setBrush(QBrush(color))
    for at in points:
        painter.drawRect(QRectF(at.x() - _HANDLE_PX, at.y() - _HANDLE_PX, 2 * _HANDLE_PX, 2 * _HANDLE_PX))
