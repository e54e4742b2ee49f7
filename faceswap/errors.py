"""Errors a person can act on: what happened, what was found, what to type next."""

import errno
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


_FREE = "free some disk space; the same command continues"
_ALLOWED = "choose a --workspace that you may write to, or change its permissions"
_AWAY = "see that its disk or network drive is there; the same command continues"
_HINTS = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: "free some of your disk quota; the same command continues",
    errno.EFBIG: "choose a --workspace on a file system that takes files of this size",
    errno.EROFS: "choose a --workspace on a disk that can be written",
    errno.EACCES: _ALLOWED,
    errno.EPERM: _ALLOWED,
    errno.ENOENT: "it is not there, or was taken away meanwhile: put it back; the same command continues",
    errno.EISDIR: "a folder is where a file should be: move it away or name another",
    errno.ENOTDIR: "a file is where a folder should be: move it away or name another",
    errno.EEXIST: "move what is there away",
    errno.ENOTEMPTY: "move what is there away",
    errno.ENAMETOOLONG: "use shorter names of files and folders",
    errno.EINVAL: "use plain names of files and folders",
    errno.ELOOP: "a link leads back to itself: remove it",
    errno.EIO: "the disk may be failing: copy what it holds elsewhere; the same command continues there",
    errno.EMFILE: "let more files be open at once: type ulimit -n 4096, then the same command",
    errno.ENFILE: "close other programs; the same command continues",
    errno.ENOMEM: "close other programs, or choose smaller sizes or fewer --workers",
    errno.EBUSY: "close the program that uses it; the same command continues",
    errno.ETXTBSY: "close the program that uses it; the same command continues",
    errno.EAGAIN: "close the program that uses it; the same command continues",
    errno.ESTALE: _AWAY,
    errno.ENODEV: _AWAY,
    errno.ENXIO: _AWAY,
    errno.ETIMEDOUT: _AWAY,
    errno.ENOTCONN: _AWAY,
    errno.EHOSTDOWN: _AWAY,
}
# With these nothing else could be opened either: a file that cannot be read is not to be passed over.
_GENERAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def explained(error: OSError | MemoryError | UnicodeEncodeError) -> UserError:
    """A sentence, what the system said, and what to do."""
    if isinstance(error, UnicodeEncodeError):
        found = error.object[:200].encode("utf-8", "backslashreplace").decode()
        return UserError("a name of a file or folder is no Unicode", found, "rename it")
    if isinstance(error, MemoryError):
        return UserError("the memory does not suffice", str(error)[:200], _HINTS[errno.ENOMEM])
    # Libraries raise OSErrors of their own without a number.
    hint = _HINTS.get(error.errno or 0, "try again; if it stays so, look at that file or disk")
    return UserError(f"the system refused to read or write {error.filename or 'a file'}", str(error), hint)


def is_general(error: OSError) -> bool:
    """Whether it is not about the one file that was asked for."""
    return error.errno in _GENERAL
