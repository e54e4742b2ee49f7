"""A picture to look at closely: fitted or zoomed about the cursor, moved with the mouse."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from faceswap.gui.app import to_image

# Close up, a pixel should be seen as one.
_PIXELS_FROM = 3.0


class ZoomView(QWidget):
    """Shows a picture in units of its own pixels, whatever size it was computed at.

    margin_px: what is left free around a fitted picture.
    """

    margin_px = 0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._size = QSize(1, 1)
        self._zoom: float | None = None
        self._middle = QPointF()
        self.setMinimumSize(320, 200)
        self.setMouseTracking(True)

    @property
    def zoom(self) -> float:
        """Screen pixels per picture pixel."""
        return self._zoom if self._zoom is not None else self.fitting()

    def fitting(self) -> float:
        """The zoom at which the whole picture is in the window."""
        width, height = self.width() - 2 * self.margin_px, self.height() - 2 * self.margin_px
        return min(width / self._size.width(), height / self._size.height())

    def limits(self) -> tuple[float, float]:
        """The least and the greatest zoom."""
        raise NotImplementedError

    def stepped(self, notches: float) -> float:
        """The zoom after so many notches of the wheel."""
        raise NotImplementedError

    def show_picture(self, picture: NDArray[np.uint8], scale: float) -> None:
        """A picture (h, w, 3) uint8 RGB of `scale` times the size that places are counted in."""
        self._image = to_image(picture)
        size = QSize(round(picture.shape[1] / scale), round(picture.shape[0] / scale))
        if size != self._size:
            self._size = size
            self._middle = QPointF(size.width() / 2, size.height() / 2)
        self.update()

    def fit(self) -> None:
        """The whole picture in the window."""
        self._zoom = None
        self._middle = QPointF(self._size.width() / 2, self._size.height() / 2)
        self.update()

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom about a place of the widget, or its middle."""
        self.zoom_to(self.zoom * factor, at)

    def zoom_to(self, zoom: float, at: QPointF | None = None) -> None:
        """Like `zoom_by`, to a zoom within the limits."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        place = self._to_frame(at)
        least, most = self.limits()
        self._zoom = min(most, max(least, zoom))
        self._middle += place - self._to_frame(at)
        self.update()

    def pan(self, by: QPointF) -> None:
        """Move the picture by so many screen pixels."""
        self._middle -= by / self.zoom
        self._zoom = self.zoom
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        self.zoom_to(self.stepped(event.angleDelta().y() / 120), event.position())

    def paint_picture(self, painter: QPainter) -> QRectF:
        """Draw the picture on the dark; returns where it is."""
        painter.fillRect(self.rect(), QColor("#151618"))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom < _PIXELS_FROM)
        target = self._target()
        if not self._image.isNull():
            painter.drawImage(target, self._image)
        return target

    def _target(self) -> QRectF:
        middle = (
            self._middle if self._zoom is not None else QPointF(self._size.width(), self._size.height()) / 2
        )
        corner = QPointF(self.width(), self.height()) / 2 - middle * self.zoom
        return QRectF(corner.x(), corner.y(), self._size.width() * self.zoom, self._size.height() * self.zoom)

    def _to_frame(self, at: QPointF) -> QPointF:
        return (at - self._target().topLeft()) / self.zoom
