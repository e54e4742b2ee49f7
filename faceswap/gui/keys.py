"""From Qt's key events to commands."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMainWindow

from faceswap.commands import Action, Command


def command_of(event: QKeyEvent, by_key: Mapping[str, Command[Action]]) -> Command[Action] | None:
    """What a key stands for: by the character typed, else by the name Qt gives it."""
    modified = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    if not modified and event.text() in by_key:
        return by_key[event.text()]
    name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
    return None if len(name) == 1 else by_key.get(name)


def shown(key: str) -> str:
    """A key as a label names it: "Q", "Shift+Q" for "Q" typed as a capital."""
    return key.upper() if key.islower() else f"Shift+{key}" if len(key) == 1 and key.isupper() else key


class KeyWindow(QMainWindow):
    """A window whose keys are those of a table, whatever was clicked last."""

    by_key: Mapping[str, Command[Any]]

    def press(self, action: Any) -> None:
        """Do what a key or a button stands for."""
        raise NotImplementedError

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        command = command_of(event, self.by_key)
        if command is None:
            super().keyPressEvent(event)
        else:
            self.press(command.action)

    def event(self, event: QEvent) -> bool:
        # Tab is a key like any other, as in DeepFaceLab, and must not wander through the widgets.
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() == Qt.Key.Key_Tab
        ):
            self.keyPressEvent(event)
            return True
        return super().event(event)
