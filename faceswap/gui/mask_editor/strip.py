"""The faces around the open one, as small pictures to go by."""

from collections.abc import Collection, Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

COUNT = 9
# The middle one is larger by a third and the others are faint, as in DFL (deepfacelab.md §6.5), if less
# small: as large as the window lets them, at the most THUMB_PX.
THUMB_PX = 192
_LEAST_PX, _MOST_PX, _OTHERS_OPACITY = 72, 144, 0.55
_PARTS_OF_WIDTH = 14
_HIGHLIGHT, _LABELLED = QColor("#4a90d9"), QColor("#5fbf6f")


class Strip(QWidget):
    """went: by how many faces a click asks to go on."""

    went = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._faces: Sequence[int | None] = ()
        self._labelled: Collection[int] = ()
        self._images: Mapping[int, QImage] = {}
        self.setFixedHeight(self._open_px + 16)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(COUNT * (_LEAST_PX + 8), self._open_px + 16)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self.setFixedHeight(self._open_px + 16)

    @property
    def _others_px(self) -> int:
        return min(max(self.width() // _PARTS_OF_WIDTH, _LEAST_PX), _MOST_PX)

    @property
    def _open_px(self) -> int:
        return self._others_px * 4 // 3

    def show_faces(
        self, faces: Sequence[int | None], labelled: Collection[int], images: Mapping[int, QImage]
    ) -> None:
        """COUNT faces by their numbers; of those in `images`, the picture."""
        self._faces, self._labelled, self._images = faces, labelled, images
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        for number, place in enumerate(self._places()):
            if place.contains(event.position()) and self._faces[number] is not None:
                self.went.emit(number - COUNT // 2)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("#1d1f22"))
        for number, (face, place) in enumerate(zip(self._faces, self._places(), strict=False)):
            if face is None:
                continue
            is_open = number == COUNT // 2
            painter.setOpacity(1.0 if is_open else _OTHERS_OPACITY)
            image = self._images.get(face)
            if image is None:
                painter.fillRect(place, QColor("#2b2d31"))
            else:
                painter.drawImage(place, image)
            painter.setOpacity(1.0)
            if is_open:
                painter.setPen(QPen(_HIGHLIGHT, 3))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(place)
            if face in self._labelled:
                painter.setPen(QPen(QColor("#151618"), 1.5))
                painter.setBrush(_LABELLED)
                painter.drawEllipse(place.topRight() + QPointF(-9, 9), 5, 5)

    def _places(self) -> list[QRectF]:
        others, middle = self._others_px, self._open_px
        places = []
        for number in range(COUNT):
            away = number - COUNT // 2
            side = middle if away == 0 else others
            gap = (middle - others) / 2 * ((away > 0) - (away < 0))
            x = self.width() / 2 + away * (others + 10) + gap - side / 2
            places.append(QRectF(x, (self.height() - side) / 2, side, side))
        return places
