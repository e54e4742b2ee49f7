"""What the mask editor says and asks when files are not as they were."""

from typing import TYPE_CHECKING

from faceswap.errors import UserError
from faceswap.masks.edit.sheet import Finding

if TYPE_CHECKING:
    from faceswap.gui.mask_editor.window import MaskWindow

_TOLD: dict[Finding, str] = {
    "newer": "another program has changed {}; it is shown as its file says now, and undo goes back",
    "gone": "the file {} is gone; what is drawn is kept while the window is open",
    "unwritable": "{} cannot be written (is the disk full or read-only?); the window keeps trying",
}
_CONFLICT = (
    "another program has drawn on this face, and so have you: which shall be kept? "
    "The other is one undo away."
)


class Files:
    """Between a window and the files of its faces."""

    def __init__(self, window: "MaskWindow") -> None:
        self._window = window
        self._gives_up = False

    def tell(self, found: Finding, number: int | None = None) -> None:
        """Say what was found about a face's file (the open one's), if it is anything, and show what is."""
        window = self._window
        number = window.editor.index if number is None else number
        if found == "same":
            return
        if found == "conflict":
            choices = {"Mine": lambda: self._decide(mine=True), "The other": lambda: self._decide(mine=False)}
            window.banner.tell(_CONFLICT, choices)
        else:
            told = _TOLD[found].format(window.editor.faces[number].path.name)
            if window.banner.text != told:
                window.banner.tell(told)
        if found == "newer":
            window.pictures.forget(number)
        window.draw()

    def look(self) -> None:
        """Whether other programs have touched the open face; nothing is asked twice."""
        window = self._window
        sheet = window.sheet
        if sheet is None or window.canvas.is_busy or window.banner.buttons.get("Mine"):
            return
        self.tell(sheet.look())
        window.editor.note(window.editor.index)

    def may_close(self) -> bool:
        """Save; what cannot be saved keeps the window open, until it is given up."""
        editor = self._window.editor
        found, unsaved = editor.save(), editor.unsaved()
        if not unsaved or self._gives_up:
            return True
        if found == "conflict":
            self.tell(found)
            return False
        names = ", ".join(editor.faces[number].path.name for number in unsaved[:3])
        more = " …" if len(unsaved) > 3 else ""
        self._window.banner.tell(
            f"what is drawn could not be saved on {len(unsaved)} of the faces ({names}{more})",
            {"Try again": self._window.close, "Close without them": self._give_up},
        )
        return False

    def _decide(self, mine: bool) -> None:
        sheet = self._window.editor.sheet
        try:
            (sheet.keep_mine if mine else sheet.take_theirs)()
        except (UserError, OSError):
            self.tell("gone")
        self._window.pictures.forget(self._window.editor.index)
        self._window.edited()
        self._window.draw()

    def _give_up(self) -> None:
        self._gives_up = True
        self._window.close()
