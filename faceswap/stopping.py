"""Ending a loop between two iterations, because half an iteration must never be saved."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from faceswap.errors import Stopped


class StopRequest:
    """While entered, the first Ctrl-C or SIGTERM is only remembered; the loop asks `wanted` and ends itself.

    A second one interrupts at once. Outside the main thread, where no signal arrives, nothing is changed.
    """

    def __init__(self) -> None:
        self._reason: KeyboardInterrupt | None = None
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        return self._reason is not None

    def raise_if_wanted(self) -> None:
        """Go on ending as the signal asked: KeyboardInterrupt for Ctrl-C, Stopped for SIGTERM."""
        if self._reason is not None:
            raise self._reason

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        reason = Stopped() if number == signal.SIGTERM else KeyboardInterrupt()
        if self._reason is not None:
            raise reason
        # Printing here could re-enter a print that the signal interrupted; the loop says what happens.
        self._reason = reason
