"""The help of the merge window, made from the one table of keys."""

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from faceswap.merge.commands import COMMANDS, GROUPS


def help_html() -> str:
    """All commands by group, with their keys."""
    parts = ["<p>Settings are sliders and lists at the right, and keys: with Shift five steps at a time.</p>"]
    for group in GROUPS:
        parts.append(f"<h3>{group.capitalize()}</h3><table cellspacing='4'>")
        for command in COMMANDS:
            if command.group == group and ": five " not in command.help:
                keys = " or ".join(f"<b>{escape(_shown(key))}</b>" for key in command.keys)
                parts.append(f"<tr><td>{keys}&nbsp;&nbsp;</td><td>{escape(command.help)}</td></tr>")
        parts.append("</table>")
    return "".join(parts)


def _shown(key: str) -> str:
    return key.upper() if key.islower() else f"Shift+{key}" if len(key) == 1 and key.isupper() else key


class HelpPanel(QDialog):
    """Stays beside the window until it is closed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys of the merge window")
        # The window keeps the keyboard while the help is open.
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        text = QTextBrowser()
        text.setHtml(help_html())
        text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.addWidget(text)
        self.resize(620, 680)
