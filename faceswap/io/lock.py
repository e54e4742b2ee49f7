"""One process at a time in a folder."""

import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from faceswap.errors import UserError
from faceswap.io.files import lock_file

if sys.platform == "win32":
    import msvcrt

_NAME = ".lock"
# Windows lets nobody read a byte that is locked: one past the end leaves others what the file says.
_LOCKED_BYTE = 2**30


class FolderLock:
    """While entered, no other process enters `folder`; the system frees it however its owner ends.

    Raises UserError with `refusal`, the sentence and the hint, where another has it, and says which one. On
    a disk that knows no locks or cannot be written nobody is locked out.
    """

    def __init__(self, folder: Path, refusal: tuple[str, str]) -> None:
        self._path, self._refusal = folder / _NAME, refusal
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer, which a full disk would leave to fail once more when the file is closed.
            self._file = self._path.open("ab+", buffering=0)
            _hold(self._file.fileno())
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        except BlockingIOError:
            owner = self._owner()
            self.__exit__(None, None, None)
            raise UserError(self._refusal[0], owner, self._refusal[1]) from None
        except OSError:
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _owner(self) -> str:
        assert self._file is not None
        self._file.seek(0)
        return self._file.read(200).decode(errors="replace")


def _hold(handle: int) -> None:
    if sys.platform == "win32":
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
    else:
        lock_file(handle)


def model_lock(folder: Path) -> FolderLock:
    """While entered no other process trains the model in `folder` or takes it away."""
    return FolderLock(
        folder, (f"the model {folder.name} is being trained by another process", "stop that one first")
    )
