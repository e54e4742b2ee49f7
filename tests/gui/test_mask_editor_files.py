"""The mask editor among its files: going through a set, other programs, what cannot be saved."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, read_meta, rewrite_meta
from faceswap.gui.mask_editor.window import MaskWindow
from faceswap.masks.edit.editing import MaskEditor
from tests.gui.conftest import Wait
from tests.gui.toy_editor import BOX, CTRL, Disc, click, drawn, key, open_editor, stored


def meddle(window: MaskWindow, number: int = 0) -> None:
    """Another program draws on a face."""
    path = window.editor.faces[number].path
    theirs = Polygon("exclude", np.array([(1, 1), (9, 1), (5, 9)], np.float32))
    rewrite_meta(path, replace(read_meta(path), polygons=polygons_to_json([theirs])))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def test_keys_and_the_strip_go_through_the_set(masks: MaskWindow) -> None:
    for keys, index in (("d", 1), ("D", 6), ("a", 5), ("A", 0), ("a", 0)):
        QTest.keyClicks(masks, keys)
        assert masks.editor.index == index
    key(masks, Qt.Key.Key_End)
    assert masks.editor.index == 11
    strip = masks.parts.strip
    left = strip._places()[3].center().toPoint()
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=left)
    assert masks.editor.index == 10 and "11 / 12" in masks.parts.name_label.text()
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert masks.editor.index == 10


def test_ctrl_skips_faces_without_labels(masks: MaskWindow) -> None:
    masks.leave(lambda: masks.editor.go(7))
    click(masks, *BOX, BOX[0])
    key(masks, Qt.Key.Key_Home)
    key(masks, Qt.Key.Key_D, CTRL)
    assert masks.editor.index == 7
    key(masks, Qt.Key.Key_A, CTRL)
    assert masks.editor.index == 7, "there is no other"


def test_thumbnails_come_by_themselves(masks: MaskWindow, wait: Wait) -> None:
    wait(lambda: len(masks.parts.strip._images) == 5)


def test_x_throws_away_and_undo_brings_back(masks: MaskWindow, faces: Path) -> None:
    click(masks, *BOX, BOX[0])
    QTest.keyClicks(masks, "x")
    assert masks.editor.index == 1 and (faces.parent / "aligned_trash" / "00000_0.png").is_file()
    assert "0 of 11 labelled" in masks.parts.count_label.text()
    key(masks, Qt.Key.Key_Z, CTRL)
    assert masks.editor.index == 0 and drawn(masks) == [list(BOX)]
    QTest.keyClicks(masks, "xxXX")
    assert len(list(faces.glob("*.png"))) == 12


def test_filters_by_key_and_list(masks: MaskWindow, wait: Wait) -> None:
    click(masks, *BOX, BOX[0])
    QTest.keyClicks(masks, "f")
    assert masks.editor.filter == "without labels" and masks.editor.index == 1
    masks.parts.filter_list.textActivated.emit("uncertain first")
    wait(lambda: masks.editor.filter == "uncertain first")
    order = [masks.editor.uncertainties[number] for number in masks.editor.order]
    assert len(order) == 11 and order == sorted(order, reverse=True)
    masks.choose_filter("suggested")
    assert masks.editor.filter == "uncertain first", "nothing was suggested"


def test_closing_in_the_middle_of_a_polygon_keeps_it_as_a_draft(masks: MaskWindow, faces: Path) -> None:
    click(masks, *BOX[:3])
    masks.close()
    assert not masks.isVisible() and stored(masks, 0) == ()
    again = open_editor(faces)
    click(again, BOX[3], BOX[0])
    assert drawn(again) == [list(BOX)]
    again.close()
    assert len(stored(again, 0)) == 1


def test_another_programs_change_is_shown_when_nothing_was_drawn_here(masks: MaskWindow) -> None:
    meddle(masks)
    masks.files.look()
    assert len(drawn(masks)) == 1 and "another program" in masks.banner.text
    masks.banner.buttons["OK"].click()
    assert masks.banner.text == ""


@pytest.mark.parametrize(("button", "kinds"), [("Mine", ["include"]), ("The other", ["exclude"])])
def test_a_conflict_waits_for_a_decision_and_loses_nothing(
    masks: MaskWindow, button: str, kinds: list[str]
) -> None:
    click(masks, *BOX, BOX[0])
    meddle(masks)
    QTest.keyClicks(masks, "d")
    assert masks.editor.index == 0 and "which shall be kept" in masks.banner.text
    masks.close()
    assert masks.isVisible()
    masks.banner.buttons[button].click()
    QTest.keyClicks(masks, "d")
    assert masks.editor.index == 1 and [one["kind"] for one in stored(masks, 0)] == kinds
    QTest.keyClicks(masks, "a")
    key(masks, Qt.Key.Key_Z, CTRL)
    assert [one.kind for one in masks.canvas.document.polygons] != kinds


def test_a_file_that_vanishes_while_shown_is_said_and_the_drawing_kept(masks: MaskWindow) -> None:
    click(masks, *BOX, BOX[0])
    path = masks.editor.face.path
    away = path.rename(path.with_suffix(".away"))
    masks.files.look()
    assert "is gone" in masks.banner.text
    QTest.keyClicks(masks, "d")
    assert masks.editor.index == 1 and "1 not saved" in masks.parts.count_label.text()
    masks.close()
    assert masks.isVisible() and "could not be saved" in masks.banner.text
    away.rename(path)
    masks.banner.buttons["Try again"].click()
    assert not masks.isVisible() and len(stored(masks, 0)) == 1


def test_a_face_that_was_gone_before_is_passed_over(masks: MaskWindow) -> None:
    masks.editor.faces[1].path.unlink()
    QTest.keyClicks(masks, "d")
    assert "no such face" in masks.canvas.note
    click(masks, *BOX)
    QTest.keyClicks(masks, "pcxtu")
    for action in ("undo", "redo", "close", "save", "mask"):
        masks.press(action)
    QTest.keyClicks(masks, "d")
    assert masks.editor.index == 2 and masks.canvas.note == ""


def test_a_picture_that_cannot_be_read_is_said(faces: Path) -> None:
    path = faces / "00000_0.png"
    path.write_bytes(path.read_bytes()[:-400])
    window = MaskWindow(MaskEditor(Faceset.open(faces)), Disc)
    window.show()
    assert "damaged" in window.canvas.note
    window.close()


def test_a_network_that_cannot_be_loaded_is_said_and_drawing_goes_on(faces: Path, wait: Wait) -> None:
    def fail() -> Disc:
        raise ValueError("no such model")

    window = MaskWindow(MaskEditor(Faceset.open(faces)), fail)
    window.show()
    QTest.keyClicks(window, "p")
    wait(lambda: window.banner.text == "no such model")
    click(window, *BOX, BOX[0])
    assert drawn(window) == [list(BOX)]
    window.close()
