"""The mask editor: a face with its polygons, what can be done at left, its neighbours below."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent

from faceswap.errors import UserError
from faceswap.faceset.polygons import rasterise
from faceswap.faceset.store import Face
from faceswap.faceset.stored_masks import read_mask
from faceswap.gui.app import application, fill_screen, run
from faceswap.gui.keys import KeyWindow
from faceswap.gui.mask_editor.actions import actions_of
from faceswap.gui.mask_editor.commands import BY_KEY
from faceswap.gui.mask_editor.files import Files
from faceswap.gui.mask_editor.layout import lay_out
from faceswap.gui.mask_editor.machine import Drawn, Machine
from faceswap.gui.mask_editor.pictures import Pictures
from faceswap.gui.mask_editor.status import show_status
from faceswap.gui.mask_editor.strip import COUNT
from faceswap.masks.crops import MaskNetwork
from faceswap.masks.edit.document import Document
from faceswap.masks.edit.editing import FILTERS, Filter, MaskEditor
from faceswap.masks.edit.sheet import Finding, Sheet
from faceswap.masks.edit.views import View, picture
from faceswap.types import Mask

_WATCH_MS, _SAID_MS = 1000, 4000


def edit(editor: MaskEditor, load: Callable[[], MaskNetwork], *, writable: bool = True) -> None:
    """Open the window and return when it is closed. Raises UserError where there is no screen."""
    application()
    window = MaskWindow(editor, load)
    if not writable:
        window.parts.banner.tell(f"{editor.folder} is read-only: what is drawn here cannot be saved")
    window.setWindowState(Qt.WindowState.WindowMaximized)
    run(window)


class MaskWindow(KeyWindow):
    """Shows an editor's open face; everything that is decided lies in the editor and its documents."""

    by_key = BY_KEY

    def __init__(self, editor: MaskEditor, load: Callable[[], MaskNetwork]) -> None:
        super().__init__()
        self.editor = editor
        self.pictures = Pictures(editor.faces, self)
        self.machine = Machine(self.pictures, load, self)
        self.view: View = "image"
        self.shades_stored, self.message = False, ""
        self._stored: Mask | None = None
        self.parts = lay_out(self)
        self.canvas, self.banner = self.parts.canvas, self.parts.banner
        self.files = Files(self)
        self._actions: dict[str, Callable[[], object]] = actions_of(self)
        self._watch = QTimer(self, interval=_WATCH_MS)
        self._said = QTimer(self, interval=_SAID_MS, singleShot=True)
        self._connect()
        self.setWindowTitle(f"masks – {editor.folder}, {len(editor.faces)} faces")
        fill_screen(self)
        self.open_face()
        self._watch.start()

    # -- the open face -------------------------------------------------------------------------------

    @property
    def sheet(self) -> Sheet | None:
        """Of the open face; None where its file is gone."""
        try:
            return self.editor.sheet
        except (UserError, OSError):
            return None

    def open_face(self) -> None:
        """Show the face that is open in the editor."""
        sheet, self.message = self.sheet, ""
        self.canvas.is_locked = sheet is None
        self.canvas.open(Document() if sheet is None else sheet.document)
        self._stored = None
        if sheet is not None:
            self.files.tell(sheet.look())
            if sheet.oddity:
                self.banner.tell(sheet.oddity)
        number, near = self.editor.index, self.editor.neighbours(COUNT)
        ahead = [other for other in near[COUNT // 2 :] + near[: COUNT // 2] if other is not None]
        self.draw()
        self.pictures.prepare([number, *ahead])

    def draw(self) -> None:
        """Paint the face anew, in the present view."""
        sheet = self.sheet
        self.canvas.note = ""
        if sheet is None:
            self.canvas.show_picture(np.full((256, 256, 3), 40, np.uint8), 1)
            self.canvas.note = "there is no such face any more"
        else:
            self._draw(sheet)
        self._tell()

    def _draw(self, sheet: Sheet) -> None:
        side, wants_stored = sheet.meta.size_px, self.shades_stored or self.view == "stored"
        try:
            crop = self.pictures.crop(self.editor.index)
            if wants_stored and self._stored is None:
                self._stored = read_mask(self.editor.face)
        except (UserError, OSError) as error:
            self.canvas.note = str(error)
            return
        if wants_stored and self._stored is None:
            self.canvas.note = "no mask is stored for this face; stages.mask_apply makes one"
        drawn = rasterise(sheet.document.polygons, side, side)
        shown = picture(crop, self.view, drawn, self._stored, dim_by_stored=self.shades_stored)
        self.canvas.show_picture(shown, shown.shape[0] / side)

    def edited(self) -> None:
        """Show what a change of the polygons has changed."""
        self.editor.note(self.editor.index)
        chosen = self.canvas.chosen
        if chosen is not None and chosen >= len(self.canvas.document.polygons):
            self.canvas.choose(None)
        if self.view in ("mask", "overlay"):
            self.draw()
        else:
            self._tell()

    def _tell(self) -> None:
        show_status(self)

    def say(self, message: str, *, lasting: bool = False) -> None:
        """Tell something in place of the hint, for a moment or until another face or message comes."""
        self.message = message
        (self._said.stop if lasting else self._said.start)()
        self._tell()

    def _hush(self) -> None:
        self.message = ""
        self._tell()

    # -- going on, saving ----------------------------------------------------------------------------

    def leave(self, going: Callable[[], Finding]) -> None:
        """Save and go somewhere; a conflict is asked about first."""
        self.canvas.release()
        before, found = self.editor.index, going()
        if self.editor.index != before:
            self.banner.dismiss()
            self.open_face()
        self.files.tell(found, before)

    def save(self) -> None:
        """Write what is drawn on the open face."""
        self.canvas.release()
        found = self.editor.save()
        if found == "same":
            self.say("saved")
        self.files.tell(found)

    def choose_filter(self, filter: Filter) -> None:
        """Go through other faces; the least certain first once the network has seen all."""
        found = self.editor.save()
        if found == "conflict":
            self.files.tell(found)
        elif filter == "uncertain first" and not self.editor.uncertainties:
            self.machine.assess(list(self.editor.faces))
            self.say("the network looks at every face …", lasting=True)
        elif self.editor.choose(filter):
            self.open_face()
        else:
            self.say(f"no face is “{filter}”")
        self._tell()

    def next_filter(self) -> None:
        """The filters in turn."""
        self.choose_filter(FILTERS[(FILTERS.index(self.editor.filter) + 1) % len(FILTERS)])

    def throw_away(self) -> None:
        """The open face into the trash folder."""
        if len(self.editor.order) == 1:
            self.say("this is the last face here: choose another filter first")
        elif (found := self.editor.throw_away()) != "same":
            self.files.tell(found)
        else:
            self.open_face()
            self.say(f"moved to {self.editor.trash_folder.name}; undo brings it back")

    def restore(self) -> None:
        """The face thrown away last comes back."""
        if self.editor.restore():
            self.open_face()

    # -- drawing and looking -------------------------------------------------------------------------

    def use(self, **changes: object) -> None:
        """Other values of the canvas's tool, kind, color or outlines."""
        self.canvas.release()
        for name, value in changes.items():
            setattr(self.canvas, name, value)
        if "tool" in changes:
            self.canvas.choose(None)
        if "kind" in changes and self.canvas.document.turn_draft(self.canvas.kind):
            self.edited()
        self._tell()

    def look_at(self, view: View) -> None:
        """Another view, or the picture again where it is that one already."""
        self.view = "image" if view == self.view else view
        self.draw()

    def shade_stored(self) -> None:
        """Dim what is outside the stored mask, or not."""
        self.shades_stored = not self.shades_stored
        self.draw()

    def undo(self) -> None:
        """Back by one step, or a face back from the trash."""
        self.canvas.release()
        before = self.editor.index
        if self.editor.undo():
            self.open_face() if self.editor.index != before else self.edited()

    def redo(self) -> None:
        """Forward by one step."""
        self.canvas.release()
        if self.canvas.document.redo():
            self.edited()

    def propose(self) -> None:
        """Ask the network for polygons."""
        sheet = self.sheet
        if sheet is not None:
            self.machine.propose(self.editor.index, Face(self.editor.face.path, sheet.meta))
            self.say("the network looks at this face …", lasting=True)

    def carry(self) -> None:
        """Carry the polygons of the nearest labelled face along."""
        sheet, known = self.sheet, self.editor.nearest_drawn()
        if sheet is None or known is None:
            self.say("there is no labelled face to carry polygons from")
            return
        there = Face(self.editor.faces[known.number].path, known.meta)
        here = Face(self.editor.face.path, sheet.meta)
        self.machine.carry(self.editor.index, here, known.number, there, known.polygons)

    def _drawn(self, number: int, told: str, polygons: Drawn) -> None:
        # Whoever has gone on meanwhile does not want it any more.
        if number != self.editor.index or self.sheet is None:
            return
        self.canvas.release()
        self.canvas.choose(None)
        self.canvas.document.replace_all(polygons)
        self.say(told if polygons else f"nothing was {told}")
        self.edited()

    def _assessed(self, uncertainties: dict[int, float]) -> None:
        self.editor.uncertainties = uncertainties
        if self.editor.choose("uncertain first"):
            self.open_face()

    # -- Qt ------------------------------------------------------------------------------------------

    def press(self, action: str) -> None:
        self._actions[action]()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        self.canvas.release()
        if not self.files.may_close():
            event.ignore()
            return
        self._watch.stop()
        self._said.stop()
        self.machine.close()
        self.pictures.close()
        super().closeEvent(event)

    def _connect(self) -> None:
        parts = self.parts
        self._watch.timeout.connect(self.files.look)
        self._said.timeout.connect(self._hush)
        self.canvas.edited.connect(self.edited)
        for changed in (self.canvas.chose, self.canvas.resized):
            changed.connect(self._tell)
        parts.brush_slider.valueChanged.connect(self.canvas.set_radius)
        parts.filter_list.textActivated.connect(self.choose_filter)
        parts.strip.went.connect(lambda count: self.leave(lambda: self.editor.step(count)))
        self.pictures.made.connect(lambda _number: self._tell())
        self.machine.drawn.connect(self._drawn)
        self.machine.assessed.connect(self._assessed)
        self.machine.progress.connect(self.say)
        self.machine.failed.connect(self.banner.tell)
        self.machine.failed.connect(lambda _reason: self._hush())
        for name, button in parts.buttons.items():
            button.clicked.connect(lambda _checked=False, name=name: self._pressed(name))

    def _pressed(self, name: str) -> None:
        self.press(name)
        self._tell()  # The click has checked or unchecked the button by itself.
