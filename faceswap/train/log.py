"""What happened to a run: sentences in log.txt, and the losses of every iteration."""

import json
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from io import FileIO
from math import isfinite, nan
from pathlib import Path
from types import TracebackType
from typing import Self

from faceswap.console import say, warn
from faceswap.io.documents import parse
from faceswap.io.files import write_bytes

# How the last sentence of a training begins, however it ended.
ENDED = "ended at iteration"


class Journal:
    """Writes down, then says; a full disk only costs the line."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log.txt"

    def say(self, text: str) -> None:
        self._write(text)
        say(text)

    def warn(self, text: str) -> None:
        self._write(f"warning: {text}")
        warn(text)

    def _write(self, text: str) -> None:
        stamp = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{stamp}  {text}\n")


class History:
    """Losses and times by iteration, in memory and as lines of `history.jsonl`; a context manager.

    Lines are written as they come, so that they can be followed while training runs; what a full disk
    refuses waits in memory. After a kill the file is ahead of the checkpoint; opening it at the checkpoint's
    iteration drops what was lost.
    """

    _file: FileIO
    _waiting: bytes

    def __init__(self, path: Path, iteration: int) -> None:
        """Read what `path` holds up to `iteration` and drop the rest from memory and file."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open(iteration)

    def append(
        self,
        iteration: int,
        src: float,
        dst: float,
        milliseconds: float,
        extra: Mapping[str, float] | None = None,
    ) -> None:
        """Add one iteration: mean losses of both sides, its duration, and further figures by name."""
        self._keep(iteration, src, dst)
        line = {"iteration": iteration, "src": src, "dst": dst, "ms": milliseconds, **(extra or {})}
        # What is no number is none in JSON either.
        rounded = {
            key: value if isinstance(value, int) else float(f"{value:.6g}") if isfinite(value) else None
            for key, value in line.items()
        }
        self._waiting += (json.dumps(rounded) + "\n").encode()
        with suppress(OSError):  # a full disk: the next line tries again
            self._waiting = self._waiting[self._file.write(self._waiting) :]

    def cut(self, iteration: int) -> None:
        """Drop what came after `iteration`, from memory and file."""
        self._file.close()
        self._open(iteration)

    def mean_since(self, iteration: int) -> tuple[float, float]:
        """Mean losses (src, dst) of the iterations after `iteration`; nan where there are none."""
        start = bisect_right(self.iterations, iteration)
        count = len(self.iterations) - start
        return (sum(self.src[start:]) / count, sum(self.dst[start:]) / count) if count else (nan, nan)

    def sums_since(self, iteration: int) -> list[float]:
        """Losses of both sides together of the iterations after `iteration`, oldest first."""
        start = bisect_right(self.iterations, iteration)
        return [src + dst for src, dst in zip(self.src[start:], self.dst[start:], strict=True)]

    def close(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.iterations)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, iteration: int) -> None:
        self.iterations, self.src, self.dst = array("q"), array("f"), array("f")
        self._waiting, self._damaged = b"", 0
        self._read(self._path, iteration)
        self._file = self._path.open("ab", buffering=0)

    def _read(self, path: Path, iteration: int) -> None:
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines if line.endswith(b"\n") and self._take(line, iteration)]
        if len(kept) < len(lines):
            write_bytes(path, b"".join(kept))
        if self._damaged:
            warn(f"{path}: {self._damaged} damaged lines are dropped; the losses around them are kept")

    def _take(self, line: bytes, iteration: int) -> bool:
        """Keep a line of a later iteration than the last, up to `iteration`; returns whether it was one."""
        try:
            entry = parse(line)
            number, src, dst = entry["iteration"], _number(entry["src"]), _number(entry["dst"])
        except (ValueError, KeyError, TypeError, OverflowError):
            self._damaged += 1
            return False
        if type(number) is not int or not 0 < number <= iteration:
            self._damaged += type(number) is not int
            return False
        if self.iterations and number <= self.iterations[-1]:
            return False
        self._keep(number, src, dst)
        return True

    def _keep(self, iteration: int, src: float, dst: float) -> None:
        self.iterations.append(iteration)
        self.src.append(src)
        self.dst.append(dst)


def _number(value: float | None) -> float:
    return nan if value is None else float(value)
