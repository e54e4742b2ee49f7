"""One process at a time in a folder."""

from pathlib import Path
from types import TracebackType
from typing import IO, Self

from faceswap.errors import UserError
from faceswap.io.files import lock_file

_NAME = ".lock"


class FolderLock:
    """While entered, no other process enters `folder`; the system frees it however its owner ends.

    Raises UserError with `refusal`, the sentence and the hint, where another has it. On a disk that knows no
    locks or cannot be written nobody is locked out.
    """

    def __init__(self, folder: Path, refusal: tuple[str, str]) -> None:
        self._path, self._refusal = folder / _NAME, refusal
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            lock_file(self._file.fileno())
        except BlockingIOError:
            self.__exit__(None, None, None)
            raise UserError(self._refusal[0], "", self._refusal[1]) from None
        except OSError:
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def model_lock(folder: Path) -> FolderLock:
    """While entered no other process trains the model in `folder` or takes it away."""
    return FolderLock(
        folder, (f"the model {folder.name} is being trained by another process", "stop that one first")
    )
