"""From Qt's key events to commands."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from faceswap.merge.commands import BY_KEY, Command


def command_of(event: QKeyEvent) -> Command | None:
    """What a key stands for: by the character typed, else by the name Qt gives it."""
    modified = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    if not modified and event.text() in BY_KEY:
        return BY_KEY[event.text()]
    name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
    return None if len(name) == 1 else BY_KEY.get(name)
