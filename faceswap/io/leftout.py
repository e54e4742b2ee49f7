"""The files in a folder of pictures that are none, named with their count, so that nobody misses them."""

import os
from collections import Counter
from functools import lru_cache
from pathlib import Path

from faceswap.console import say
from faceswap.io.files import HEIF_SUFFIXES, IMAGE_SUFFIXES
from faceswap.io.photos import HEIF_HINT

# What stages and systems put beside pictures.
_OURS = (".json", ".jsonl", ".ini", ".db")
_NAMED = 8


def left_out(folder: Path, read: tuple[str, ...] = ()) -> str:
    """What lies in `folder` and is not read as a picture, as "3 .heic, 2 .txt"; "" where there is nothing.

    Hidden files, sub-folders and what stages keep there are not counted, nor files of the suffixes `read`.
    """
    if not folder.is_dir():
        return ""
    with os.scandir(folder) as entries:
        suffixes = Counter(
            os.path.splitext(entry.name)[1].lower() or "without a suffix"  # noqa: PTH122 - of 50,000 names
            for entry in entries
            if not entry.name.lower().endswith((*IMAGE_SUFFIXES, *_OURS, *read))
            and not entry.name.startswith(".")
            and entry.is_file()
        )
    ranked = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count} {suffix}" + _hint(suffix) for suffix, count in ranked[:_NAMED]]
    more = sum(count for _, count in ranked[_NAMED:])
    return ", ".join(named + [f"{more} others"] * (more > 0))


def _hint(suffix: str) -> str:
    return f" ({HEIF_HINT})" if suffix in HEIF_SUFFIXES else ""


@lru_cache(maxsize=100)
def say_left_out(folder: Path, read: tuple[str, ...] = ()) -> None:
    """Say once in a stage what in `folder` is not read; see `left_out`."""
    if found := left_out(folder, read):
        say(f"left out in {folder}: {found}")
