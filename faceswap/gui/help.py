"""The help of a window, made from its one table of keys."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from faceswap.commands import Command
from faceswap.gui.keys import shown


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
