"""Clients and their files: heads of requests have a time, clients a number, uploads a folder.

uvicorn has neither: whoever opens its `limit_concurrency` of connections and is silent keeps everybody out
for as long as they like.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from faceswap.io.files import lock_file


@dataclass(frozen=True)
class ConnectionLimits:
    """head_s: seconds in which the head of a request must arrive, from the connection or its first byte on.
    take_s: seconds that answers may wait in full buffers for a client that does not read.

    per_client, in_all: open connections of one address, and of all. Where there are more, the oldest one that
    asks for nothing at the moment makes room; where all of them are being answered, the new one is refused.
    """

    head_s: float = 10.0
    take_s: float = 10.0
    per_client: int = 16
    in_all: int = 48


def limited(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """The protocol for `uvicorn.Config(http=…)` that keeps these limits."""
    return type("LimitedProtocol", (_LimitedProtocol,), {"limits": limits})


class _LimitedProtocol(H11Protocol):
    limits = ConnectionLimits()
    opened_s = 0.0
    _head_timer: asyncio.TimerHandle | None = None
    _take_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self.opened_s = self.loop.time()
        self._await_head()
        mine = [other for other in self._others() if other._address == self._address]
        for others, most in ((mine, self.limits.per_client), (self._others(), self.limits.in_all)):
            if len(others) >= most and not _make_room(others):
                self._refuse(b"503 Service Unavailable")
                return

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        # Closing would wait for the client to read what is left.
        self._take_timer = self.loop.call_later(self.limits.take_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_arrived()
        elif self.conn.trailing_data[0]:
            self._await_head()

    @property
    def is_asking(self) -> bool:
        """Whether a request has come whole, but for its body, and is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _others(self) -> "list[_LimitedProtocol]":
        return [other for other in cast("set[_LimitedProtocol]", self.connections) if other is not self]

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_s, self._too_slow)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _taken(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

    def _too_slow(self) -> None:
        if not self.is_asking:
            self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        head = b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head)
        self._forget()

    def _forget(self) -> None:
        """Close, and count no more: the loop tells of a loss only later."""
        self.connections.discard(cast(Any, self))
        self._head_arrived()
        self.transport.close()


def _make_room(others: list[_LimitedProtocol]) -> bool:
    idle = [other for other in others if not other.is_asking]
    if idle:
        min(idle, key=lambda other: other.opened_s)._forget()
    return bool(idle)


_PREFIX = "faceswap-serve-"
_LOCK = "lock"
# A folder has no lock yet for a moment after it is made.
_SETTLED_S = 60


@contextmanager
def upload_folder() -> Iterator[Path]:
    """A private folder until the block ends; those of services that were killed are removed first."""
    _remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / _LOCK).open("wb") as claim:
            with suppress(OSError):
                lock_file(claim.fileno())
            yield folder


def _remove_leftovers(place: Path) -> None:
    """Remove the folders in `place` whose services are gone: a living one holds its own locked."""
    for folder in place.glob(f"{_PREFIX}*"):
        # What is somebody else's, vanishes meanwhile or is locked stays.
        with suppress(OSError):
            status = folder.lstat()
            if folder.is_symlink() or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
                continue
            if (folder / _LOCK).is_file():
                with (folder / _LOCK).open("rb") as claim:
                    lock_file(claim.fileno())
            elif status.st_mtime > time.time() - _SETTLED_S:
                continue
            shutil.rmtree(folder)
