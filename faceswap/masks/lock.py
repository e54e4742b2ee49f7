"""One mask editor on a set at a time."""

import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from faceswap.errors import UserError

_NAME = ".mask_edit.lock"


class EditLock:
    """While entered, nobody else edits the masks of a folder.

    held: False where the disk cannot be written, which locks nobody out. Raises UserError where another
    editor is at work; what one that was killed has left behind is taken over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self.held = False

    def __enter__(self) -> Self:
        try:
            try:
                self._create()
            except FileExistsError:
                self._refuse_if_alive()
                self._path.unlink()
                self._create()
        except OSError:
            return self
        self.held = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.held:
            self._path.unlink(missing_ok=True)

    def _create(self) -> None:
        handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        with os.fdopen(handle, "w") as file:
            json.dump({"host": socket.gethostname(), "pid": os.getpid(), "began": _began(os.getpid())}, file)

    def _refuse_if_alive(self) -> None:
        try:
            owner = json.loads(self._path.read_text())
            host, pid, began = str(owner["host"]), int(owner["pid"]), owner["began"]
        except (ValueError, KeyError, TypeError):
            return
        if host == socket.gethostname() and _began(pid) != began:
            return
        raise UserError(
            f"another mask editor has {self._path.parent} open",
            f"process {pid} on {host}",
            f"close it; if it is not running any more, delete {self._path}",
        )


def _began(pid: int) -> float | None:
    """When a process began, which tells it from a later one of the same number; None for none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
