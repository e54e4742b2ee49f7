"""The merge window as a person uses it: keys, sliders, the mouse, and what is on the screen and on disk."""

from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from faceswap.faceset.store import Faceset
from faceswap.gui.merge_window.commands import COMMANDS, Adjust
from faceswap.gui.merge_window.layout import HELP
from faceswap.gui.merge_window.window import MergeWindow
from faceswap.io.images import read_image
from faceswap.merge.plan import ClipFaces, plan
from faceswap.merge.record import Record
from faceswap.merge.run import Merger, merge
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import MergeSettings
from tests.gui.conftest import LOOK, Wait, open_window
from tests.toy_merge import FRAMES_N, Paint


def pixel(window: MergeWindow, x: int, y: int) -> tuple[int, int, int]:
    """What the screen shows of a frame's pixel."""
    canvas = window.canvas
    at = canvas._target().topLeft() + QPoint(0, 0)
    color = (
        canvas.grab()
        .toImage()
        .pixelColor(int(at.x() + (x + 0.5) * canvas.zoom), int(at.y() + (y + 0.5) * canvas.zoom))
    )
    return color.red(), color.green(), color.blue()


def test_the_window_shows_the_swap_where_the_face_is(window: MergeWindow, wait: Wait) -> None:
    wait(lambda: window.is_shown)
    assert np.abs(np.subtract(pixel(window, 60, 55), 64)).max() <= 2, "Paint's colour, 0.25"


def test_keys_change_settings_as_in_deepfacelab(window: MergeWindow) -> None:
    for key, setting, value in (("w", "erode", 1), ("W", "erode", 6), ("s", "erode", 5), ("e", "blur", 51)):
        QTest.keyClicks(window, key)
        assert getattr(window.editor.look.settings, setting) == value
    QTest.keyClicks(window, "c")
    assert window.editor.look.settings.color_transfer == "rct"
    QTest.keyClicks(window, "`")
    assert window.editor.look.settings.mode == "original"
    assert window.panel.rows["erode"].spin.value() == 5
    assert window.panel.rows["mode"].list.currentText() == "original"


def test_original_mode_shows_the_frame_at_once(window: MergeWindow, wait: Wait) -> None:
    QTest.keyClicks(window, "`")
    wait(lambda: window.is_shown)
    assert np.array_equal(window.shown.result, window.shown.original)


def test_a_slider_that_is_dragged_is_one_step_to_undo(window: MergeWindow, clip: Path) -> None:
    slider = window.panel.rows["erode"].slider
    slider.setSliderDown(True)
    for value in (10, 20, 30):
        slider.setValue(value)
        assert window.editor.look.settings.erode == value
    slider.setSliderDown(False)
    assert Session.open(clip.parent / NAME, window.editor.session.clip, LOOK).looks.at(0).settings.erode == 30
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.editor.look.settings.erode == 0
    QTest.keyClick(window, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert window.editor.look.settings.erode == 30


def test_typing_a_number_changes_the_setting_and_gives_the_keys_back(window: MergeWindow) -> None:
    spin = window.panel.rows["blur"].spin
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, "77")
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert window.editor.look.settings.blur == 77
    assert not spin.hasFocus()


def test_moving_through_the_clip_by_keys_and_by_the_timeline(window: MergeWindow) -> None:
    QTest.keyClicks(window, "..")
    assert window.editor.at == 2
    QTest.keyClicks(window, ",")
    assert window.editor.at == 1
    QTest.keyClick(window, Qt.Key.Key_End)
    assert window.editor.at == FRAMES_N - 1
    QTest.keyClicks(window, ".<")
    assert window.editor.at == 0
    timeline = window.timeline
    QTest.mouseClick(
        timeline, Qt.MouseButton.LeftButton, pos=QPoint(round(timeline.width() * 4.5 / FRAMES_N), 5)
    )
    assert window.editor.at == 4


