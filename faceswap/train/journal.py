"""What happened to a run, in sentences: on the screen, and with the time in its log.txt."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from faceswap.console import say, warn

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
