"""What all windows share."""

import signal
import sys
from contextlib import nullcontext

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel

from faceswap.errors import Stopped
from faceswap.gui.app import application, run


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


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_closes_a_window_and_ends_the_stage_unless_it_was_ctrl_c(name: str) -> None:
    number = getattr(signal, name)
    application()
    window = QLabel()
    QTimer.singleShot(0, lambda: (signal.raise_signal(number), signal.raise_signal(number)))
    with nullcontext() if name == "SIGINT" else pytest.raises(Stopped):
        run(window)
    assert not window.isVisible()
