"""A fault at one chosen operation on files: it fails, or the process is killed right there."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable

import torch


class Fault:
    """Ends what runs at its n-th operation on files, a real one, seen through Python's audit events."""

    EVENTS = frozenset(
        {
            "open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate", "os.chmod",
            "os.scandir", "os.listdir",
        }
    )  # fmt: skip

    def __init__(self) -> None:
        self.left: int | None = None
        self.kill = False
        sys.addaudithook(lambda event, _args: self._count() if event in self.EVENTS else None)

    def fsync(self, _handle: int) -> None:
        """Instead of os.fsync, of which Python tells nothing, to count it as well.

        It spares the test the disk: that a process is killed does not unwrite what it wrote.
        """
        self._count()

    def _count(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            if self.kill:
                os._exit(9)
            raise OSError(errno.EIO, "injected")


# The only one: an audit hook stays for the life of the process.
FAULT = Fault()


def in_child(work: Callable[[], object]) -> int:
    """Exit code of a process that does `work`; negative: the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            torch.set_num_threads(1)
            work()
            code = 0
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def faulty(
    work: Callable[[], object], operation: int, kill: bool, expected: tuple[type[Exception], ...] = (OSError,)
) -> bool:
    """Do `work` with a fault at an operation; returns whether it had fewer operations than that.

    expected: what it may raise on account of it.
    """

    def through() -> bool:
        FAULT.left, FAULT.kill = operation, kill
        with contextlib.suppress(*expected):
            work()
        reached, FAULT.left = FAULT.left is None, None
        return not reached

    return in_child(through) == 0 if kill else through()
