"""What a person can do in a window: a table of commands, their keys, and the help made of it.

A key is the character that is typed, so that a capital is the same key with Shift on every keyboard, or a
name as Qt gives it.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QMainWindow, QTextBrowser, QVBoxLayout, QWidget

Action = TypeVar("Action")


class Command(NamedTuple, Generic[Action]):
    """keys: any of them; help: what happens, as a sentence without a full stop."""

    group: str
    keys: tuple[str, ...]
    help: str
    action: Action


def by_key(commands: Iterable[Command[Action]]) -> Mapping[str, Command[Action]]:
    """The command of every key."""
    return {key: command for command in commands for key in command.keys}


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


def help_html(introduction: str, commands: Sequence[Command[Any]]) -> str:
    """A paragraph, then the commands by group, with their keys."""
    parts = [f"<p>{escape(introduction)}</p>"]
    for group, members in groupby(commands, lambda command: command.group):
        parts.append(f"<h3>{group.capitalize()}</h3><table cellspacing='4'>")
        for command in members:
            keys = " or ".join(f"<b>{escape(shown(key))}</b>" for key in command.keys)
            parts.append(f"<tr><td width='170'>{keys}</td><td>{escape(command.help)}</td></tr>")
        parts.append("</table>")
    return "".join(parts)


class HelpPanel(QDialog):
    """Stays beside the window until it is closed."""

    def __init__(self, parent: QWidget, title: str, html: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        # The window keeps the keyboard while the help is open.
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        text = QTextBrowser()
        text.setHtml(html)
        text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.addWidget(text)
        self.resize(620, 680)