def test_copying_forward_and_back_as_in_deepfacelab(window: MergeWindow) -> None:
    looks = lambda: [window.editor.session.looks.at(f).settings.blur for f in range(FRAMES_N)]  # noqa: E731
    window.go(3)
    window.editor.scope = "this frame"
    QTest.keyClicks(window, "e")
    assert looks() == [50, 50, 50, 51, 50, 50, 50, 50]
    QTest.keyClicks(window, "/")
    assert looks() == [50, 50, 50, 51, 51, 50, 50, 50] and window.editor.at == 4
    QTest.keyClicks(window, "?")
    assert looks() == [50, 50, 50, 51, 51, 51, 51, 51] and window.editor.at == 5
    window.go(3)
    QTest.keyClicks(window, "m")
    assert looks()[2] == 51 and window.editor.at == 2
    QTest.keyClicks(window, "M")
    assert looks() == [51] * 8 and window.editor.at == 0


def test_a_range_drawn_on_the_timeline_is_what_changes_are_for(window: MergeWindow) -> None:
    timeline, shift = window.timeline, Qt.KeyboardModifier.ShiftModifier
    spots = [QPoint(round(timeline.width() * (frame + 0.5) / FRAMES_N), 5) for frame in (2, 4)]
    QTest.mousePress(timeline, Qt.MouseButton.LeftButton, shift, spots[0])
    QTest.mouseMove(timeline, spots[1])
    window.timeline.ranged.emit(2, 4)  # offscreen, a moved mouse has no button
    QTest.mouseRelease(timeline, Qt.MouseButton.LeftButton, shift, spots[1])
    QTest.keyClicks(window, "W")
    erodes = [window.editor.session.looks.at(frame).settings.erode for frame in range(FRAMES_N)]
    assert erodes == [0, 0, 5, 5, 5, 0, 0, 0]


