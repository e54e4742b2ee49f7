"""Windows use the room that there is: of a small screen, and of a large one."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QStyle, QStyleOptionComboBox, QWidget

from faceswap.gui.app import application
from faceswap.gui.mask_editor.strip import COUNT, THUMB_PX
from faceswap.gui.merge_window.commands import choices
from faceswap.gui.merge_window.layout import show_name
from faceswap.gui.merge_window.window import MergeWindow
from faceswap.types import Side
from tests.conftest import MakeFaces
from tests.gui.conftest import Wait
from tests.gui.toy_editor import open_editor


@pytest.fixture
def faces(tmp_path: Path, make_faces: MakeFaces) -> Path:
    make_faces(tmp_path, COUNT, Side.DST)
    return tmp_path


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (2560, 1440)])
def test_the_mask_editors_face_and_strip_grow_with_the_window(faces: Path, width: int, height: int) -> None:
    window = open_editor(faces)
    window.resize(width, height)
    QTest.qWait(50)
    crop_px = window.canvas._target().height()
    assert crop_px >= 0.72 * height
    places = window.parts.strip._places()
    assert places[0].left() >= 0
    assert places[-1].right() <= window.parts.strip.width()
    assert all(place.top() >= 0 and place.bottom() <= window.parts.strip.height() for place in places)
    # At 1280 px it is as large as ever, at 2560 px twice as large.
    assert 96 * width / 1280 - 6 <= places[COUNT // 2].width() <= THUMB_PX
    window.close()


def test_a_window_opens_at_1280_by_720_or_larger(faces: Path) -> None:
    window = open_editor(faces)
    room = window.screen().availableSize()
    assert window.width() == max(1280, room.width() * 9 // 10)
    assert window.height() == max(720, room.height() * 9 // 10)
    assert max(place.width() for place in window.parts.strip._places()) <= THUMB_PX
    window.close()


@pytest.mark.parametrize("mode", choices("mask_mode"))
def test_every_mask_mode_is_read_in_full(window: MergeWindow, mode: str) -> None:
    window.resize(1280, 720)
    application().processEvents()
    box = window.panel.rows["mask_mode"].list
    box.setCurrentText(mode)
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    room = box.style().subControlRect(
        QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, box
    )
    assert box.fontMetrics().horizontalAdvance(mode) <= room.width()
    assert window.panel.viewport().rect().contains(box.mapTo(window.panel.viewport(), box.rect().topRight()))


def test_a_long_name_of_a_frame_does_not_widen_the_window(window: MergeWindow) -> None:
    width = window.minimumSizeHint().width()
    show_name(window.parts.frame_label, "1 / 8", "holiday_" * 20)
    application().processEvents()
    assert window.minimumSizeHint().width() <= max(width + 120, 1280)
    assert window.parts.frame_label.toolTip() == "holiday_" * 20
    assert window.canvas.width() >= 0.69 * window.width(), "the picture has the larger share"


def test_at_1280_by_720_no_word_of_the_merge_window_is_cut_and_no_setting_hidden(window: MergeWindow) -> None:
    window.resize(1280, 720)
    application().processEvents()
    assert (window.width(), window.height()) == (1280, 720)
    assert not window.panel.verticalScrollBar().isVisible(), "every setting is seen at once"
    for widget in window.findChildren(QLabel) + window.findChildren(QPushButton):
        if widget.isVisibleTo(window):
            assert widget.fontMetrics().horizontalAdvance(widget.text()) <= widget.width(), widget.text()
            corner = widget.mapTo(window, widget.rect().bottomRight())
            assert window.rect().contains(corner), widget.text()
    picture, settings = window.canvas.size(), window.panel.size()
    assert picture.width() >= 0.69 * 1280 and picture.height() >= 0.75 * 720
    assert picture.width() > 2 * settings.width()


def test_what_the_status_line_says_moves_nothing(window: MergeWindow, wait: Wait) -> None:
    window.resize(1280, 720)
    application().processEvents()
    before = window.canvas.geometry(), window.timeline.geometry()
    wait(lambda: "frames merged" in window.parts.progress_label.text())
    window.statusBar().showMessage("something")
    application().processEvents()
    assert (window.canvas.geometry(), window.timeline.geometry()) == before
    assert window.parts.progress_label.text().startswith("0 of 8"), "it comes back after a message"


@pytest.mark.parametrize("name", ["merge", "masks"])
def test_the_help_is_painted_with_the_first_events_and_not_covered(
    name: str, request: pytest.FixtureRequest
) -> None:
    opened = request.getfixturevalue({"merge": "window", "masks": "masks"}[name])
    QTest.keyClick(opened, Qt.Key.Key_F1)
    application().processEvents()
    help_panel = opened.parts.help
    assert help_panel.isVisible()
    assert inked_rows(help_panel) >= 0.3, "of its rows hold letters"


def inked_rows(widget: QWidget) -> float:
    """The share of rows of what is on the screen that hold something bright."""
    handle = widget.windowHandle()
    shown = handle.screen().grabWindow(widget.winId()).toImage().convertToFormat(QImage.Format.Format_RGB888)
    assert not shown.isNull()
    rows = range(shown.height())
    bright = [any(shown.pixelColor(x, y).lightness() > 170 for x in range(8, 200, 2)) for y in rows]
    return sum(bright) / len(bright)
