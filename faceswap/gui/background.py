"""Work beside the window: its answers arrive as signals, in the window's thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Signal


class Newest(QObject):
    """Does what was asked for last; what waited before it is dropped.

    done: (tag, answer) of a job; failed: (tag, exception).
    """

    done = Signal(object, object)
    failed = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1)
        self._lock = threading.Lock()
        self._waiting: tuple[Any, Callable[[], Any]] | None = None
        self._running: Future[None] | None = None
        self._closed = False

    def ask(self, tag: Any, job: Callable[[], Any]) -> None:
        """Run `job` after the one that runs now, instead of any that waits."""
        with self._lock:
            # What a closing window still hears of starts nothing.
            if self._closed:
                return
            self._waiting = (tag, job)
            if self._running is None or self._running.done():
                self._running = self._pool.submit(self._work)

    def forget(self) -> None:
        """Drop what waits."""
        with self._lock:
            self._waiting = None

    def close(self) -> None:
        """Wait for the job that runs; what is asked for later is not done."""
        self.forget()
        self._closed = True
        self._pool.shutdown()

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    # A job that is asked for from here on starts a new round.
                    self._running = None
                    return
                (tag, job), self._waiting = self._waiting, None
            try:
                answer = job()
            except Exception as error:
                self.failed.emit(tag, error)
            else:
                self.done.emit(tag, answer)


class Ahead(QObject):
    """Does a list of jobs in order, until it is given another list."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1)
        self._round = 0
        self._closed = False

    def give(self, jobs: list[Callable[[], Any]]) -> None:
        """These jobs instead of those that have not begun; their answers and errors are nobody's."""
        self._round += 1
        current = self._round
        for job in [] if self._closed else jobs:
            self._pool.submit(self._run, current, job)

    def close(self) -> None:
        """Wait for the job that runs; what is given later is not done."""
        self._closed = True
        self._round += 1
        self._pool.shutdown(cancel_futures=True)

    def _run(self, current: int, job: Callable[[], Any]) -> None:
        if current == self._round:
            job()
