"""What all windows share."""

import sys

import pytest
from PySide6.QtWidgets import QLabel

from faceswap.gui.app import application


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None counts no references (PEP 683)")
def test_a_window_can_be_open_for_days_though_pyside_drops_references_to_none() -> None:
    application()
    label = QLabel()
    before = sys.getrefcount(None)
    for number in range(1000):
        label.setText(str(number))
    lost = (before - sys.getrefcount(None)) / 1000
    calls_in_a_week = 7 * 86400 * 100_000
    assert sys.getrefcount(None) > lost * calls_in_a_week
