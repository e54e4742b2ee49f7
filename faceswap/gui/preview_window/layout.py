"""Where everything stands in the preview window."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMainWindow,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from faceswap.gui.banner import Banner
from faceswap.gui.keys import HelpPanel, help_html, shown
from faceswap.gui.preview_window.commands import BY_ACTION, COMMANDS, MOUSE
from faceswap.gui.preview_window.curves import CurvesView
from faceswap.gui.preview_window.pictures import Scrubber, SheetView
from faceswap.train.watch.panels import FIGURES
from faceswap.train.watch.span import RANGES, SMOOTHINGS

# By the name of what they do (see train.watch.commands).
_BUTTONS = {
    "save": "Save",
    "backup": "Backup",
    "samples": "Other faces",
    "stop": "Save and stop",
    "masked": "Masked",
    "page": "Page",
    "play": "Play",
    "help": "Help",
}
_RANGES = ["all" if width is None else f"newest {width:,}" for width in RANGES]
_SMOOTHINGS = [f"mean of {width:,}" if width > 1 else "none" for width in SMOOTHINGS]
_STYLE = """
QPushButton { padding: 4px 8px; border: 1px solid #44484e; border-radius: 4px; background: #34373c; }
QPushButton:hover { background: #3d4147; }
QPushButton:checked { background: #2f5d8f; border-color: #4a90d9; }
QLabel#caption { color: #8a8d93; font-size: 8pt; }
QLabel#value { font-size: 13pt; }
QLabel#title { font-size: 12pt; font-weight: bold; }
"""


@dataclass(frozen=True)
class Parts:
    """The widgets that a preview window is made of; buttons by what they do, tiles by their caption."""

    sheet: SheetView
    scrubber: Scrubber
    curves: CurvesView
    banner: Banner
    help: HelpPanel
    buttons: dict[str, QPushButton]
    tiles: dict[str, QLabel]
    title: QLabel
    state: QLabel
    log: QLabel
    range_list: QComboBox
    smoothing_list: QComboBox
    faces: QWidget
    graphs: QWidget


def lay_out(window: QMainWindow) -> Parts:
    """Fill a window: figures above, the faces at left, the curves at right, what can be done below."""
    parts = Parts(
        SheetView(), Scrubber(), CurvesView(), Banner(),
        HelpPanel(window, "Keys of the preview window", help_html(MOUSE, COMMANDS)),
        _buttons(), {caption: _label("value") for caption in FIGURES}, _label("title"), QLabel(), QLabel(),
        _list(_RANGES), _list(_SMOOTHINGS), QWidget(), QWidget(),
    )  # fmt: skip
    _column(parts.faces, parts.sheet, _row(parts.scrubber, parts.buttons["play"], margin=4))
    looks = _row(
        QLabel("iterations"), parts.range_list, QLabel("smoothing"), parts.smoothing_list, None, margin=6
    )
    _column(parts.graphs, parts.curves, looks)
    body = QSplitter(Qt.Orientation.Horizontal)
    body.setChildrenCollapsible(False)
    for widget, share in ((parts.faces, 3), (parts.graphs, 2)):
        body.addWidget(widget)
        body.setStretchFactor(body.count() - 1, share)
    body.setSizes([3000, 2000])
    buttons = parts.buttons
    asked = [buttons[name] for name in ("save", "backup", "samples", "stop")]
    below = _row(*asked, None, buttons["masked"], buttons["page"], buttons["help"], margin=6)
    whole = QWidget()
    _column(whole, _top(parts), parts.banner, body, below, stretched=body)
    window.setCentralWidget(whole)
    # What is said for a moment takes its place, and gives it back.
    window.statusBar().addWidget(parts.log, 1)
    window.setStyleSheet(_STYLE)
    window.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return parts


def _top(parts: Parts) -> QWidget:
    name = QVBoxLayout()
    name.setSpacing(0)
    name.addWidget(parts.title)
    name.addWidget(parts.state)
    row = QHBoxLayout()
    row.setContentsMargins(12, 6, 12, 6)
    row.addLayout(name)
    row.addStretch(1)
    for caption, value in parts.tiles.items():
        tile = QVBoxLayout()
        tile.setSpacing(0)
        tile.addWidget(_label("caption", caption))
        tile.addWidget(value)
        row.addSpacing(22)
        row.addLayout(tile)
    bar = QWidget()
    bar.setLayout(row)
    return bar


def _label(name: str, text: str = "") -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    return label


def _buttons() -> dict[str, QPushButton]:
    made = {}
    for action, text in _BUTTONS.items():
        keys = BY_ACTION[action].keys
        button = QPushButton(f"{text}  {shown(keys[0])}")
        button.setToolTip(f"{BY_ACTION[action].help} ({' or '.join(map(shown, keys))})")
        button.setCheckable(action == "masked")
        # Keys are the window's, whatever was clicked last.
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        made[action] = button
    return made


def _list(words: list[str]) -> QComboBox:
    box = QComboBox()
    box.addItems(words)
    box.setPlaceholderText("as zoomed")
    box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return box


def _row(*items: QWidget | None, margin: int) -> QHBoxLayout:
    """Items beside each other; None takes what room there is."""
    row = QHBoxLayout()
    row.setContentsMargins(margin, margin, margin, margin)
    row.setSpacing(6)
    for item in items:
        if item is None:
            row.addStretch(1)
        else:
            row.addWidget(item, 1 if isinstance(item, Scrubber) else 0)
    return row


def _column(widget: QWidget, *items: QWidget | QLayout, stretched: QWidget | None = None) -> None:
    """Items below each other; the first, or the one that is named, takes what room there is."""
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for item in items:
        if isinstance(item, QLayout):
            column.addLayout(item)
        else:
            column.addWidget(item, 1 if item is (stretched or items[0]) else 0)
