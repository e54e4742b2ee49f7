"""The preview window as a person uses it, on a run folder that something else writes."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTextBrowser, QWidget

from faceswap.gui.app import application
from faceswap.gui.preview_window.commands import COMMANDS
from faceswap.gui.preview_window.window import PreviewWindow
from faceswap.io.images import encode_image, write_image
from faceswap.train.watch import requests
from faceswap.train.watch.folder import MASKED, PREVIEW, timelapse_picture
from faceswap.types import Frame
from tests.gui.conftest import Wait

KEPT = (1, 20, 50, 90)
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def flat(grey: int) -> Frame:
    return np.full((90, 120, 3), grey, np.uint8)


def add_lines(run: Path, first: int, last: int) -> None:
    with (run / "history.jsonl").open("a", encoding="utf-8") as file:
        for number in range(first, last):
            line = {"iteration": number, "src": 1 / number, "dst": 2 / number, "ms": 100, "wait_ms": 2}
            file.write(json.dumps(line) + "\n")


def make_run(run: Path, preview: int = 200) -> None:
    run.mkdir()
    add_lines(run, 1, 101)
    write_image(run / PREVIEW, flat(preview))
    for number in KEPT:
        write_image(timelapse_picture(run, number), flat(number), quality=95)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_run(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def window(folder: Path, wait: Wait) -> Iterator[PreviewWindow]:
    opened = PreviewWindow(folder, "python -m stages.train")
    opened._timer.setInterval(20)
    opened.show()
    wait(lambda: opened.report.iteration == 100)
    yield opened
    opened.close()


def grey(window: PreviewWindow) -> int:
    """How bright the sheet is on the screen, below the words that stand in its middle without a picture."""
    sheet = window.parts.sheet
    return sheet.grab().toImage().pixelColor(sheet.width() // 2, sheet.height() // 2 + 30).red()


def wheel(widget: QWidget, at: QPoint, notches: int) -> None:
    event = QWheelEvent(
        QPointF(at), QPointF(at), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, NONE,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    application().sendEvent(widget, event)


def test_it_shows_the_faces_and_figures_and_follows_them(
    window: PreviewWindow, folder: Path, wait: Wait
) -> None:
    wait(lambda: grey(window) == 200)
    assert window.parts.tiles["iteration"].text() == "100"
    assert window.parts.tiles["an iteration"].text() == "100 ms · 10/s"
    assert "training" in window.parts.state.text() and not window.parts.banner.text
    add_lines(folder, 101, 106)
    write_image(folder / PREVIEW, flat(150))
    wait(lambda: window.parts.tiles["iteration"].text() == "105" and grey(window) == 150)
    assert window.parts.curves.span.bounds == (1, 105)


@pytest.mark.parametrize(
    ("key", "request_"),
    [
        (Qt.Key.Key_S, "save"), (Qt.Key.Key_B, "backup"), (Qt.Key.Key_P, "samples"),
        (Qt.Key.Key_Return, "stop"),
    ],
)  # fmt: skip
def test_keys_ask_the_training_as_in_deepfacelab(
    window: PreviewWindow, folder: Path, wait: Wait, key: Qt.Key, request_: requests.Request
) -> None:
    QTest.keyClick(window, key)
    assert (folder / "requests" / request_).is_file()
    assert not window.parts.buttons[request_].isEnabled()
    assert requests.take(folder) == {request_}
    wait(window.parts.buttons[request_].isEnabled)
    assert "does it" in window.statusBar().currentMessage()


def test_buttons_ask_too(window: PreviewWindow, folder: Path) -> None:
    QTest.mouseClick(window.parts.buttons["backup"], LEFT)
    assert requests.take(folder) == {"backup"}


def test_a_training_that_was_killed_is_asked_for_nothing(window: PreviewWindow, folder: Path) -> None:
    signed = f"stages.train, process 1 on {socket.gethostname()}, since yesterday"
    (folder.parent / ".mine.lock").write_text(signed)  # What a kill leaves behind: nobody holds it.
    QTest.keyClicks(window, "b")
    assert "no training is running" in window.parts.banner.text and not requests.pending(folder)


def test_where_nothing_trains_it_says_so_and_how_to_go_on(
    window: PreviewWindow, folder: Path, wait: Wait
) -> None:
    window._run._changed_at -= 3600
    wait(lambda: window.report.state == "quiet")
    assert "python -m stages.train" in window.parts.banner.text and "1.0 h" in window.parts.state.text()
    QTest.keyClicks(window, "s")
    assert "no training is running" in window.parts.banner.text
    assert not requests.pending(folder)
    assert window.parts.buttons["save"].isEnabled()
    add_lines(folder, 101, 102)
    wait(lambda: window.report.state == "training")
    assert not window.parts.banner.text


def test_an_ended_training_is_told_at_once(window: PreviewWindow, folder: Path, wait: Wait) -> None:
    wait(lambda: window.report.state == "training")
    with (folder / "log.txt").open("a", encoding="utf-8") as file:
        file.write("2026-01-01 00:00:00+00:00  ended at iteration 100, loss src 0.5 dst 0.4: by a signal\n")
    wait(lambda: window.report.state == "ended")
    assert "has ended" in window.parts.banner.text and "python -m stages.train" in window.parts.banner.text
    assert "by a signal" in window.parts.log.text()


def test_a_folder_that_is_not_there_yet_and_one_that_is_deleted_are_waited_for(
    tmp_path: Path, wait: Wait
) -> None:
    folder = tmp_path / "late"
    window = PreviewWindow(folder, "python -m stages.train")
    window._timer.setInterval(20)
    window.show()
    wait(lambda: "not there yet" in window.parts.banner.text)
    for command in COMMANDS:
        if command.action != "quit":
            window.press(command.action)
    assert not folder.exists(), "nothing is asked of nobody"
    window.press("page")
    window.press("page")
    make_run(folder)
    wait(lambda: window.report.iteration == 100 and grey(window) == 200)
    QTest.keyClick(window, Qt.Key.Key_Left)
    wait(lambda: abs(grey(window) - 90) <= 2)
    shutil.rmtree(folder)
    wait(lambda: "is gone" in window.parts.banner.text)
    wait(lambda: grey(window) < 40)
    assert window.parts.tiles["iteration"].text() == "–" and window.at is None
    make_run(folder, preview=120)
    wait(lambda: grey(window) == 120)
    window.close()


def test_half_written_pictures_leave_the_last_one_until_they_are_whole(
    window: PreviewWindow, folder: Path, wait: Wait
) -> None:
    wait(lambda: grey(window) == 200)
    whole = encode_image(".png", np.random.default_rng(0).integers(90, 110, (90, 120, 3), np.uint8), 0, 3)
    (folder / PREVIEW).write_bytes(whole[: len(whole) // 2])
    seen = window.report
    wait(lambda: window.report.previews != seen.previews)
    for _ in range(20):
        application().processEvents()
        time.sleep(0.01)
    assert grey(window) == 200
    (folder / PREVIEW).write_bytes(whole)
    wait(lambda: 85 < grey(window) < 115)


def test_the_timelapse_goes_by_keys_and_mouse_and_back_to_now(window: PreviewWindow, wait: Wait) -> None:
    QTest.keyClick(window, Qt.Key.Key_Left)
    assert window.at_iteration == 90
    QTest.keyClick(window, Qt.Key.Key_Left)
    wait(lambda: abs(grey(window) - 50) <= 2)
    QTest.keyClick(window, Qt.Key.Key_Home)
    QTest.keyClick(window, Qt.Key.Key_Left)
    assert window.at_iteration == 1
    scrubber = window.parts.scrubber
    QTest.mouseClick(scrubber, LEFT, pos=QPoint(round(scrubber.x_of(1)), 10))
    assert window.at_iteration == 20
    QTest.keyClick(window, Qt.Key.Key_End)
    assert window.at is None
    wait(lambda: grey(window) == 200)


def test_playing_ends_at_now(window: PreviewWindow, wait: Wait) -> None:
    window._player.setInterval(5)
    QTest.keyClicks(window, "t")
    assert window.at_iteration == 1 and "Pause" in window.parts.buttons["play"].text()
    wait(lambda: window.at is None)
    assert "Play" in window.parts.buttons["play"].text() and not window._player.isActive()


def test_a_picture_that_was_thinned_out_meanwhile_gives_way_to_its_neighbour(
    window: PreviewWindow, folder: Path, wait: Wait
) -> None:
    window.go(1)
    timelapse_picture(folder, 20).unlink()
    wait(lambda: len(window.report.timelapse) == 3)
    assert window.at_iteration == 1
    timelapse_picture(folder, 1).unlink()
    wait(lambda: len(window.report.timelapse) == 2)
    assert window.at_iteration == 50


def test_a_click_on_a_curve_shows_the_face_of_that_time(window: PreviewWindow) -> None:
    curves = window.parts.curves
    for iteration, kept in ((52, 50), (88, 90), (99, None)):
        QTest.mouseClick(curves, LEFT, pos=QPoint(round(curves._x(iteration)), 100))
        assert window.at_iteration == kept


def test_curves_are_zoomed_moved_and_fitted_with_the_mouse(window: PreviewWindow) -> None:
    curves = window.parts.curves
    at = QPoint(round(curves._x(50)), 100)
    wheel(curves, at, 3)
    first, last = curves.span.bounds
    assert last - first < 60 and window.parts.range_list.currentIndex() == -1
    QTest.mousePress(curves, LEFT, pos=at)
    QTest.mouseMove(curves, at + QPoint(60, 0))
    QTest.mouseRelease(curves, LEFT, pos=at + QPoint(60, 0))
    assert curves.span.bounds[0] < first and window.at is None, "a drag is no click"
    QTest.mouseDClick(curves, LEFT, pos=at)
    assert curves.span.bounds == (1, 100) and window.parts.range_list.currentText() == "all"


def test_range_and_smoothing_by_key_and_list(window: PreviewWindow) -> None:
    QTest.keyClicks(window, "l]]")
    assert window.parts.range_list.currentText() == "newest 5,000"
    assert window.parts.smoothing_list.currentText() == "mean of 1,000"
    window.parts.smoothing_list.activated.emit(0)
    window.parts.range_list.activated.emit(0)
    assert window.parts.curves.smoothing == 1 and window.parts.curves.span.width is None


def test_a_lower_loss_is_drawn_lower(window: PreviewWindow) -> None:
    curves = window.parts.curves
    curves.smooth(1)
    picture = curves.grab().toImage()
    x = round(curves._x(30))
    # Below the title, which has the same colours.
    colors = {y: picture.pixelColor(x, y) for y in range(24, picture.height())}
    yellow = [y for y, color in colors.items() if color.red() - color.blue() > 100]
    blue = [y for y, color in colors.items() if color.blue() - color.red() > 100]
    assert min(yellow) < min(blue)


def test_faces_inside_their_masks_where_they_are_drawn(
    window: PreviewWindow, folder: Path, wait: Wait
) -> None:
    QTest.keyClicks(window, "m")
    assert not window.parts.buttons["masked"].isChecked()
    write_image(folder / MASKED, flat(80))
    wait(lambda: window.report.previews[MASKED].size > 0)
    QTest.keyClicks(window, "m")
    wait(lambda: grey(window) == 80)
    QTest.keyClicks(window, "m")
    wait(lambda: grey(window) == 200)


def test_space_turns_the_page(window: PreviewWindow) -> None:
    seen = []
    for _ in range(3):
        QTest.keyClick(window, Qt.Key.Key_Space)
        seen.append((window.parts.faces.isVisible(), window.parts.graphs.isVisible()))
    assert seen == [(True, False), (False, True), (True, True)]


def test_faces_are_zoomed_and_fitted(window: PreviewWindow, wait: Wait) -> None:
    wait(lambda: grey(window) == 200)
    sheet = window.parts.sheet
    fitting = sheet.fitting()
    wheel(sheet, QPoint(50, 50), 2)
    assert sheet.zoom == pytest.approx(fitting * 1.44)
    QTest.mouseDClick(sheet, LEFT)
    assert sheet.zoom == fitting


def test_the_help_names_every_command_and_every_command_does_something(window: PreviewWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    assert window.parts.help.isVisible()
    told = window.parts.help.findChild(QTextBrowser).toPlainText()
    for command in COMMANDS:
        assert command.help in told and command.action in window._actions
    QTest.keyClick(window, Qt.Key.Key_F1)
    assert not window.parts.help.isVisible()