def test_keyframes_run_between_each_other(window: MergeWindow) -> None:
    window.parts.scope_list.setCurrentText("keyframe")
    window.parts.scope_list.textActivated.emit("keyframe")
    for frame, times in ((0, 0), (4, 8)):
        window.go(frame)
        window.panel.rows["erode"].key.click()
        QTest.keyClicks(window, "W" * times)
    erodes = [window.editor.session.looks.at(frame).settings.erode for frame in range(FRAMES_N)]
    assert erodes == [0, 10, 20, 30, 40, 40, 40, 40]
    assert window.panel.rows["erode"].key.isChecked()
    QTest.keyClick(
        window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    assert window.editor.look.settings.erode == 0


def test_faces_are_chosen_by_a_click_and_left_or_skipped_one_by_one(window: MergeWindow, wait: Wait) -> None:
    window.go(4)
    wait(lambda: window.is_shown)
    window.canvas.clicked.emit(145.0, 55.0)
    assert window.editor.face == 1
    window.editor.scope = "this frame"
    QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert window.editor.look.action(1) == "leave" and "2 leave" in window.parts.faces_label.text()
    wait(lambda: window.is_shown)
    assert window.shown.mask[55, 145] > 0.9
    QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    wait(lambda: window.is_shown)
    assert window.shown.mask[:, 110:].max() == 0 and window.shown.mask[55, 60] > 0.9


def test_views_show_what_they_say(window: MergeWindow, wait: Wait) -> None:
    wait(lambda: window.is_shown)
    seen = {}
    for _ in range(5):
        seen[window.view] = pixel(window, 60, 55)
        QTest.keyClicks(window, "b")
    assert seen["mask"] == (255, 255, 255)
    assert seen["original"] != seen["result"]
    QTest.keyClicks(window, "v")
    assert window.checkerboard


def test_the_next_problem_is_the_frame_without_a_face(window: MergeWindow, wait: Wait) -> None:
    wait(lambda: bool(window.problems))
    QTest.keyClick(window, Qt.Key.Key_F3)
    assert window.editor.at == 2
    wait(lambda: window.canvas._note == "no face")


def test_merging_from_the_window_and_by_command_gives_the_same_files(
    window: MergeWindow, clip: Path, wait: Wait
) -> None:
    window.go(4)
    QTest.keyClicks(window, "W")
    QTest.keyClicks(window, ">")
    wait(lambda: window.rendering.statuses == ["done"] * FRAMES_N and not window.rendering.is_running)
    # A change makes only what it changes again.
    before = {path.name: path.stat().st_mtime_ns for path in (clip / "merged").glob("*.png")}
    window.go(6)
    QTest.keyClicks(window, "E")
    wait(lambda: window.rendering.statuses == ["done"] * 6 + ["changed"] * 2)
    QTest.keyClicks(window, ">")
    wait(lambda: window.rendering.statuses == ["done"] * FRAMES_N and not window.rendering.is_running)
    after = {path.name: path.stat().st_mtime_ns for path in (clip / "merged").glob("*.png")}
    assert {name for name in after if after[name] != before[name]} == {"00007.png", "00008.png"}

    clip_faces, paint = ClipFaces.of(clip, Faceset.open(clip / "aligned")), Paint()
    session = Session.open(clip.parent / NAME, Clip.of(clip_faces.frames), MergeSettings())
    record = Record(clip / "batch", clip / "batch_mask")
    todo = record.begin(plan(clip_faces, paint.identity, session.looks))
    merge(todo, Merger(record, paint, batch_size=2, workers=2))
    for kind in ("", "_mask"):
        for path in (clip / f"batch{kind}").glob("*.png"):
            assert np.array_equal(read_image(path), read_image(clip / f"merged{kind}" / path.name)), path.name


def test_closing_keeps_the_session_and_the_next_window_goes_on_with_it(clip: Path) -> None:
    first = open_window(clip)
    first.go(5)
    QTest.keyClicks(first, "W")
    looks = first.editor.session.looks
    QTest.keyClick(first, Qt.Key.Key_Escape)
    assert not first.isVisible()
    again = open_window(clip)
    assert again.editor.at == 5 and again.editor.session.looks == looks
    again.close()


def test_a_window_that_goes_on_with_a_session_marks_its_keys_at_once(clip: Path) -> None:
    def timeline(key: str) -> np.ndarray:
        window = open_window(clip)
        picture = window.timeline.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        window.go(5)
        QTest.keyClicks(window, key)
        window.close()
        return np.frombuffer(picture.constBits(), np.uint8).copy()

    timeline("")
    assert (timeline("W") != timeline("")).any()


def test_a_frame_that_cannot_be_read_is_said_and_the_others_go_on(clip: Path, wait: Wait) -> None:
    (clip / "00008.png").write_bytes((clip / "00008.png").read_bytes()[:300])
    window = open_window(clip)
    window.go(7)
    wait(lambda: "00008.png" in window.canvas._note)
    window.go(0)
    wait(lambda: window.is_shown)
    window.close()


def test_playing_shows_every_frame_and_stops_at_the_end(window: MergeWindow, wait: Wait) -> None:
    seen: set[int] = set()
    window.fast.done.connect(lambda tag, _shown: seen.add(tag[1]))
    QTest.keyClick(window, Qt.Key.Key_Space)
    wait(lambda: not window.player.isActive() and window.editor.at == FRAMES_N - 1 and window.is_shown)
    assert seen >= set(range(1, FRAMES_N))


def test_the_help_names_every_key(window: MergeWindow) -> None:
    for command in COMMANDS:
        assert ": five " in command.help or command.help in HELP.replace("&#x27;", "'")
    QTest.keyClick(window, Qt.Key.Key_Tab)
    assert window.parts.help.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Tab)
    assert not window.parts.help.isVisible()


def test_morph_is_disabled_with_the_reason_where_the_model_does_not_morph(window: MergeWindow) -> None:
    row, before = window.panel.rows["morph"], window.editor.look.settings.morph
    assert not row.slider.isEnabled() and "AMP" in row.slider.toolTip()
    window.press(Adjust("morph", -1))
    assert window.editor.look.settings.morph == before
    assert "AMP" in window.statusBar().currentMessage()


def test_a_key_that_changes_nothing_now_says_why_and_the_row_is_dim(window: MergeWindow) -> None:
    row = window.panel.rows["hist_match_threshold"]
    QTest.keyClicks(window, "a")
    assert window.editor.look.settings.hist_match_threshold == 237
    assert "hist-match" in window.statusBar().currentMessage()
    assert not row.label.isEnabled() and "hist-match" in row.slider.toolTip() and row.slider.isEnabled()
    QTest.keyClicks(window, "2")
    assert row.label.isEnabled() and "Not used" not in row.slider.toolTip()
    window.statusBar().clearMessage()
    QTest.keyClicks(window, "a")
    assert not window.statusBar().currentMessage()
