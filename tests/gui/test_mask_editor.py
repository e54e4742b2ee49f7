"""The mask editor as a person draws with it: keys, buttons, the mouse, and what is in the files."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest

from faceswap.faceset.polygons import rasterise
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import write_mask
from faceswap.gui.mask_editor.commands import BY_ACTION, COMMANDS
from faceswap.gui.mask_editor.window import MaskWindow
from faceswap.masks.edit.editing import MaskEditor
from tests.gui.conftest import Wait
from tests.gui.toy_editor import (
    BOX,
    CTRL,
    MIDDLE,
    NONE,
    RIGHT,
    SHIFT,
    Disc,
    at,
    click,
    drag,
    drawn,
    key,
    stored,
)  # fmt: skip


def test_a_polygon_is_clicked_closed_on_its_first_point_and_saved_on_leaving(masks: MaskWindow) -> None:
    click(masks, *BOX, BOX[0])
    assert drawn(masks) == [list(BOX)] and masks.canvas.document.draft is None
    assert "1 of 12 labelled" in masks.parts.count_label.text()
    assert stored(masks, 0) == ()
    QTest.keyClicks(masks, "d")
    assert masks.editor.index == 1 and len(stored(masks, 0)) == 1
    assert drawn(masks) == []


def test_q_and_w_choose_what_polygons_do_and_enter_closes(masks: MaskWindow) -> None:
    QTest.keyClicks(masks, "w")
    assert masks.parts.buttons["exclude"].isChecked() and not masks.parts.buttons["include"].isChecked()
    click(masks, *BOX)
    key(masks, Qt.Key.Key_Return)
    assert masks.canvas.document.polygons[0].kind == "exclude"
    QTest.keyClicks(masks, "q")
    click(masks, (30, 80), (60, 80), (45, 90))
    click(masks, (45, 90), button=RIGHT)
    assert masks.canvas.document.polygons[1].kind == "include"


def test_w_turns_the_polygon_that_is_being_drawn_and_the_buttons_say_what_it_is(masks: MaskWindow) -> None:
    click(masks, *BOX)
    QTest.keyClicks(masks, "w")
    assert masks.canvas.document.draft.kind == "exclude" and masks.parts.buttons["exclude"].isChecked()
    key(masks, Qt.Key.Key_Z, CTRL)
    assert masks.canvas.document.draft.kind == "include" and masks.parts.buttons["include"].isChecked()
    QTest.keyClicks(masks, "1")
    assert masks.canvas.document.draft.kind == "include", "only Q and W turn it"


def test_points_and_edges_are_edited_as_in_deepfacelab(masks: MaskWindow) -> None:
    click(masks, *BOX, BOX[0])
    click(masks, (45, 20))
    assert masks.canvas.chosen == 0, "a click on the outline chooses"
    drag(masks, (70, 70), (80, 80), (85, 90))
    assert drawn(masks)[0][2] == (85, 90)
    click(masks, (45, 20), held=CTRL)
    assert drawn(masks)[0][1] == (45, 20) and len(drawn(masks)[0]) == 5
    click(masks, (45, 20), held=CTRL)
    assert len(drawn(masks)[0]) == 4
    drag(masks, (45, 45), (50, 48), held=SHIFT)
    assert drawn(masks)[0][0] == (25, 23)
    for _ in range(4):
        key(masks, Qt.Key.Key_Z, CTRL)
    assert drawn(masks) == [list(BOX)]
    click(masks, (45, 45))
    assert masks.canvas.chosen is None and drawn(masks) == [list(BOX)], "a click elsewhere lets go"


def test_a_polygon_with_two_points_goes_and_delete_deletes(masks: MaskWindow) -> None:
    click(masks, *BOX[:3], BOX[0])
    click(masks, (45, 20))
    click(masks, BOX[2], held=CTRL)
    assert drawn(masks) == [] and masks.canvas.chosen is None
    key(masks, Qt.Key.Key_Z, CTRL)
    click(masks, (45, 20))
    QTest.keyClicks(masks, "t")
    assert masks.canvas.document.polygons[0].kind == "exclude"
    key(masks, Qt.Key.Key_Delete)
    assert drawn(masks) == []


def test_undo_takes_the_points_of_a_polygon_back_one_by_one(masks: MaskWindow) -> None:
    click(masks, *BOX[:3])
    key(masks, Qt.Key.Key_Z, CTRL)
    assert len(masks.canvas.document.draft.points) == 2
    key(masks, Qt.Key.Key_Z, CTRL | SHIFT)
    assert len(masks.canvas.document.draft.points) == 3
    for _ in range(3):
        key(masks, Qt.Key.Key_Z, CTRL)
    assert masks.canvas.document.draft is None


def test_clicks_beside_the_picture_mean_its_edge(masks: MaskWindow) -> None:
    click(masks, (-5, 40), (40, 40), (40, 90))
    assert masks.canvas.document.draft.points[0].tolist() == [-0.5, pytest.approx(40, abs=0.2)]


def test_the_brush_paints_and_takes_away(masks: MaskWindow) -> None:
    QTest.keyClicks(masks, "b")
    assert masks.parts.buttons["brush"].isChecked()
    masks.parts.brush_slider.setValue(10)
    drag(masks, (20, 48), (48, 48), (76, 48))
    mask = rasterise(masks.canvas.document.polygons, 96, 96)
    assert mask[48, 15] == 1 and mask[40, 50] == 1 and mask[30, 50] == 0
    drag(masks, (48, 20), (48, 76), held=CTRL)
    mask = rasterise(masks.canvas.document.polygons, 96, 96)
    assert mask[48, 48] == 0 and mask[48, 30] == 1 and len(masks.canvas.document.polygons) == 2
    key(masks, Qt.Key.Key_Z, CTRL)
    assert len(masks.canvas.document.polygons) == 1
    QTest.keyClicks(masks, "]")
    assert masks.parts.brush_slider.value() == 12


def test_the_wheel_zooms_about_the_cursor_between_one_and_twenty(masks: MaskWindow) -> None:
    place, spot = (70.0, 30.0), at(masks, (70, 30))

    def wheel(notches: int) -> None:
        where = QPointF(spot)
        turned = QPoint(0, 120 * notches)
        phase, button = Qt.ScrollPhase.NoScrollPhase, Qt.MouseButton.NoButton
        globally = masks.canvas.mapToGlobal(where)
        masks.canvas.wheelEvent(QWheelEvent(where, globally, QPoint(), turned, button, NONE, phase, False))

    fitted = masks.canvas.fitting()
    wheel(1)
    assert masks.canvas.zoom == pytest.approx(1.3 * fitted), "0.2 + 1/10, deepfacelab.md §6.5"
    assert (at(masks, place) - spot).manhattanLength() <= 2
    for _ in range(60):
        wheel(1)
    assert masks.canvas.zoom == pytest.approx(20 * fitted)
    before = at(masks, place)
    drag(masks, (70, 30), (71, 31), button=MIDDLE)
    assert (at(masks, place) - before).manhattanLength() > 20, "the middle button moves the picture"
    for _ in range(80):
        wheel(-1)
    assert masks.canvas.zoom == pytest.approx(fitted)
    assert drawn(masks) == [] and masks.canvas.document.draft is None


def test_shift_keeps_the_cursor_in_the_middle_while_drawing(masks: MaskWindow) -> None:
    click(masks, (20, 20))
    masks.canvas.zoom_by(4)
    place, spot = (30.0, 30.0), QPointF(at(masks, (30, 30)))
    globally, nothing = masks.canvas.mapToGlobal(spot), Qt.MouseButton.NoButton
    masks.canvas.mouseMoveEvent(QMouseEvent(QEvent.Type.MouseMove, spot, globally, nothing, nothing, SHIFT))
    middle = masks.canvas.rect().center()
    assert (at(masks, place) - middle).manhattanLength() <= 3


def test_a_proposal_is_polygons_that_can_be_edited_and_undone(masks: MaskWindow, wait: Wait) -> None:
    QTest.keyClicks(masks, "p")
    wait(lambda: len(masks.canvas.document.polygons) == 2)
    assert [one.kind for one in masks.canvas.document.polygons] == ["include", "exclude"]
    mask = rasterise(masks.canvas.document.polygons, 96, 96)
    assert mask[30, 48] == 1 and mask[60, 48] == 0 and mask[5, 5] == 0
    key(masks, Qt.Key.Key_Z, CTRL)
    assert drawn(masks) == []


def test_a_proposal_for_a_face_that_was_left_is_dropped(masks: MaskWindow, wait: Wait) -> None:
    heard: list[int] = []
    masks.machine.drawn.connect(lambda number, _told, _drawn: heard.append(number))
    QTest.keyClicks(masks, "pd")
    wait(lambda: bool(heard))
    assert masks.editor.index == 1 and drawn(masks) == []
    assert "looks at" not in masks.parts.hint_label.text()


def test_that_the_network_works_is_said_until_its_answer_comes(faces: Path, wait: Wait) -> None:
    going = Event()

    def load() -> Disc:
        going.wait(60)
        return Disc()

    window = MaskWindow(MaskEditor(Faceset.open(faces)), load)
    window.show()
    QTest.keyClicks(window, "p")
    assert "looks at this face" in window.parts.hint_label.text() and not window._said.isActive()
    going.set()
    wait(lambda: bool(drawn(window)))
    assert "proposed by the network" in window.parts.hint_label.text()
    window.close()


def test_carrying_brings_the_neighbours_polygons(masks: MaskWindow, wait: Wait) -> None:
    click(masks, *BOX, BOX[0])
    QTest.keyClicks(masks, "dc")
    wait(lambda: len(drawn(masks)) == 1)
    assert len(drawn(masks)[0]) == 4 and "carried from 00000_0.png" in masks.parts.hint_label.text()


def test_views_show_what_they_say(masks: MaskWindow) -> None:
    def pixel(x: int, y: int) -> tuple[int, int, int]:
        image, place = masks.canvas.grab().toImage(), at(masks, (x, y))
        return image.pixelColor(place).getRgb()[:3]

    click(masks, *BOX, BOX[0])
    plain_inside, plain_outside = pixel(45, 45), pixel(85, 85)
    QTest.keyClicks(masks, "4")
    assert pixel(45, 45) == (255, 255, 255) and pixel(85, 85) == (0, 0, 0)
    QTest.keyClicks(masks, "6")
    assert pixel(45, 45) == plain_inside
    assert np.abs(2 * np.array(pixel(85, 85)) - plain_outside).max() <= 4, "half brightness"
    QTest.keyClicks(masks, "5")
    assert "no mask is stored" in masks.canvas.note
    left = np.zeros((256, 256), np.float32)
    left[:, :128] = 1
    write_mask(masks.editor.face, left, "test")
    QTest.keyClicks(masks, "55")
    assert pixel(20, 85) == (255, 255, 255) and pixel(85, 85) == (0, 0, 0)
    QTest.keyClicks(masks, "5`")
    assert np.abs(2 * np.array(pixel(85, 85)) - plain_outside).max() <= 4
    QTest.keyClicks(masks, "`")
    assert pixel(85, 85) == plain_outside
    for number, name in ((1, "red"), (3, "blue"), (2, "green")):
        QTest.keyClicks(masks, str(number))
        assert masks.canvas.color == name and masks.parts.buttons[name].isChecked()


def test_every_key_and_button_has_an_action_and_the_help_names_them_all(masks: MaskWindow) -> None:
    assert {command.action for command in COMMANDS} == set(masks._actions)
    key(masks, Qt.Key.Key_F1)
    assert masks.parts.help.isVisible()
    key(masks, Qt.Key.Key_Tab)
    assert not masks.parts.help.isVisible()
    for name, button in masks.parts.buttons.items():
        assert BY_ACTION[name].help in button.toolTip()
