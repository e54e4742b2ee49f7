"""Every setting of the merge as a slider or a list, made from the settings themselves."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from faceswap.gui.merge_window.commands import choices, keys_of, span
from faceswap.merge.keyframes import NUMERIC
from faceswap.merge.settings import MergeSettings

# A slider has whole steps; a fraction has a hundred.
_FINENESS = 100
_SECTIONS = {
    "mode": "Composition",
    "mask_mode": "Mask",
    "motion_blur_power": "Face",
    "color_transfer": "Colour",
    "sharpen_mode": "Detail",
    "image_denoise_power": "Frame",
    "morph": "Model",
}
# Values of up to 40 letters are read in full only with a line to themselves.
_OWN_LINE = ("mask_mode",)
_TIP_LETTERS = 70
_KEYS_STYLE = "QLabel { color: #8a8d93 } QLabel:disabled { color: #55585e }"


class _Row:
    """The widgets of one setting."""

    def __init__(self, panel: "SettingsPanel", name: str) -> None:
        self.name, self._panel = name, panel
        info = MergeSettings.model_fields[name]
        self.label = QLabel(name.replace("_", " "))
        self._help = fill(info.description or "", _TIP_LETTERS)
        self.is_disabled = False
        self.label.setToolTip(self._help)
        self.keys = QLabel(keys_of(name))
        self.keys.setStyleSheet(_KEYS_STYLE)
        self.key = QToolButton()
        self.key.setCheckable(True)
        self.key.setAutoRaise(True)
        self.key.setToolTip("keyframe of this setting at this frame")
        self.key.clicked.connect(lambda checked: panel.keyed.emit(name, checked))
        self._whole = info.annotation is int
        self.slider: QSlider | None = None
        self.spin: QSpinBox | QDoubleSpinBox | None = None
        self.list: QComboBox | None = None
        self.check: QCheckBox | None = None
        if name in NUMERIC:
            self._add_number(*span(name))
        elif info.annotation is bool:
            self.check = QCheckBox()
            self.check.clicked.connect(lambda on: panel.changed.emit(name, bool(on), False))
        else:
            self.list = QComboBox()
            # As wide as there is room for: the longest mask's name would push the picture aside.
            self.list.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            self.list.setMinimumContentsLength(10)
            self.list.addItems([str(value) for value in choices(name)])
            self.list.activated.connect(lambda n: panel.changed.emit(name, choices(name)[n], False))
        widgets: list[QWidget | None] = [self.slider, self.spin, self.list, self.check, self.key]
        for widget in filter(None, widgets):
            widget.setToolTip(widget.toolTip() or self._help)
            # Keys belong to the window; a click into a field takes them, and Return gives them back.
            typed = isinstance(widget, QAbstractSpinBox)
            widget.setFocusPolicy(Qt.FocusPolicy.ClickFocus if typed else Qt.FocusPolicy.NoFocus)

    def put(self, grid: QGridLayout, row: int) -> None:
        grid.addWidget(self.label, row, 0)
        grid.addWidget(self.keys, row, 1)
        if self.name in _OWN_LINE and self.list is not None:
            grid.addWidget(self.key, row, 4)
            grid.addWidget(self.list, row + 1, 0, 1, 5)
            return
        if self.slider is not None and self.spin is not None:
            grid.addWidget(self.slider, row, 2)
            grid.addWidget(self.spin, row, 3)
        else:
            grid.addWidget(self.list or self.check, row, 2, 1, 2)  # type: ignore[arg-type]
        grid.addWidget(self.key, row, 4)

    def disable(self, reason: str) -> None:
        """Take no changes any more, and say why under the mouse."""
        self.is_disabled = True
        for widget in (self.label, self.keys, self.key, self.slider, self.spin, self.list, self.check):
            if widget is not None:
                widget.setEnabled(False)
                widget.setToolTip(reason)

    def dim(self, reason: str) -> None:
        """Look like what changes nothing now, and say why under the mouse; "" for as always.

        It can be changed all the same: who prepares another mode sets it first.
        """
        if self.is_disabled:
            return
        told = f"{self._help}\n\nNot used now: {reason}." if reason else self._help
        for widget in (self.label, self.slider, self.spin, self.list, self.check):
            if widget is not None:
                widget.setToolTip(told)
        for label in (self.label, self.keys):
            label.setEnabled(not reason)

    def show(self, value: Any, keyed: bool, animated: bool) -> None:
        blocked = [
            QSignalBlocker(w) for w in (self.slider, self.spin, self.list, self.check) if w is not None
        ]
        if self.slider is not None and self.spin is not None:
            if not self.slider.isSliderDown():
                self.slider.setValue(round(value * self._fineness))
            self.spin.setValue(value)
        elif self.check is not None:
            self.check.setChecked(value)
        elif self.list is not None:
            self.list.setCurrentIndex(choices(self.name).index(value))
        self.key.setChecked(keyed)
        self.key.setText("◆" if keyed else "◈" if animated else "◇")
        del blocked

    @property
    def _fineness(self) -> int:
        return 1 if self._whole else _FINENESS

    def _add_number(self, low: float, high: float) -> None:
        panel, name = self._panel, self.name
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(round(low * self._fineness), round(high * self._fineness))
        slider.setPageStep(5)
        slider.setMinimumWidth(38)
        spin: QSpinBox | QDoubleSpinBox = (
            QSpinBox() if self._whole else QDoubleSpinBox(decimals=2, singleStep=0.05)
        )
        spin.setRange(low, high)  # type: ignore[arg-type]
        spin.setKeyboardTracking(False)
        spin.setFixedWidth(62)
        slider.valueChanged.connect(
            lambda value: panel.changed.emit(name, self._number(value), slider.isSliderDown())
        )
        slider.sliderReleased.connect(lambda: panel.released.emit(name))
        spin.valueChanged.connect(lambda value: panel.changed.emit(name, value, False))
        spin.editingFinished.connect(spin.clearFocus)
        self.slider, self.spin = slider, spin

    def _number(self, value: int) -> float:
        return value if self._whole else value / _FINENESS


class SettingsPanel(QScrollArea):
    """changed: setting, value, and whether a slider is still moving; released: the slider of a setting was
    let go; keyed: setting, and whether it shall have a keyframe here.
    """

    changed = Signal(str, object, bool)
    released = Signal(str)
    keyed = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setColumnStretch(2, 1)
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(5)
        self.rows: dict[str, _Row] = {}
        for name in MergeSettings.model_fields:
            if name in _SECTIONS:
                title = QLabel(_SECTIONS[name])
                title.setStyleSheet("font-weight: bold; margin-top: 2px")
                grid.addWidget(title, grid.rowCount(), 0, 1, 5)
            self.rows[name] = _Row(self, name)
            self.rows[name].put(grid, grid.rowCount())
        grid.setRowStretch(grid.rowCount(), 1)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(inside.minimumSizeHint().width() + 18)

    def show_settings(
        self, settings: MergeSettings, keyed: Mapping[str, bool], idle: Mapping[str, str]
    ) -> None:
        """The settings of a frame. keyed: of the settings that change over the clip, whether they do here;
        idle: of those that change nothing here, why.
        """
        for name, row in self.rows.items():
            row.dim(idle.get(name, ""))
            row.show(getattr(settings, name), keyed.get(name, False), name in keyed)
