"""One runnable module a stage: settings, library, progress, summary."""

import sys
from types import TracebackType


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A Ctrl-C while a stage still loads its libraries, which takes seconds, is no failure either."""
    if issubclass(kind, KeyboardInterrupt):
        print("\ninterrupted; nothing was begun yet", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _say
