"""The merge window: a frame as it will be, every setting beside it, the clip below."""

import signal
from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from faceswap.gui.app import application
from faceswap.gui.background import Ahead, Newest
from faceswap.gui.canvas import Canvas, Mark
from faceswap.gui.help import HelpPanel
from faceswap.gui.rendering import Rendering, Thumbnails
from faceswap.gui.settings_panel import SettingsPanel
from faceswap.gui.timeline import Timeline
from faceswap.io.images import DamagedImage
from faceswap.merge.commands import BY_KEY, Adjust, Choose, Command, changed_by
from faceswap.merge.editing import SCOPES, Editor
from faceswap.merge.looks import ACTIONS
from faceswap.merge.plan import Cast
from faceswap.merge.preview import Previewer, Shown
from faceswap.merge.problems import problems
from faceswap.merge.run import Merger
from faceswap.merge.session import Session
from faceswap.merge.views import VIEWS, View, picture

# Of the quick preview, which is refined once nothing has changed for a while.
PREVIEW_PX = 960
_REFINE_AFTER_MS, _STATUS_AFTER_MS = 200, 300
_AHEAD = 8


def edit(session: Session, clip: Cast, merger: Merger, model: str, fps: float = 25) -> None:
    """Open the window and return when it is closed. Raises UserError where there is no screen."""
    app = application()
    window = MergeWindow(session, clip, merger, model, fps)
    # Qt's loop never lets Python look for signals on its own.
    wake = QTimer(window)
    wake.timeout.connect(lambda: None)
    wake.start(200)
    before = signal.signal(signal.SIGINT, lambda *_: window.close())
    window.show()
    try:
        app.exec()
    finally:
        signal.signal(signal.SIGINT, before)


