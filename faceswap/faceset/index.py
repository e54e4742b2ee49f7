"""The index beside a faceset: a cache of metadata and the copy that restores what was stripped."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from faceswap.console import warn
from faceswap.errors import is_general
from faceswap.faceset import carrier
from faceswap.faceset.metadata import SIZES_PX, FaceMeta, MetadataError
from faceswap.io.files import write_bytes

INDEX_NAME = "faces.index.jsonl"


@dataclass(frozen=True)
class _Entry:
    """What was known of a file when it had this size and time."""

    size: int
    mtime_ns: int
    meta: FaceMeta

    def line(self, name: str) -> str:
        known = {"name": name, "size": self.size, "mtime_ns": self.mtime_ns, "meta": self.meta.to_json()}
        return json.dumps(known, ensure_ascii=False) + "\n"


class Index:
    """Metadata by file; a context manager that appends what is new. Later lines outrank earlier ones.

    An entry holds while the file's size and time are those it was made with. Entries of files that
    are gone are kept: a file may come back from a trash folder or from another program.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_NAME
        self._entries = _read(self._path)
        self._new: dict[str, _Entry] = {}
        # Crops whose metadata cannot be read, and why.
        self.faults: dict[Path, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._new or kind is not None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                # An earlier line may be torn; a line break keeps it from swallowing the next.
                file.write("\n" if file.tell() else "")
                file.writelines(entry.line(name) for name, entry in self._new.items())
        except OSError as problem:
            warn(f"the index of {self._path.parent} was not written ({problem.strerror}); opening stays slow")

    def meta(self, path: Path) -> FaceMeta | None:
        """Metadata of a crop: from the index while the file is unchanged, else from the file.

        A file that lost its metadata gets it back from the index; None when nobody knows it, and `faults`
        says why where it has metadata that cannot be read.
        """
        try:
            return self._known(path)
        except OSError as error:
            # Taken away while the set is opened, or not to be read by this user.
            if is_general(error):
                raise
            self.faults[path] = f"it cannot be read ({error.strerror})"
            return None

    def _known(self, path: Path) -> FaceMeta | None:
        stat = path.stat()
        entry = self._entries.get(path.name)
        if entry is not None and (entry.size, entry.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return entry.meta
        head = carrier.read_head(path)
        meta = self._read(path, head)
        if meta is None and entry is not None:
            meta = _restore(path, head.size, entry.meta)
        if meta is not None:
            stat = path.stat()
            self._new[path.name] = _Entry(stat.st_size, stat.st_mtime_ns, meta)
        return meta

    def _read(self, path: Path, head: carrier.Carried) -> FaceMeta | None:
        try:
            if head.fault:
                raise MetadataError(f"damaged face metadata: {head.fault}")
            return None if head.meta is None else fitted(FaceMeta.from_json(head.meta), head.size)
        except MetadataError as error:
            self.faults[path] = str(error)
            return None


def _restore(path: Path, size: tuple[int, int] | None, meta: FaceMeta) -> FaceMeta | None:
    """Put `meta` back into a file that lost it, fitted to its size; None when it no longer fits."""
    try:
        meta = fitted(meta, size)
    except MetadataError as error:
        warn(f"{path} lost its face metadata and {error}; it is left out")
        return None
    try:
        write_bytes(path, carrier.embed(path.read_bytes(), meta.to_json()))
    except (OSError, ValueError):
        warn(f"{path} lost its face metadata; the index has it, but the file cannot be written")
    else:
        warn(f"{path} lost its face metadata (saved by another program?); restored from the index")
    return meta


def fitted(meta: FaceMeta, size: tuple[int, int] | None) -> FaceMeta:
    """`meta` for a crop that may have been resized since, to `size` px; MetadataError where it is no crop."""
    if size is None:
        raise MetadataError("is no picture that is read")
    width, height = size
    if width != height or not SIZES_PX[0] <= width <= SIZES_PX[1]:
        raise MetadataError(f"is {width}×{height} px, not square")
    return meta if width == meta.size_px else meta.resized(width)


def _read(path: Path) -> dict[str, _Entry]:
    """Entries by file name; lines that are cut or damaged are skipped: the files know better."""
    entries: dict[str, _Entry] = {}
    if not path.is_file():
        return entries
    with path.open("rb") as file:
        for line in file:
            try:
                known = orjson.loads(line)
                meta = FaceMeta.from_json(known["meta"])
                entries[known["name"]] = _Entry(known["size"], known["mtime_ns"], meta)
            except (ValueError, KeyError, TypeError, RecursionError, MetadataError):
                continue
    return entries
