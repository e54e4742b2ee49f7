"""What a person sees while a stage works: progress with rate and time left, and short lines."""

import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

from faceswap.streams import best_effort

T = TypeVar("T")
_silent = False


def silence() -> None:
    """Print nothing any more but a stage's last error: another process speaks for this one."""
    global _silent
    _silent = True


def say(text: str = "") -> None:
    """Print one line without breaking a progress bar that is being drawn."""
    if not _silent:
        screen = best_effort(sys.stdout)
        tqdm.write(text, file=screen)
        screen.flush()


def is_heard() -> bool:
    """Whether what is said still arrives, so that work of which nothing else remains may end."""
    return not best_effort(sys.stdout).is_broken


def warn(text: str) -> None:
    """Print one warning line to standard error without breaking a progress bar."""
    if not _silent:
        tqdm.write(f"warning: {text}", file=best_effort(sys.stderr))


def command(*words: object) -> str:
    """What a person types to run `words` after `python -m`, quoted for this system's shell."""
    line = ["python", "-m", *map(str, words)]
    return subprocess.list2cmdline(line) if sys.platform == "win32" else shlex.join(line)


def progress(
    items: Iterable[T], label: str, unit: str, total: int | None = None, after_s: float = 0
) -> Iterator[T]:
    """Yield `items` while showing count, rate in `unit`/s and time left on standard error.

    after_s: what usually takes less shows nothing.
    """
    yield from _bar(items, label, unit, total, after_s=after_s)


@contextmanager
def progress_bar(label: str, unit: str, total: int | None = None, initial: int = 0) -> Iterator[Any]:
    """A progress bar moved by hand with `.update(n)` and annotated with `.set_postfix_str(text)`."""
    bar = _bar(None, label, unit, total, initial)
    try:
        yield bar
    finally:
        bar.close()


def _bar(
    items: Iterable[T] | None, label: str, unit: str, total: int | None, initial: int = 0, after_s: float = 0
) -> Any:
    # Into a file or pipe, one line every ten seconds instead of a redrawn bar keeps logs readable.
    screen = best_effort(sys.stderr)
    interval = 0.2 if screen.isatty() else 10.0
    return tqdm(
        items, desc=label, unit=f" {unit}", total=total, initial=initial, mininterval=interval,
        dynamic_ncols=True, delay=after_s, file=screen, disable=_silent,
    )  # fmt: skip
