"""Errors a person can act on: what happened, what was found, what to type next."""

import signal


class FaceswapError(Exception):
    """Base of all errors the workbench raises on purpose."""


class UserError(FaceswapError):
    """Something the user can mend; a stage prints it without a traceback and exits with 2.

    what:  what happened, one sentence.
    found: what was there instead ("" where the first sentence says it).
    hint:  what to type or do next.
    """

    def __init__(self, what: str, found: str = "", hint: str = "") -> None:
        self.what, self.found, self.hint = what, found, hint
        super().__init__(what, found, hint)

    def __str__(self) -> str:
        return "\n  ".join(part for part in (self.what, self.found, self.hint) if part)


class Stopped(KeyboardInterrupt):
    """The process was asked to end by signal `number`, SIGTERM or SIGHUP; handled like Ctrl-C."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.number = number
        super().__init__()
