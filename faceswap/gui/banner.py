"""A line above the picture that asks or tells something and waits for no answer."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget


class Banner(QFrame):
    """Hidden while there is nothing to say. buttons: those that are shown, by their text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setStyleSheet("Banner { background: #5a4520; border-left: 4px solid #f0c060; }")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 6, 8, 6)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._row.addWidget(self._label, 1)
        self.buttons: dict[str, QPushButton] = {}
        self.hide()

    @property
    def text(self) -> str:
        """What is said; "" while nothing is."""
        return self._label.text() if not self.isHidden() else ""

    def tell(self, text: str, choices: Mapping[str, Callable[[], object]] | None = None) -> None:
        """Say something, with a button for each choice; without any, it can be dismissed."""
        self.dismiss()
        self._label.setText(text)
        for word, action in (choices or {"OK": lambda: None}).items():
            button = QPushButton(word)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _checked=False, action=action: self._chosen(action))
            self._row.addWidget(button)
            self.buttons[word] = button
        self.show()

    def dismiss(self) -> None:
        """Say nothing more."""
        self.hide()
        for button in self.buttons.values():
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = {}

    def _chosen(self, action: Callable[[], object]) -> None:
        self.dismiss()
        action()
