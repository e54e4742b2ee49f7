"""The preview window: a training as its run folder tells it, on this machine or on another."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent

from faceswap.gui.app import application, fill_screen, run
from faceswap.gui.background import Newest
from faceswap.gui.keys import KeyWindow
from faceswap.gui.preview_window.actions import actions_of
from faceswap.gui.preview_window.commands import BY_KEY
from faceswap.gui.preview_window.layout import lay_out
from faceswap.io.images import DamagedImage, as_uint8, read_image
from faceswap.io.lock import owner_of, was_killed
from faceswap.train.watch.folder import (
    MASKED,
    PREVIEW,
    Report,
    RunFolder,
    Stamp,
    State,
    timelapse_picture,
)
from faceswap.train.watch.panels import ago, figures, panels
from faceswap.train.watch.requests import Request, ask
from faceswap.train.watch.span import RANGES, SMOOTHINGS

_LOOK_MS, _PLAY_MS, _SAID_MS = 1000, 150, 6000
# Whether faces and curves are seen.
_PAGES = ((True, True), (True, False), (False, True))
_ASKING: Mapping[Request, str] = {
    "save": "save",
    "backup": "make a backup",
    "samples": "show other faces",
    "stop": "save and end",
}
_DOTS: Mapping[State, tuple[str, str]] = {
    "training": ("#5fbf6f", "training"),
    "ended": ("#8a8d93", "ended"),
    "quiet": ("#d9a441", "no training seems to run"),
    "empty": ("#8a8d93", "nothing trained yet"),
    "missing": ("#d9574a", "no such folder"),
}


def watch(folder: Path, hint: str) -> None:
    """Open the window and return when it is closed. hint: the command that trains this folder.

    Raises UserError where there is no screen.
    """
    application(
        "look at preview.png, loss.png and log.txt in the model's folder, or train with --tensorboard"
    )
    run(PreviewWindow(folder, hint))


class PreviewWindow(KeyWindow):
    """Shows a run folder and puts requests into it; it writes nothing else and need not be open."""

    by_key = BY_KEY

    def __init__(self, folder: Path, hint: str) -> None:
        super().__init__()
        self.folder, self._hint = folder, hint
        self.report = Report("missing", folder.name)
        self.at: int | None = None
        self._shown: tuple[Path, Stamp] | None = None
        self._known_state: State | None = None
        self._page = 0
        self._asked: dict[Request, float] = {}
        self._run, self._looks, self._pictures = RunFolder(folder), Newest(self), Newest(self)
        self._timer, self._player = QTimer(self, interval=_LOOK_MS), QTimer(self, interval=_PLAY_MS)
        self.parts = lay_out(self)
        self._actions = actions_of(self)
        self._connect()
        self.setWindowTitle(f"preview – {folder.name}")
        fill_screen(self)
        self._timer.start()
        self.look()

    # -- what is known -------------------------------------------------------------------------------

    def look(self) -> None:
        """See what is new in the folder; the answer comes by itself."""
        self._looks.ask(time.monotonic(), self._run.look)

    def _received(self, begun: float, report: Report) -> None:
        kept, before, self.report = self.at_iteration, self.report, report
        # Pictures are thinned out meanwhile: one stays at its iteration, not at its number.
        self.at = self._nearest(kept) if kept is not None and report.timelapse else None
        self._show_figures()
        self._show_state()
        self._answered(begun)
        if report.curves is not before.curves or report.quality is not before.quality:
            self.parts.curves.show_panels(panels(report))
        self._show_picture()
        if report.more:
            self.look()

    def _show_figures(self) -> None:
        values = figures(self.report)
        for caption, label in self.parts.tiles.items():
            label.setText(values.get(caption, "–"))
        self.parts.tiles["last save"].setToolTip(f"at iteration {self.report.saved_iteration:,}")
        self.parts.title.setText(self.report.title)
        self.parts.log.setText(self.report.log)

    def _show_state(self) -> None:
        state = self.report.state
        color, words = _DOTS[state]
        since = f", nothing written for {ago(self.report.quiet_s)}" if state == "quiet" else ""
        reading = ", reading the history …" if self.report.more else ""
        self.parts.state.setText(f"<span style='color: {color}'>●</span> {words}{since}{reading}")
        if state == self._known_state:
            return
        before, self._known_state = self._known_state, state
        self._asked.clear()  # Nobody is left who would take them.
        gone = before is not None and state == "missing"
        told = {
            "missing": f"{self.folder} is {'gone' if gone else 'not there yet'}: it is waited for.",
            "empty": "Nothing has been trained in this folder yet.",
            "ended": "This training has ended; the line at the bottom says why.",
            "quiet": "No training seems to run here.",
        }
        if state in told:
            self.parts.banner.tell(f"{told[state]} To train it: {self._hint}")
        else:
            self.parts.banner.dismiss()

    # -- what is asked for ---------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Ask the training for something; it answers within a second where it runs."""
        what = _ASKING[request]
        if self.report.state == "missing":
            self.parts.banner.tell(f"There is nobody to {what}: {self.folder} does not exist.")
            return
        gone = self.report.state != "training" and not owner_of(self.folder)
        if gone or was_killed(self.folder):
            self.parts.banner.tell(f"There is nobody to {what}: no training is running. Type {self._hint}")
            return
        try:
            ask(self.folder, request)
        except OSError as error:
            self.parts.banner.tell(f"The training cannot be asked to {what}: {error}")
            return
        self._asked[request] = time.monotonic()
        self._say(f"The training is asked to {what} …")
        self._show_asked()

    def _answered(self, begun: float) -> None:
        taken = [name for name, at in self._asked.items() if at < begun and name not in self.report.asked]
        for name in taken:
            del self._asked[name]
        if taken and self.report.state != "missing":
            what = " and to ".join(_ASKING[name] for name in taken)
            self._say(f"The training was asked to {what}, and does it.")
        self._show_asked()

    def _say(self, text: str) -> None:
        """For a few seconds."""
        self.statusBar().showMessage(text, _SAID_MS)

    def _show_asked(self) -> None:
        for name in _ASKING:
            self.parts.buttons[name].setEnabled(name not in self._asked)

    # -- which picture -------------------------------------------------------------------------------

    @property
    def at_iteration(self) -> int | None:
        """Whose kept picture is shown; None for what is drawn now."""
        return None if self.at is None else self.report.timelapse[self.at]

    def go(self, number: int) -> None:
        """Show a kept picture, by its number; beyond the last, what is drawn now."""
        number = max(0, number)
        self.at = number if number < len(self.report.timelapse) else None
        self._show_picture()

    def go_live(self) -> None:
        """Show what is drawn now."""
        self.go(len(self.report.timelapse))

    def go_to_iteration(self, iteration: float) -> None:
        """Show the kept picture nearest to an iteration, or what is drawn now where that is nearer."""
        if self.report.timelapse:
            last = (self.report.timelapse[-1] + self.report.iteration) / 2
            self.go(len(self.report.timelapse) if iteration > last else self._nearest(iteration))

    def _nearest(self, iteration: float) -> int:
        kept = self.report.timelapse
        return min(range(len(kept)), key=lambda number: abs(kept[number] - iteration))

    def step(self, by: int) -> None:
        """So many kept pictures on."""
        at = len(self.report.timelapse) if self.at is None else self.at
        self.go(at + by)

    def play(self) -> None:
        """From here to now, or from the first; or pause."""
        if self._player.isActive():
            self._player.stop()
        elif self.report.timelapse:
            if self.at is None:
                self.go(0)
            self._player.start()
        self.parts.buttons["play"].setText("Pause  T" if self._player.isActive() else "Play  T")

    def _played(self) -> None:
        self.step(1)
        if self.at is None:
            self.play()

    def _show_picture(self) -> None:
        """Read the picture that should be seen, unless it is."""
        self.parts.scrubber.show_kept(self.report.timelapse, self.at)
        self.parts.curves.show_mark(self.at_iteration)
        if self.at_iteration is not None:
            wanted = timelapse_picture(self.folder, self.at_iteration), Stamp()
        else:
            name = MASKED if self.parts.buttons["masked"].isChecked() else PREVIEW
            wanted = self.folder / name, self.report.previews.get(name, Stamp())
            if wanted[1] == Stamp():
                self._shown = None
                self._pictures.forget()
                self.parts.sheet.show_sheet(None)
                return
        if wanted != self._shown:
            self._pictures.ask(wanted, lambda: as_uint8(read_image(wanted[0])))

    def _take_picture(self, wanted: tuple[Path, Stamp], picture: NDArray[np.uint8]) -> None:
        self._shown = wanted
        self.parts.sheet.show_sheet(picture)

    def _no_picture(self, wanted: tuple[Path, Stamp], error: Exception) -> None:
        # A half-written picture is read again with the next look; until then the last one is seen.
        if not isinstance(error, DamagedImage | OSError):
            raise error

    def _masked(self, on: bool) -> None:
        if on and self.report.previews.get(MASKED, Stamp()) == Stamp():
            self.parts.buttons["masked"].setChecked(False)
            self._say("This training has not drawn faces inside their masks.")
            return
        self.go_live()

    def turn_page(self) -> None:
        """All, faces alone, curves alone."""
        self._page = (self._page + 1) % len(_PAGES)
        for widget, seen in zip((self.parts.faces, self.parts.graphs), _PAGES[self._page], strict=True):
            widget.setVisible(seen)

    # -- Qt ------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        for timer in (self._timer, self._player):
            timer.stop()
        for background in (self._looks, self._pictures):
            background.close()
        super().closeEvent(event)

    def _show_view(self) -> None:
        """Let the lists say what the curves show."""
        span = self.parts.curves.span
        known = span.end is None and span.width in RANGES
        self.parts.range_list.setCurrentIndex(RANGES.index(span.width) if known else -1)
        self.parts.smoothing_list.setCurrentIndex(SMOOTHINGS.index(self.parts.curves.smoothing))

    def press(self, action: str) -> None:
        self._actions[action]()

    def _connect(self) -> None:
        parts = self.parts
        self._timer.timeout.connect(self.look)
        self._player.timeout.connect(self._played)
        self._looks.done.connect(self._received)
        self._looks.failed.connect(self._failed)
        self._pictures.done.connect(self._take_picture)
        self._pictures.failed.connect(self._no_picture)
        parts.scrubber.went.connect(self.go)
        parts.curves.picked.connect(self.go_to_iteration)
        parts.curves.moved.connect(self._show_view)
        parts.range_list.activated.connect(lambda place: parts.curves.show_newest(RANGES[place]))
        parts.smoothing_list.activated.connect(lambda place: parts.curves.smooth(SMOOTHINGS[place]))
        for name, button in parts.buttons.items():
            if button.isCheckable():
                button.toggled.connect(self._masked)
            else:
                button.clicked.connect(lambda _checked=False, name=name: self._actions[name]())
        self._show_view()

    def _failed(self, _begun: float, error: Exception) -> None:
        raise error
