"""How a process ends when it is asked to: between two iterations in a loop, at once elsewhere.

Asked by Ctrl-C, by SIGTERM, and by the line or window that it was started in when that is closed. These
often come twice: a shell hands on what the system has sent already, torchrun adds a SIGTERM to a Ctrl-C.
"""

import os
import signal
import threading
import time
import weakref
from functools import cache
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from faceswap.errors import Stopped

# Windows has no SIGHUP, its closed windows send SIGBREAK.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# What comes so soon after another is its echo, or an impatient finger.
_ECHO_S = 1.0
# How long other programs may still answer once a stop was asked for.
_GRACE_S = 2.0
_asked = threading.Event()
_children: "weakref.WeakSet[Killable]" = weakref.WeakSet()


class Killable(Protocol):
    """A process of another program that can be ended."""

    def kill(self) -> None: ...


def end_with_us(child: Killable) -> None:
    """Have `child` killed two seconds after a stop is asked for.

    A thread may wait for its answer then, and nobody can stop a thread; its end is an answer, too.
    """
    _start_watching()
    _children.add(child)


@cache
def _start_watching() -> None:
    threading.Thread(target=_end_children, daemon=True).start()


def _end_children() -> None:
    while True:
        _asked.wait()
        # What begins later belongs to whoever went on.
        waiting = list(_children)
        time.sleep(_GRACE_S)
        _asked.clear()
        for child in waiting:
            child.kill()


def reason(number: int) -> KeyboardInterrupt:
    """What a signal raises: KeyboardInterrupt for Ctrl-C, else Stopped."""
    return KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)


def exit_code(stop: KeyboardInterrupt) -> int:
    """What shells expect of a process that was stopped: 128 and the signal's number."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


class StopRequest:
    """While entered, a signal is only remembered; the loop asks `wanted` and ends itself.

    A second Ctrl-C, after a second, interrupts at once. Outside the main thread, where no signal arrives,
    nothing is changed. reason: what the signal asks for, None before.
    """

    def __init__(self) -> None:
        self.reason: KeyboardInterrupt | None = None
        self._at_s = 0.0
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        return self.reason is not None

    def raise_if_wanted(self) -> None:
        """Go on ending as the signal asked: see `reason`."""
        if self.reason is not None:
            raise self.reason

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # nohup has a process ignore that its line is closed.
                if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self.remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def remember(self, number: int, _frame: FrameType | None) -> None:
        """The handler of the signals."""
        # Printing here could re-enter a print that the signal interrupted; the loop says what happens.
        _asked.set()
        if self.reason is None:
            self.reason, self._at_s = reason(number), time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._at_s > _ECHO_S:
            raise KeyboardInterrupt


class Ending:
    """What signals do to a stage outside of a loop: the first raises its `reason`, its echo nothing.

    wanted: what was raised, kept because libraries may turn it into an error of their own.
    """

    def __init__(self) -> None:
        self.wanted: KeyboardInterrupt | None = None
        self._at_s = 0.0
        self._code: int | None = None
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, self._hear)

    def settle(self, code: int) -> None:
        """From now on nothing is raised any more; a signal that is no echo ends the process with `code`."""
        self._code = code

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        _asked.set()
        now = time.monotonic()
        if self.wanted is not None and now - self._at_s < _ECHO_S:
            return
        if self._code is not None:
            if self.wanted is not None or number == signal.SIGINT:
                os._exit(self._code)
            return
        self.wanted, self._at_s = reason(number), now
        raise self.wanted
