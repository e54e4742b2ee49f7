"""A mask editor on a small set, and a mouse for it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from faceswap.faceset.store import Faceset, read_meta
from faceswap.gui.mask_editor.window import MaskWindow
from faceswap.masks.edit.editing import MaskEditor
from faceswap.types import FaceType, Image, Json, Mask

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
CTRL, SHIFT, NONE = (
    Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier,
)  # fmt: skip
BOX = ((20, 20), (70, 20), (70, 70), (20, 70))


class Disc:
    """Finds a disc with a hole in every crop, darker crops being less certain."""

    face_type, identity, input_px = FaceType.WHOLE, "disc", 64

    def __call__(self, crops: Sequence[Image]) -> list[Mask]:
        mask = np.zeros((64, 64), np.uint8)
        cv2.circle(mask, (32, 32), 20, 255, -1)
        cv2.circle(mask, (32, 40), 6, 0, -1)
        return [np.float32(mask / 255 * (0.6 + 0.4 * crop.mean())) for crop in crops]


def open_editor(folder: Path) -> MaskWindow:
    window = MaskWindow(MaskEditor(Faceset.open(folder)), Disc)
    window.show()
    return window


def at(window: MaskWindow, place: tuple[float, float]) -> QPoint:
    """Where a crop pixel's centre is in the canvas."""
    corner = window.canvas._target().topLeft()
    return (corner + QPointF(place[0] + 0.5, place[1] + 0.5) * window.canvas.zoom).toPoint()


def click(
    window: MaskWindow,
    *places: tuple[float, float],
    held: Qt.KeyboardModifier = NONE,
    button: Qt.MouseButton = LEFT,
) -> None:
    for place in places:
        QTest.mouseClick(window.canvas, button, held, at(window, place))


def drag(
    window: MaskWindow,
    *places: tuple[float, float],
    held: Qt.KeyboardModifier = NONE,
    button: Qt.MouseButton = LEFT,
) -> None:
    points = [at(window, place) for place in places]
    QTest.mousePress(window.canvas, button, held, points[0])
    for point in points[1:]:
        QTest.mouseMove(window.canvas, point)
    QTest.mouseRelease(window.canvas, button, held, points[-1])


def drawn(window: MaskWindow) -> list[list[tuple[int, int]]]:
    """The polygons, to whole pixels."""
    return [
        [tuple(map(round, point)) for point in one.points.tolist()] for one in window.canvas.document.polygons
    ]


def stored(window: MaskWindow, number: int) -> tuple[Json, ...]:
    return read_meta(window.editor.faces[number].path).polygons


def key(window: MaskWindow, name: Qt.Key, held: Qt.KeyboardModifier = NONE) -> None:
    QTest.keyClick(window, name, held)
