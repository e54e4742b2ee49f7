"""Files written whole or not at all, and folders of pictures listed in one order."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from faceswap.console import warn
from faceswap.errors import UserError

try:
    import fcntl
except ImportError:  # Windows keeps open files from being deleted by itself.
    fcntl = None  # type: ignore[assignment]

HEIF_SUFFIXES = (".heic", ".heif", ".hif")
# What read_image reads; photographs of telephones where the extra `heif` is installed.
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".dib", ".gif",
    ".tga", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".exr", ".hdr",
    *(HEIF_SUFFIXES if find_spec("pillow_heif") else ()),
)  # fmt: skip

# The names that atomic_path gives, and how old a file is at least before it counts as left over: its writer
# needs a moment to open it after making it, and to rename it after closing it.
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp(\.\w+)?")
_SETTLED_S = 2
_DIGITS = re.compile(r"[0-9]+")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it is synced and renamed to `path`.

    The suffix is kept last (`x.tmp.png`), because encoders choose the format by it. If the body
    raises, the temporary file is removed and an existing `path` stays as it was. Those that killed
    processes have left in the folder are removed before a process writes there for the first time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "rb") as claim:
            with suppress(OSError):  # Some network drives know no locks: nothing is removed there.
                lock_file(claim.fileno())
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            share(temporary)
        os.replace(temporary, path)
    except OSError as error:
        # A full disk is noticed where nobody knows the name any more.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of dead processes: a living one holds its own locked."""
    for path in folder.glob(".*.tmp*"):
        # What vanishes meanwhile, cannot be locked or deleted, is in use.
        with suppress(OSError):
            if _TEMPORARY.fullmatch(path.name) and path.stat().st_mtime < time.time() - _SETTLED_S:
                with path.open("rb") as file:
                    lock_file(file.fileno())
                path.unlink()


def lock_file(handle: int, *, shared: bool = False) -> None:
    """Hold an open file until it is closed or its process is gone; BlockingIOError where another holds it.

    shared: only whoever holds it alone is in the way.
    """
    if fcntl is not None:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def share(file: Path) -> None:
    """Make a file as readable as any that the user makes: mkstemp and some writers make private ones."""
    withheld = os.umask(0)
    os.umask(withheld)
    file.chmod(0o666 & ~withheld)


def replace_folder(temporary: Path, final: Path) -> None:
    """Rename a finished folder to `final`; one that is there is kept as `final`.old until that is done."""
    old = final.with_name(f"{final.name}.old")
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(final, old)
    os.replace(temporary, final)
    sync(final.parent)
    if old.exists():
        remove_folder(old)


def remove_folder(path: Path) -> None:
    """Remove a folder so that it is never seen half removed; a killed process leaves a hidden `.NAME.tmp`."""
    hidden = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(hidden, ignore_errors=True)
    os.replace(path, hidden)
    shutil.rmtree(hidden)


def sync(path: Path) -> None:
    """Force a file, or a directory's list of names, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open directories; its renames are journalled.
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON atomically."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_images(folder: Path) -> list[Path]:
    """Pictures directly in `folder` in natural order; hidden and half-written files are left out."""
    if not folder.is_dir():
        return []
    # A directory entry knows whether it is a file; asking the disk for each of 50,000 takes half a second.
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name.lower().endswith(IMAGE_SUFFIXES)
            and not entry.name.startswith(".")
            and _is_named_file(entry)
        ]
    return [folder / name for name in sorted(names, key=natural_order)]


def refuse_twins(paths: Iterable[Path], name: Callable[[Path], str] = lambda path: path.stem) -> None:
    """Raise UserError when two pictures of a folder stand for one frame, or would be written as one."""
    names: dict[str, Path] = {}
    for path in paths:
        if (other := names.setdefault(name(path), path)) != path:
            found = f"{other.name}, {path.name}"
            raise UserError(f"{path.parent} holds several frames of one name", found, "move one away")


def natural_order(name: str) -> tuple[str, str]:
    """A key that sorts names as by their characters, but numbers in them by their value: 1, 2 … 10.

    So 2 comes before 10, and what is padded with zeros to one length stays as it was; 01 comes before 1.
    """
    # The count of digits before each number makes the longer one the larger one.
    return _DIGITS.sub(_counted, name), name


def _counted(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0")
    return f"{len(digits):03d}{digits}"


def _is_named_file(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a file whose name can be written down; no link that leads back to itself."""
    try:
        entry.name.encode()
        return entry.is_file()
    except UnicodeEncodeError:
        _tell_left_out(entry.path.encode("utf-8", "backslashreplace").decode(), "its name is no Unicode")
    except OSError as error:
        _tell_left_out(entry.path, f"it cannot be read ({error.strerror})")
    return False


@cache
def _tell_left_out(path: str, reason: str) -> None:
    warn(f"{path} is left out: {reason}")


def free_folder(base: Path) -> Path:
    """The next numbered folder in `base` that does not exist yet, for what makes way; nothing is created."""
    number = 1
    while (base / f"{number:03d}").exists():
        number += 1
    return base / f"{number:03d}"


def list_names(folder: Path, suffix: str) -> list[str]:
    """Stems of the files in `folder` that end in `suffix`, in the order of their numbers."""
    stems = (path.stem for path in folder.glob(f"*{suffix}")) if folder.is_dir() else ()
    return sorted(stems, key=natural_order)


def require_free_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise UserError when `needed_bytes` (plus 5 %) would not fit on the disk of `folder`."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if needed_bytes * 1.05 > free:
        raise UserError(
            f"{what} needs about {gib(needed_bytes)}, which does not fit on the disk of {folder}",
            f"found {gib(free)} free",
            "free some space, choose another --workspace, or write smaller files (--format jpg)",
        )


def gib(count: float) -> str:
    """Bytes as a short text in MiB or GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