class MergeWindow(QMainWindow):
    """Shows a session and changes it; everything that is decided lies in the session and its editor."""

    def __init__(self, session: Session, clip: Cast, merger: Merger, model: str, fps: float = 25) -> None:
        super().__init__()
        self.editor = Editor(session, clip)
        self.clip, self.previewer = clip, Previewer(clip, merger.predictor)
        self.rendering = Rendering(clip, merger, model, self)
        self.thumbnails = Thumbnails(clip, merger.record, self)
        self.fast, self.fine, self.ahead = Newest(self), Newest(self), Ahead(self)
        self.view: View = "result"
        self.checkerboard = self.looping = False
        self.problems: dict[int, str] = {}
        self.shown: Shown | None = None
        self._serial, self._shown_serial = 0, -1
        self._refine, self._check, self._player = (QTimer(self) for _ in range(3))
        for timer, wait in ((self._refine, _REFINE_AFTER_MS), (self._check, _STATUS_AFTER_MS)):
            timer.setSingleShot(True)
            timer.setInterval(wait)
        self._player.setInterval(round(1000 / fps))
        self._build()
        self._connect()
        self._actions: dict[str, Callable[[], object]] = self._named_actions()
        self.setWindowTitle(f"merge – {session.path.parent.name}, {len(clip.frames)} frames")
        self.resize(1280, 720)
        self.go(session.at)
        self._check.start()

    # -- what is looked at ---------------------------------------------------------------------------

    def go(self, frame: int) -> None:
        """Look at a frame; beyond the clip's ends, at its end."""
        self.editor.go(min(len(self.clip.frames) - 1, max(0, frame)))
        self.timeline.set_position(self.editor.at)
        self.refresh()
        steps = range(1, _AHEAD + 1)
        near = [self.editor.at + step for step in steps] + [self.editor.at - 1]
        there = [frame for frame in near if 0 <= frame < len(self.clip.frames)]
        self.ahead.give([partial(self.previewer.prepare, frame, PREVIEW_PX) for frame in there])

    def refresh(self) -> None:
        """Show the frame anew: at once small, as it will be written when nothing changes for a moment."""
        self._serial += 1
        at, look = self.editor.at, self.editor.look
        self.panel.show_settings(look.settings, self.editor.keyed())
        self.faces_label.setText(self._faces_text())
        self.frame_label.setText(f"{at + 1} / {len(self.clip.frames)}   {self.clip.frames[at].stem}")
        self.fine.forget()
        self.fast.ask((self._serial, at), lambda: self.previewer.show(at, look, PREVIEW_PX))
        self._refine.start()

    def _refined(self) -> None:
        at, look = self.editor.at, self.editor.look
        if not self._player.isActive():
            self.fine.ask((self._serial, at), lambda: self.previewer.show(at, look))

    def _received(self, tag: tuple[int, int], shown: Shown) -> None:
        serial, at = tag
        # Late answers about this frame still show what a moving slider does; about others they are nobody's.
        if at != self.editor.at or serial < self._shown_serial:
            return
        if self.shown is None:
            # Only now the size of the frames is known.
            self._find_problems(shown)
        self._shown_serial, self.shown = serial, shown
        self.canvas.show_note(self.problems.get(at, ""))
        self.draw()

    def _failed(self, tag: tuple[int, int], error: Exception) -> None:
        if tag[1] != self.editor.at:
            return
        told = f"{error.path.name}: {error.reason}" if isinstance(error, DamagedImage) else str(error)
        self.canvas.show_note(told)

    def draw(self) -> None:
        """Paint what was received, in the present view."""
        if self.shown is None:
            return
        shown = self.shown
        before = shown.original if self.view == "wipe" else None
        self.canvas.show_picture(picture(shown, self.view, self.checkerboard), shown.scale, before)
        self.canvas.show_marks(self._marks(shown))

    def _marks(self, shown: Shown) -> list[Mark]:
        actions = [self.editor.look.action(number) for number in range(len(shown.faces))]
        if len(actions) < 2 and set(actions) <= {"swap"}:
            return []
        marks = []
        for number, (points, action) in enumerate(zip(shown.faces, actions, strict=True)):
            left, top = points.min(0) / shown.scale
            width, height = np.ptp(points, axis=0) / shown.scale
            chosen = number == self.editor.face
            marks.append(Mark((left, top, width, height, f"{number + 1} {action}", chosen)))
        return marks

    def _faces_text(self) -> str:
        count = len(self.clip.faces[self.editor.at])
        if not count:
            return "no face"
        actions = ", ".join(f"{n + 1} {self.editor.look.action(n)}" for n in range(count))
        return f"faces: {actions}" if count > 1 else actions.partition(" ")[2]

    # -- what is changed -----------------------------------------------------------------------------

    def _change(self, setting: str, value: object, moving: bool) -> None:
        if self.editor.change({setting: value}, moving):
            self._changed()

    def _changed(self) -> None:
        self.rendering.stop()
        self.timeline.set_keys(self.editor.session.looks.frames())
        self.timeline.set_range(self.editor.range)
        self.refresh()
        self._check.start()

    def _act(self, changed: bool) -> None:
        if changed:
            self._changed()

    def press(self, command: Command) -> None:
        """Do what a key or a button stands for."""
        action = command.action
        if isinstance(action, Adjust | Choose):
            self._act(self.editor.change(changed_by(action, self.editor.look.settings), False))
        else:
            self._actions[action.name]()

    def _named_actions(self) -> dict[str, Callable[[], object]]:
        editor, last = self.editor, len(self.clip.frames) - 1

        def copied(first: int, until: int | None, to: int) -> None:
            if 0 <= to <= last:
                self._act(editor.copy(first, until))
                self.go(to)

        return {
            "previous": lambda: self.go(editor.at - 1),
            "next": lambda: self.go(editor.at + 1),
            "first": lambda: self.go(0),
            "last": lambda: self.go(last),
            "back": lambda: self.go(editor.at - 10),
            "on": lambda: self.go(editor.at + 10),
            "play": self._play,
            "loop": self.loop_button.toggle,
            "next_problem": lambda: self._jump(1),
            "previous_problem": lambda: self._jump(-1),
            "copy_next": lambda: copied(editor.at + 1, editor.at + 1, editor.at + 1),
            "copy_on": lambda: copied(editor.at + 1, None, editor.at + 1),
            "copy_previous": lambda: copied(editor.at - 1, editor.at - 1, editor.at - 1),
            "copy_back": lambda: copied(0, editor.at - 1, 0),
            "keyframe": lambda: self._act(editor.key_all()),
            "clear_keys": lambda: self._act(editor.clear()),
            "range_start": lambda: self._ranged(editor.at, max(editor.at, (editor.range or (0, last))[1])),
            "range_end": lambda: self._ranged(min(editor.at, (editor.range or (0, last))[0]), editor.at),
            "undo": lambda: self._act(editor.session.undo()),
            "redo": lambda: self._act(editor.session.redo()),
            "checkerboard": self._toggle_checkerboard,
            "view": lambda: self._look_at(VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]),
            "zoom_in": lambda: self.canvas.zoom_by(1.25),
            "zoom_out": lambda: self.canvas.zoom_by(0.8),
            "fit": self.canvas.fit,
            "next_face": self._next_face,
            "cycle_action": lambda: self._act(editor.cycle_action()),
            "process": self._process,
            "help": lambda: self.help.setVisible(not self.help.isVisible()),
            "quit": self.close,
        }

    def _ranged(self, first: int, last: int) -> None:
        self.editor.range = (first, last)
        self.timeline.set_range((first, last))
        self.scope_list.setCurrentText("range")
        self.editor.scope = "range"

    def _next_face(self) -> None:
        self.editor.face = (self.editor.face + 1) % max(1, len(self.clip.faces[self.editor.at]))
        self.draw()

    def _face_at(self, x: float, y: float) -> int | None:
        for number, points in enumerate(self.clip.faces[self.editor.at]):
            (left, top), (right, bottom) = points.min(0), points.max(0)
            if left <= x <= right and top <= y <= bottom:
                return number
        return None

    def _choose_face(self, x: float, y: float) -> None:
        face = self._face_at(x, y)
        if face is not None:
            self.editor.face = face
            self.draw()

    def _face_menu(self, x: float, y: float) -> None:
        face = self._face_at(x, y)
        if face is None:
            return
        self.editor.face = face
        menu = QMenu(self)
        for action in ACTIONS:
            menu.addAction(f"{action} face {face + 1} ({self.editor.scope})").setData(action)
        chosen = menu.exec(self.cursor().pos())
        if chosen is not None:
            self._act(self.editor.act(chosen.data()))

    # -- how it is looked at -------------------------------------------------------------------------

    def _look_at(self, view: View) -> None:
        self.view = view
        self.view_list.setCurrentText(view)
        self.draw()

    def _toggle_checkerboard(self) -> None:
        self.checkerboard = not self.checkerboard
        self.draw()

    def _play(self) -> None:
        if self._player.isActive():
            self._player.stop()
        elif self.editor.at < len(self.clip.frames) - 1 or self.looping:
            self._player.start()
        self.play_button.setText("Pause" if self._player.isActive() else "Play")

    def _played(self) -> None:
        # A frame that has not been shown yet is waited for: none is left out.
        if self._shown_serial < self._serial:
            return
        first, last = self.editor.range or (0, len(self.clip.frames) - 1)
        if self.editor.at < last:
            self.go(self.editor.at + 1)
        elif self.looping:
            self.go(first)
        else:
            self._play()

    def _jump(self, way: int) -> None:
        frames = sorted(self.problems)
        beyond = [frame for frame in frames if (frame - self.editor.at) * way > 0]
        if beyond:
            self.go(beyond[0] if way > 0 else beyond[-1])
        else:
            self.statusBar().showMessage("no more problems this way", 3000)

    # -- what is written -----------------------------------------------------------------------------

    def _process(self) -> None:
        if self.rendering.is_running:
            self.rendering.stop()
        else:
            self.rendering.start(self.editor.session.looks, self.editor.at)
        self._show_progress()

    def _show_progress(self) -> None:
        done = sum(status == "done" for status in self.rendering.statuses)
        self.process_button.setText("Pause merging" if self.rendering.is_running else "Merge remaining")
        self.statusBar().showMessage(f"{done} of {len(self.clip.frames)} frames merged")

    def _statuses_changed(self) -> None:
        self.timeline.set_statuses(self.rendering.statuses)
        self._show_progress()

    def _merged(self, frame: int) -> None:
        self._statuses_changed()
        if frame in self.timeline.slots():
            self.thumbnails.ask([frame], self.rendering.statuses)

    # -- Qt ------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        command = command_of(event)
        if command is None:
            super().keyPressEvent(event)
        else:
            self.press(command)

    def event(self, event: QEvent) -> bool:
        # Tab is the help, as in DeepFaceLab, and must not wander through the sliders.
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() == Qt.Key.Key_Tab
        ):
            self.keyPressEvent(event)
            return True
        return super().event(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        for timer in (self._player, self._refine, self._check):
            timer.stop()
        self.editor.session.save()
        self.rendering.close()
        for background in (self.fast, self.fine, self.ahead, self.thumbnails):
            background.close()
        super().closeEvent(event)

    def _build(self) -> None:
        self.canvas, self.panel = Canvas(), SettingsPanel()
        self.timeline, self.help = Timeline(len(self.clip.frames)), HelpPanel(self)
        self.scope_list, self.view_list = QComboBox(), QComboBox()
        self.scope_list.addItems(SCOPES)
        self.view_list.addItems(VIEWS)
        self.frame_label, self.faces_label = QLabel(), QLabel()
        names = ("Undo", "Redo", "Play", "Loop", "Problem ▸", "Merge remaining", "Help")
        buttons = {name: QPushButton(name) for name in names}
        self.play_button, self.process_button = buttons["Play"], buttons["Merge remaining"]
        self.loop_button = buttons["Loop"]
        self.loop_button.setCheckable(True)
        self._buttons = dict(
            zip(
                ("undo", "redo", "play", "", "next_problem", "process", "help"), buttons.values(), strict=True
            )
        )
        bar = QHBoxLayout()
        for button in buttons.values():
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 20)
        for name in names[:5]:
            bar.addWidget(buttons[name])
        bar.addWidget(self.frame_label)
        bar.addStretch(1)
        bar.addWidget(self.faces_label)
        bar.addWidget(self.view_list)
        bar.addWidget(self.process_button)
        bar.addWidget(buttons["Help"])
        for widget in (*buttons.values(), self.scope_list, self.view_list):
            widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        middle, column = QWidget(), QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.canvas, 1)
        column.addLayout(bar)
        column.addWidget(self.timeline)
        middle.setLayout(column)
        self.setCentralWidget(middle)
        side, rows, scope = QWidget(), QVBoxLayout(), QHBoxLayout()
        scope.addWidget(QLabel("changes hold for"))
        scope.addWidget(self.scope_list, 1)
        rows.addLayout(scope)
        rows.addWidget(self.panel, 1)
        side.setLayout(rows)
        dock = QDockWidget("Settings")
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        dock.setWidget(side)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def _connect(self) -> None:
        for newest in (self.fast, self.fine):
            newest.done.connect(self._received)
            newest.failed.connect(self._failed)
        self._refine.timeout.connect(self._refined)
        self._check.timeout.connect(lambda: self.rendering.check(self.editor.session.looks))
        self._player.timeout.connect(self._played)
        self.panel.changed.connect(self._change)
        self.panel.released.connect(lambda _setting: self.editor.settle())
        self.panel.keyed.connect(lambda setting, on: self._act(self.editor.key(setting, on)))
        self.scope_list.textActivated.connect(lambda scope: setattr(self.editor, "scope", scope))
        self.view_list.textActivated.connect(self._look_at)
        self.canvas.clicked.connect(self._choose_face)
        self.canvas.context.connect(self._face_menu)
        self.timeline.went.connect(self.go)
        self.timeline.ranged.connect(self._ranged)
        self.timeline.wanted.connect(lambda frames: self.thumbnails.ask(frames, self.rendering.statuses))
        self.thumbnails.made.connect(self.timeline.set_thumbnail)
        self.rendering.checked.connect(self._statuses_changed)
        self.rendering.merged.connect(self._merged)
        self.rendering.ended.connect(self._ended)
        self.loop_button.toggled.connect(lambda on: setattr(self, "looping", on))
        for name, button in self._buttons.items():
            if name:
                button.clicked.connect(lambda _checked=False, name=name: self._actions[name]())

    def _find_problems(self, shown: Shown) -> None:
        height, width = (round(length / shown.scale) for length in shown.original.shape[:2])
        self.problems = dict(problems(self.clip, height, width))
        self.timeline.set_problems(self.problems)

    def _ended(self, told: str) -> None:
        self._show_progress()
        if told:
            self.canvas.show_note(told)
        self._check.start()


def command_of(event: QKeyEvent) -> Command | None:
    """What a key stands for: by the character typed, else by the name Qt gives it."""
    modified = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    if not modified and event.text() in BY_KEY:
        return BY_KEY[event.text()]
    name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
    return None if len(name) == 1 else BY_KEY.get(name)
