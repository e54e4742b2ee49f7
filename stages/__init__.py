"""One runnable module a stage: settings, library, progress, summary."""

import signal
import sys
from types import FrameType, TracebackType

from faceswap.streams import secure
from faceswap.system import explain_import

_WORDS = "\ninterrupted; nothing was begun yet"


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A Ctrl-C while a stage still loads its libraries, which takes seconds, is no failure either.

    Nor is a library that the system lacks one of ours.
    """
    if issubclass(kind, KeyboardInterrupt):
        print(_WORDS, file=sys.stderr)
    elif isinstance(error, ImportError) and (lacking := explain_import(error)):
        print(f"error: {lacking}", file=sys.stderr)
        sys.exit(2)
    else:
        sys.__excepthook__(kind, error, trace)


def _end(number: int, _frame: FrameType | None) -> None:
    """Libraries that are interrupted while they load may raise anything, so they are not."""
    print(_WORDS, file=sys.stderr, flush=True)
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


sys.excepthook = _say
# What Python calls a program while it looks for the module that was asked for.
if sys.argv[:1] == ["-m"]:
    secure()
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
