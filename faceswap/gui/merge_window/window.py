"""The merge window: a frame as it will be, every setting beside it, the clip below."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMenu

from faceswap.gui.app import application, fill_screen, run
from faceswap.gui.background import Ahead, Newest
from faceswap.gui.keys import KeyWindow
from faceswap.gui.merge_window.actions import actions_of
from faceswap.gui.merge_window.commands import BY_KEY, Adjust, Choose, Do, changed_by
from faceswap.gui.merge_window.faces import face_at, faces_told, marks
from faceswap.gui.merge_window.layout import lay_out, show_name
from faceswap.gui.merge_window.player import Player
from faceswap.gui.merge_window.rendering import Rendering, Thumbnails
from faceswap.io.images import DamagedImage
from faceswap.merge.editing import Editor
from faceswap.merge.effect import idle, unusable
from faceswap.merge.keyframes import ACTIONS
from faceswap.merge.plan import ClipFaces
from faceswap.merge.preview import VIEWS, Previewer, Shown, View, picture
from faceswap.merge.problems import problems
from faceswap.merge.run import Merger
from faceswap.merge.session import Session

# Of the quick preview, which is refined once nothing has changed for a while.
PREVIEW_PX = 960
_REFINE_AFTER_MS, _STATUS_AFTER_MS, _SAID_MS = 200, 300, 5000
_AHEAD = 8


def edit(session: Session, clip: ClipFaces, merger: Merger, model: str, fps: float = 25) -> None:
    """Open the window and return when it is closed. Raises UserError where there is no screen."""
    application("leave out --interactive to merge by settings and session alone")
    run(MergeWindow(session, clip, merger, model, fps))


class MergeWindow(KeyWindow):
    """Shows a session and changes it; everything that is decided lies in the session and its editor."""

    by_key = BY_KEY

    def __init__(
        self, session: Session, clip: ClipFaces, merger: Merger, model: str, fps: float = 25
    ) -> None:
        super().__init__()
        self.editor = Editor(session, clip)
        self.clip, self.previewer = clip, Previewer(clip, merger.predictor)
        self.rendering = Rendering(clip, merger, model, self)
        self.thumbnails = Thumbnails(clip, merger.record, self)
        self.fast, self.fine, self.ahead = Newest(self), Newest(self), Ahead(self)
        self.view: View = "result"
        self.checkerboard = False
        self.problems: dict[int, str] = {}
        self.shown: Shown | None = None
        self._serial, self._shown_serial = 0, -1
        self._refine, self._check = QTimer(self), QTimer(self)
        for timer, wait in ((self._refine, _REFINE_AFTER_MS), (self._check, _STATUS_AFTER_MS)):
            timer.setSingleShot(True)
            timer.setInterval(wait)
        self.player = Player(self, fps)
        self.parts = lay_out(self, len(clip.frames))
        self.canvas, self.panel, self.timeline = self.parts.canvas, self.parts.panel, self.parts.timeline
        # Of the settings that this model cannot use, why.
        self.unusable = unusable(merger.predictor.morphs)
        for setting, reason in self.unusable.items():
            self.panel.rows[setting].disable(reason)
        self._connect()
        self._actions: dict[str, Callable[[], object]] = actions_of(self)
        self.setWindowTitle(f"merge – {session.path.parent.name}, {len(clip.frames)} frames")
        fill_screen(self)
        self.timeline.set_keys(session.looks.frames())
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
        looks = self.editor.session.looks
        self.ahead.give(
            [partial(self.previewer.prepare, frame, looks.at(frame), PREVIEW_PX) for frame in there]
        )

    @property
    def is_shown(self) -> bool:
        """Whether the present frame, as it is set now, is on the screen."""
        return self._shown_serial == self._serial

    def refresh(self) -> None:
        """Show the frame anew: at once small, as it will be written when nothing changes for a moment."""
        self._serial += 1
        at, look = self.editor.at, self.editor.look
        self.panel.show_settings(look.settings, self.editor.keyed(), idle(look.settings))
        self.parts.faces_label.setText(faces_told(self.editor))
        show_name(self.parts.frame_label, f"{at + 1} / {len(self.clip.frames)}", self.clip.frames[at].stem)
        self.fine.forget()
        self.fast.ask((self._serial, at), lambda: self.previewer.show(at, look, PREVIEW_PX))
        self._refine.start()

    def _refined(self) -> None:
        at, look = self.editor.at, self.editor.look
        if not self.player.isActive():
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
        self.canvas.show_pictures(picture(shown, self.view, self.checkerboard), shown.scale, before)
        self.canvas.show_marks(marks(shown, self.editor))

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

    def act(self, changed: bool) -> None:
        """Show what an edit has changed, if anything."""
        if changed:
            self._changed()

    def press(self, action: Adjust | Choose | Do) -> None:
        if isinstance(action, Do):
            self._actions[action.name]()
            return
        name = action.setting
        if name not in self.unusable:
            self.act(self.editor.change(changed_by(action, self.editor.look.settings), False))
        # A key that nothing seems to come of says why.
        reason = (self.unusable | idle(self.editor.look.settings)).get(name)
        if reason:
            value = getattr(self.editor.look.settings, name)
            self.statusBar().showMessage(f"{name.replace('_', ' ')} {value}: {reason}", _SAID_MS)

    def choose_range(self, first: int, last: int) -> None:
        """Changes are for these frames from now on."""
        self.editor.range = (first, last)
        self.timeline.set_range((first, last))
        self.parts.scope_list.setCurrentText("range")
        self.editor.scope = "range"

    def next_face(self) -> None:
        """Choose the next face of the frame."""
        self.editor.face = (self.editor.face + 1) % max(1, len(self.clip.faces[self.editor.at]))
        self.draw()

    def _choose_face(self, x: float, y: float) -> bool:
        # Side by side, both pictures show the same faces.
        width = self.shown.original.shape[1] / self.shown.scale if self.shown else x + 1
        face = face_at(self.clip.faces[self.editor.at], x % width, y)
        if face is not None:
            self.editor.face = face
            self.draw()
        return face is not None

    def _face_menu(self, x: float, y: float) -> None:
        if not self._choose_face(x, y):
            return
        menu = QMenu(self)
        for action in ACTIONS:
            menu.addAction(f"{action} face {self.editor.face + 1} ({self.editor.scope})").setData(action)
        chosen = menu.exec(self.cursor().pos())
        if chosen is not None:
            self.act(self.editor.act(chosen.data()))

    # -- how it is looked at -------------------------------------------------------------------------

    def _look_at(self, view: View) -> None:
        self.view = view
        self.parts.view_list.setCurrentText(view)
        self.draw()

    def next_view(self) -> None:
        """Result, original, wipe and so on, in turn."""
        self._look_at(VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)])

    def toggle_checkerboard(self) -> None:
        """Show what is transparent, or not."""
        self.checkerboard = not self.checkerboard
        self.draw()

    def jump(self, way: int) -> None:
        """To the next problem, forward (1) or back (-1)."""
        frames = sorted(self.problems)
        beyond = [frame for frame in frames if (frame - self.editor.at) * way > 0]
        if beyond:
            self.go(beyond[0] if way > 0 else beyond[-1])
        else:
            self.statusBar().showMessage("no more problems this way", _SAID_MS)

    # -- what is written -----------------------------------------------------------------------------

    def process(self) -> None:
        """Merge what is left, or pause."""
        if self.rendering.is_running:
            self.rendering.stop()
        else:
            self.rendering.start(self.editor.session.looks, self.editor.at)
        self._show_progress()

    def _show_progress(self) -> None:
        done = sum(status == "done" for status in self.rendering.statuses)
        self.parts.buttons["process"].setText(
            "Pause merging" if self.rendering.is_running else "Merge remaining"
        )
        self.parts.progress_label.setText(f"{done} of {len(self.clip.frames)} frames merged")

    def _statuses_changed(self) -> None:
        self.timeline.set_statuses(self.rendering.statuses)
        self._show_progress()

    def _merged(self, frame: int) -> None:
        self._statuses_changed()
        if frame in self.timeline.slots():
            self.thumbnails.ask([frame], self.rendering.statuses)

    # -- Qt ------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        for timer in (self.player, self._refine, self._check):
            timer.stop()
        self.editor.session.save()
        self.rendering.close()
        for background in (self.fast, self.fine, self.ahead, self.thumbnails):
            background.close()
        super().closeEvent(event)

    def _connect(self) -> None:
        for newest in (self.fast, self.fine):
            newest.done.connect(self._received)
            newest.failed.connect(self._failed)
        self._refine.timeout.connect(self._refined)
        self._check.timeout.connect(lambda: self.rendering.check(self.editor.session.looks))
        self.panel.changed.connect(self._change)
        self.panel.released.connect(lambda _setting: self.editor.settle())
        self.panel.keyed.connect(lambda setting, on: self.act(self.editor.key(setting, on)))
        self.parts.scope_list.textActivated.connect(lambda scope: setattr(self.editor, "scope", scope))
        self.parts.view_list.textActivated.connect(self._look_at)
        self.canvas.clicked.connect(self._choose_face)
        self.canvas.context.connect(self._face_menu)
        self.timeline.went.connect(self.go)
        self.timeline.ranged.connect(self.choose_range)
        self.timeline.wanted.connect(lambda frames: self.thumbnails.ask(frames, self.rendering.statuses))
        self.thumbnails.made.connect(self.timeline.set_thumbnail)
        self.rendering.checked.connect(self._statuses_changed)
        self.rendering.merged.connect(self._merged)
        self.rendering.ended.connect(self._ended)
        self.parts.buttons["loop"].toggled.connect(lambda on: setattr(self.player, "looping", on))
        for name, button in self.parts.buttons.items():
            if not button.isCheckable():
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
