"""Where everything stands in the mask editor."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from faceswap.gui.banner import Banner
from faceswap.gui.keys import HelpPanel, help_html, shown
from faceswap.gui.mask_editor.canvas import MaskCanvas
from faceswap.gui.mask_editor.commands import BY_ACTION, COMMANDS, MOUSE
from faceswap.gui.mask_editor.strip import Strip
from faceswap.masks.edit.editing import FILTERS

# Sections of the panel: a title, then rows of buttons, by what they do and what they say.
_PANEL: tuple[tuple[str, tuple[tuple[tuple[str, str], ...], ...]], ...] = (
    ("Draw", (
        (("include", "Include"), ("exclude", "Exclude")),
        (("brush", "Brush"),),
    )),
    ("Polygon", (
        (("turn", "Turn"), ("delete", "Delete")),
        (("undo", "Undo"), ("redo", "Redo")),
    )),
    ("From the machine", (
        (("propose", "Propose"), ("carry", "Carry")),
    )),
    ("View", (
        (("mask", "Mask"), ("stored", "Stored")),
        (("overlay", "Shade"), ("overlay_stored", "Shade stored")),
        (("red", "Red"), ("green", "Green"), ("blue", "Blue")),
        (("outlines", "Outlines"), ("fit", "Fit")),
    )),
    ("Faces", (
        (("previous", "◂ Back"), ("next", "Next ▸")),
        (("throw_away", "Trash"), ("restore", "Restore")),
    )),
)  # fmt: skip
_CHECKABLE = {
    "include", "exclude", "brush", "mask", "stored", "overlay", "overlay_stored", "red", "green", "blue",
    "outlines",
}  # fmt: skip
_PANEL_PX = 232
_STYLE = """
QPushButton { padding: 4px 4px; border: 1px solid #44484e; border-radius: 4px; background: #34373c; }
QPushButton:hover { background: #3d4147; }
QPushButton:checked { background: #2f5d8f; border-color: #4a90d9; }
QPushButton:disabled { color: #6b6e74; background: #2b2d31; }
QLabel#title { color: #9a9da3; font-weight: bold; margin-top: 4px; }
"""


@dataclass(frozen=True)
class Parts:
    """The widgets that a mask editor is made of; buttons by the name of what they do."""

    canvas: MaskCanvas
    strip: Strip
    banner: Banner
    help: HelpPanel
    buttons: dict[str, QPushButton]
    brush_slider: QSlider
    filter_list: QComboBox
    name_label: QLabel
    count_label: QLabel
    hint_label: QLabel


def lay_out(window: QMainWindow) -> Parts:
    """Fill a window: what can be done at left, the face at right, its neighbours below."""
    help_panel = HelpPanel(window, "Keys of the mask editor", help_html(MOUSE, COMMANDS))
    parts = Parts(
        MaskCanvas(), Strip(), Banner(), help_panel, _buttons(), QSlider(Qt.Orientation.Horizontal),
        QComboBox(), QLabel(), QLabel(), QLabel(),
    )  # fmt: skip
    parts.filter_list.addItems(FILTERS)
    parts.brush_slider.setRange(1, 200)
    parts.brush_slider.setToolTip("size of the brush ([ and ], or Ctrl+wheel)")
    parts.filter_list.setToolTip(f"which faces are gone through ({shown(BY_ACTION['filter'].keys[0])})")
    for widget in (parts.filter_list, parts.brush_slider):
        # Keys are the window's, whatever was clicked last.
        widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    parts.name_label.setStyleSheet("font-weight: bold")
    parts.hint_label.setStyleSheet("color: #9a9da3")
    # Over the picture, which must not jump under the mouse.
    above = QVBoxLayout(parts.canvas)
    above.setContentsMargins(0, 0, 0, 0)
    above.addWidget(parts.banner)
    above.addStretch(1)
    right = _column([_top(parts), parts.canvas, parts.strip], stretched=parts.canvas)
    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    row.addWidget(_panel(parts))
    row.addWidget(right, 1)
    window.setCentralWidget(whole)
    window.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return parts


def _buttons() -> dict[str, QPushButton]:
    made = {}
    rows = [row for _, rows in _PANEL for row in rows]
    for action, text in [*(pair for row in rows for pair in row), ("help", "Help")]:
        command = BY_ACTION[action]
        keys = " or ".join(map(shown, command.keys))
        button = QPushButton(f"{text}  {_short(min(command.keys, key=len))}")
        button.setToolTip(f"{command.help} ({keys})")
        button.setCheckable(action in _CHECKABLE)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        made[action] = button
    return made


def _short(key: str) -> str:
    return shown(key).replace("Shift+", "⇧")


def _panel(parts: Parts) -> QWidget:
    panel = QFrame()
    panel.setFixedWidth(_PANEL_PX)
    panel.setStyleSheet(_STYLE)
    column = QVBoxLayout(panel)
    column.setSpacing(4)
    for title, rows in _PANEL:
        label = QLabel(title)
        label.setObjectName("title")
        column.addWidget(label)
        for row in rows:
            grid = QGridLayout()
            grid.setSpacing(4)
            for place, (action, _) in enumerate(row):
                grid.addWidget(parts.buttons[action], 0, place)
                grid.setColumnStretch(place, 1)
            if row[0][0] == "brush":
                grid.addWidget(parts.brush_slider, 0, 1)
                grid.setColumnStretch(1, 1)
            column.addLayout(grid)
        if title == "Faces":
            line = QHBoxLayout()
            line.addWidget(QLabel(f"Go through  {shown(BY_ACTION['filter'].keys[0])}"))
            line.addWidget(parts.filter_list, 1)
            column.addLayout(line)
    column.addStretch(1)
    column.addWidget(parts.buttons["help"])
    return panel


def _top(parts: Parts) -> QWidget:
    bar = QWidget()
    row = QHBoxLayout(bar)
    row.setContentsMargins(10, 6, 10, 6)
    row.addWidget(parts.name_label)
    row.addSpacing(16)
    row.addWidget(parts.hint_label)
    row.addStretch(1)
    row.addWidget(parts.count_label)
    return bar


def _column(items: Sequence[QWidget], stretched: QWidget) -> QWidget:
    widget = QWidget()
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for item in items:
        column.addWidget(item, 1 if item is stretched else 0)
    return widget
