"""One writer at a time, of a folder or a file: a lock beside it, which the system frees with its owner."""

import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from faceswap.errors import UserError
from faceswap.io.files import lock_file

if sys.platform == "win32":
    import msvcrt

# Windows lets nobody read a byte that is locked: one past the end leaves others what the file says.
_LOCKED_BYTE = 2**30
# Who asks for an owner is in the way for a moment, and so is who removes the file of a lock.
_TRIES, _PAUSE_S = 6, 0.02
# What the stage that runs in this process has taken for all its work.
_of_stage: set[Path] = set()


class FolderLock:
    """While entered, no other process writes `target`, a folder or file that need not be there yet.

    Raises UserError where another does, and says which. It lies beside its target, which may so be moved
    away or replaced meanwhile, and is gone afterwards. On a disk that knows no locks or cannot be written
    nobody is locked out.
    """

    def __init__(self, target: Path) -> None:
        self._target, self._path = target, _beside(target)
        self._file: IO[bytes] | None = None
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        if self._path in _of_stage:
            return self
        owner = ""
        for attempt in range(_TRIES):
            time.sleep(_PAUSE_S * (attempt > 0))
            try:
                self._file = self._open()
                _hold(self._file.fileno())
            except FileNotFoundError:
                continue  # Another one has just left, and the empty folder with it.
            except BlockingIOError:
                owner = _read_owner(self._file)
            except OSError:
                self._close()
                return self
            else:
                if _is_at(self._file, self._path):
                    self._sign()
                    return self
            self._close()
        if owner:
            hint = "wait until that has ended, or end it"
            raise UserError(f"{self._target} is in use by another process", owner, hint)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file = self._file
        if file is not None and file.writable() and _is_at(file, self._path):
            # Windows removes no open file; elsewhere nobody may take it before it is gone.
            if sys.platform == "win32":
                self._close()
            with suppress(OSError):
                self._path.unlink()
        self._close()
        for folder in self._made:
            with suppress(OSError):  # It has been filled.
                folder.rmdir()

    def _open(self) -> IO[bytes]:
        folder = self._path.parent
        self._made = self._made or [part for part in (folder, *folder.parents) if not part.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # Without a buffer, which a full disk would leave to fail once more when the file is closed.
            return self._path.open("ab+", buffering=0)
        except PermissionError:
            return self._path.open("rb", buffering=0)  # another user's

    def _sign(self) -> None:
        assert self._file is not None
        now = datetime.now().isoformat(" ", "seconds")
        text = f"{_program()}, process {os.getpid()} on {socket.gethostname()}, since {now}"
        with suppress(OSError):
            self._file.truncate(0)
            self._file.write(text.encode())

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def locked(targets: Iterable[Path]) -> Iterator[None]:
    """While entered this process alone writes `targets`; a FolderLock on one of them is then at rest."""
    taken: set[Path] = set()
    with ExitStack() as stack:
        try:
            # In one order, lest two that want the same refuse each other.
            for target in sorted(set(targets)):
                stack.enter_context(FolderLock(target))
                taken.add(_beside(target))
            _of_stage.update(taken)
            yield
        finally:
            _of_stage.difference_update(taken)


def owner_of(target: Path) -> str:
    """Which other process writes `target`: program, process, host and since when; "" where none does."""
    path = _beside(target)
    if path in _of_stage:
        return ""
    try:
        with path.open("rb", buffering=0) as file:
            try:
                _hold(file.fileno(), shared=True)
            except BlockingIOError:
                return _read_owner(file)
    except OSError:
        pass
    return ""


def was_killed(target: Path) -> bool:
    """Whether the last process of this machine that wrote `target` was killed: its lock lies there, free."""
    try:
        with _beside(target).open("rb", buffering=0) as file:
            _hold(file.fileno(), shared=True)
            return f" on {socket.gethostname()}, since " in file.read(300).decode(errors="replace")
    except OSError:
        return False


def _beside(target: Path) -> Path:
    """The lock's file: that of what a link leads to, so that two names of a folder have one."""
    real = Path(os.path.realpath(target))
    return real.with_name(f".{real.name}.lock") if real.name else real / ".lock"


def _program() -> str:
    """What runs in this process, such as stages.train."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec is not None else Path(sys.argv[0] or "python").name


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _read_owner(file: IO[bytes] | None) -> str:
    """What its owner wrote into the file, who may only just have got it."""
    assert file is not None
    for _ in range(_TRIES):
        with suppress(OSError):
            file.seek(0)
            if text := file.read(300):
                return text.decode(errors="replace")
        time.sleep(_PAUSE_S)
    return "another process"


def _hold(handle: int, *, shared: bool = False) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
    else:
        lock_file(handle, shared=shared)
