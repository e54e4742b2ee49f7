"""The index beside a faceset: a cache of metadata and the copy that restores what was stripped."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from faceswap.console import warn
from faceswap.faceset import carrier
from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.io.files import write_bytes
from faceswap.types import Json

INDEX_NAME = "faces.index.jsonl"


class Index:
    """Metadata by file; use as a context manager, which writes the index back when it changed.

    An entry holds while the file's size and time are those it was made with. Entries of files that
    are gone are kept: a file may come back from a trash folder or from another program.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_NAME
        self._entries = _read(self._path)
        self._changed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._changed or kind is not None:
            return
        lines = [json.dumps(entry, ensure_ascii=False) for entry in self._entries.values()]
        try:
            write_bytes(self._path, ("\n".join(lines) + "\n").encode())
        except OSError as problem:
            warn(f"the index of {self._path.parent} was not written ({problem.strerror}); opening stays slow")

    def meta(self, path: Path) -> FaceMeta | None:
        """Metadata of a crop: from the index while the file is unchanged, else from the file.

        A file that lost its metadata gets it back from the index; None when nobody knows it.
        """
        stat = path.stat()
        entry = self._entries.get(path.name)
        if entry is not None and (entry["size"], entry["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
            return _meta(entry["meta"])
        meta = _meta(carrier.extract(path))
        if meta is None and entry is not None:
            meta = self._restore(path, entry["meta"])
        if meta is not None:
            stat = path.stat()
            self._entries[path.name] = {
                "name": path.name,
                "size": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
                "meta": meta.to_json(),
            }
            self._changed = True
        return meta

    @staticmethod
    def _restore(path: Path, known: Json) -> FaceMeta | None:
        from PIL import Image, UnidentifiedImageError

        meta = _meta(known)
        if meta is None:
            return None
        try:
            with Image.open(path) as image:
                size = image.size
        except (OSError, UnidentifiedImageError):
            return None
        if size[0] != size[1]:
            warn(f"{path} lost its face metadata and is no longer square; it is left out")
            return None
        if size[0] != meta.size_px:
            meta = meta.resized(size[0])
        try:
            write_bytes(path, carrier.embed(path.read_bytes(), meta.to_json()))
        except (OSError, ValueError):
            warn(f"{path} lost its face metadata; the index has it, but the file cannot be written")
        else:
            warn(f"{path} lost its face metadata (saved by another program?); restored from the index")
        return meta


def _meta(value: Any) -> FaceMeta | None:
    try:
        return FaceMeta.from_json(value)
    except MetadataError:
        return None


def _read(path: Path) -> dict[str, Json]:
    """Entries by file name; lines that are cut or damaged are skipped: the files know better."""
    entries: dict[str, Json] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return entries
    for line in lines:
        try:
            entry = json.loads(line)
            entries[entry["name"]] = {key: entry[key] for key in ("name", "size", "mtime_ns", "meta")}
        except (ValueError, KeyError, TypeError):
            continue
    return entries
