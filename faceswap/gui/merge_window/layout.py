"""Where everything stands in the merge window."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from faceswap.gui.canvas import Canvas
from faceswap.gui.keys import HelpPanel, help_html
from faceswap.gui.merge_window.commands import COMMANDS
from faceswap.gui.merge_window.settings_panel import SettingsPanel
from faceswap.gui.merge_window.timeline import Timeline
from faceswap.merge.editing import SCOPES
from faceswap.merge.preview import VIEWS

# By the name of what they do (see merge.commands).
_BUTTONS = {
    "undo": "Undo",
    "redo": "Redo",
    "play": "Play",
    "loop": "Loop",
    "next_problem": "Problem ▸",
    "process": "Merge remaining",
    "help": "Help",
}
HELP = help_html(
    "Settings are sliders and lists at the right, and keys: with Shift five steps at a time.",
    [command for command in COMMANDS if ": five " not in command.help],
)
_NAME_PX = 110
_LEFT = ("undo", "redo", "play", "loop", "next_problem")


@dataclass(frozen=True)
class Parts:
    """The widgets that a merge window is made of."""

    canvas: Canvas
    panel: SettingsPanel
    timeline: Timeline
    help: HelpPanel
    scope_list: QComboBox
    view_list: QComboBox
    frame_label: QLabel
    faces_label: QLabel
    progress_label: QLabel
    buttons: dict[str, QPushButton]


def lay_out(window: QMainWindow, frames: int) -> Parts:
    """Fill a window for a clip of so many frames: picture and clip at left, settings at right."""
    buttons = {name: QPushButton(text) for name, text in _BUTTONS.items()}
    help_panel = HelpPanel(window, "Keys of the merge window", HELP)
    parts = Parts(
        Canvas(), SettingsPanel(), Timeline(frames), help_panel, _list(SCOPES), _list(VIEWS), QLabel(),
        QLabel(), QLabel(), buttons,
    )  # fmt: skip
    buttons["loop"].setCheckable(True)
    for button in buttons.values():
        button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 20)
        # Keys are the window's, whatever was clicked last.
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    bar = QHBoxLayout()
    for name in _LEFT:
        bar.addWidget(buttons[name])
    bar.addWidget(parts.frame_label)
    bar.addStretch(1)
    for widget in (parts.faces_label, parts.view_list, buttons["process"], buttons["help"]):
        bar.addWidget(widget)
    window.setCentralWidget(_column(parts.canvas, bar, parts.timeline, margin=0))
    scope = QHBoxLayout()
    scope.addWidget(QLabel("changes hold for"))
    scope.addWidget(parts.scope_list, 1)
    dock = QDockWidget("Settings")
    dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
    dock.setWidget(_column(scope, parts.panel))
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    # There from the start, so that nothing moves when it has something to say.
    window.statusBar().addWidget(parts.progress_label, 1)
    # The picture gets what the settings do not need.
    window.resizeDocks([dock], [1], Qt.Orientation.Horizontal)
    window.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return parts


def show_name(label: QLabel, place: str, name: str) -> None:
    """A frame's place and name; a long name without its middle, which the mouse shows, so that nothing is
    pushed out of the window.
    """
    short = label.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, _NAME_PX)
    label.setText(f"{place}   {short}")
    label.setToolTip(name)


def _list(values: tuple[str, ...]) -> QComboBox:
    box = QComboBox()
    box.addItems(values)
    box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return box


def _column(*items: QWidget | QLayout, margin: int = 6) -> QWidget:
    """Items below each other; pictures and settings take what room there is."""
    column, widget = QVBoxLayout(), QWidget()
    column.setContentsMargins(margin, margin, margin, margin)
    for item in items:
        if isinstance(item, QLayout):
            column.addLayout(item)
        else:
            column.addWidget(item, 1 if isinstance(item, Canvas | SettingsPanel) else 0)
    widget.setLayout(column)
    return widget
