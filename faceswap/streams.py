"""Screens and pipes that may break at any time: what they cannot take is lost, and the work goes on.

A reader that has gone (EPIPE), a terminal that has hung up (EIO), a full disk behind a log, a stream that was
closed before the start, letters that its encoding lacks: none of them may cost a person's work.
"""

import atexit
import errno
import os
import sys
from contextlib import suppress
from typing import Any


class BestEffort:
    """A text stream, or None for a missing one, whose failures nobody hears of but `is_broken`."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.is_broken = stream, stream is None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __eq__(self, other: object) -> bool:
        # By this tqdm knows which bars it has to clear before a line is printed on the same screen.
        return self.stream is (other.stream if isinstance(other, BestEffort) else other)

    def __hash__(self) -> int:
        return hash(id(self.stream))

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        try:
            return self.stream is not None and bool(self.stream.isatty())
        except ValueError:  # closed
            return False

    def write(self, text: str) -> int:
        """Write what can be written; returns the length of `text`."""
        try:
            if self.stream is not None:
                self.stream.write(text)
        except UnicodeEncodeError as error:
            self.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except (OSError, ValueError) as error:
            self.is_broken = not _is_passing(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what waits."""
        try:
            if self.stream is not None:
                self.stream.flush()
        except (OSError, ValueError) as error:
            self.is_broken = not _is_passing(error)


def _is_passing(error: Exception) -> bool:
    """Whether the stream may work again, as one into a file does when its disk has room."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EAGAIN)


def best_effort(stream: Any) -> BestEffort:
    """`stream` as one that cannot fail."""
    return stream if isinstance(stream, BestEffort) else BestEffort(stream)


def secure() -> None:
    """Make the standard streams of this process, a stage's, unbreakable to the end; once is enough.

    print, warnings, logging and tracebacks then go through them, too.
    """
    if isinstance(sys.stdout, BestEffort) or sys.stdout is not sys.__stdout__:
        return
    _occupy()
    sys.stdout, sys.stderr = BestEffort(sys.stdout), BestEffort(sys.stderr)
    atexit.register(_settle)


def _occupy() -> None:
    """Open what was closed before the start, lest the next file gets its number and others' words."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                null = os.open(os.devnull, os.O_RDWR)
                if null != number:
                    os.dup2(null, number)
                    os.close(null)


def _settle() -> None:
    """Empty the streams; what still fails would fail once more, and loudly, when Python closes them."""
    for number, stream in ((1, sys.__stdout__), (2, sys.__stderr__)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
