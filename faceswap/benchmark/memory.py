"""Peak memory of this process and everything it started."""

import threading
from types import TracebackType
from typing import Self

import psutil

INTERVAL_S = 0.1


class PeakMemory:
    """A context manager; afterwards `.peak_bytes` is the largest sum over the process tree that was seen.

    Pages shared between processes are counted once where the system tells (proportional set size).
    """

    def __init__(self, pid: int | None = None) -> None:
        self.peak_bytes = 0
        self._root = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL_S):
            self.peak_bytes = max(self.peak_bytes, tree_bytes(self._root))


def tree_bytes(root: psutil.Process) -> int:
    """Memory of `root` and its descendants now, in bytes; processes that end meanwhile count nothing."""
    total = 0
    try:
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    if len(members) == 1:
        # Nothing is shared, and the proportional size makes the kernel walk all pages, which slows training.
        return int(root.memory_info().rss)
    for process in members:
        try:
            info = process.memory_full_info()
            total += getattr(info, "pss", info.uss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total
