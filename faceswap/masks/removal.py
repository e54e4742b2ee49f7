"""Masks taken away from a faceset, into a trash folder from which they can be put back."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from faceswap.console import progress
from faceswap.errors import UserError
from faceswap.faceset.store import Face, Faceset, read_meta, rewrite_meta
from faceswap.faceset.stored_masks import FOLDER, mask_path, unsmoothed_path
from faceswap.io.documents import read_as
from faceswap.io.files import free_folder, write_json
from faceswap.types import Json

# Drawn masks in a trash folder: crop name -> polygons.
_POLYGONS = "polygons.json"


def remove_stored(faceset: Faceset) -> tuple[int, Path | None]:
    """Move all stored masks to a new trash folder; returns their number and the folder, None without any."""
    masks = faceset.folder / FOLDER
    count = sum(mask_path(face.path).is_file() for face in faceset.faces)
    if not masks.is_dir():
        return 0, None
    trash = _new_trash(faceset)
    os.replace(masks, trash / FOLDER)
    return count, trash


def remove_polygons(faceset: Faceset) -> tuple[int, Path | None]:
    """Take the polygons out of all faces; returns the number of faces and the folder that has them now.

    They are in the trash before the first face is written, so that stopping loses nothing.
    """
    drawn = [face for face in faceset.faces if face.meta.polygons]
    if not drawn:
        return 0, None
    trash = _new_trash(faceset)
    write_json(trash / _POLYGONS, {face.path.name: face.meta.polygons for face in drawn})
    for face in progress(drawn, "remove", "faces"):
        _redraw(face, ())
    _refresh(faceset)
    return len(drawn), trash


def restore(faceset: Faceset) -> tuple[int, int]:
    """Put back what was removed last; returns the numbers of stored and of drawn masks.

    Masks that are there by now stay. Raises UserError where nothing was removed.
    """
    trash = _last_trash(faceset)
    polygons: dict[str, list[Json]] = {}
    if (trash / _POLYGONS).is_file():
        polygons = read_as(trash / _POLYGONS, dict[str, list[Json]])
    stored = _restore_stored(faceset.faces, trash / FOLDER)
    drawn = _restore_polygons(faceset.faces, polygons)
    _refresh(faceset)
    if drawn == len(polygons) and not any(trash.rglob("*.png")):
        shutil.rmtree(trash)
    return stored, drawn


def _restore_stored(faces: Iterable[Face], trashed: Path) -> int:
    count = 0
    for face in faces:
        for to in (unsmoothed_path(face.path), mask_path(face.path)):
            path = trashed / to.relative_to(face.path.parent / FOLDER)
            if path.is_file() and not mask_path(face.path).exists():
                to.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, to)
                count += to == mask_path(face.path)
    return count


def _restore_polygons(faces: Iterable[Face], polygons: dict[str, list[Json]]) -> int:
    empty = [face for face in faces if face.path.name in polygons and not face.meta.polygons]
    for face in empty:
        _redraw(face, tuple(polygons[face.path.name]))
    return len(empty)


def _redraw(face: Face, polygons: tuple[Json, ...]) -> None:
    # Read anew: another program may have written the face since the set was opened.
    rewrite_meta(face.path, replace(read_meta(face.path), polygons=polygons))


def _refresh(faceset: Faceset) -> None:
    """Bring the index up to date, from which metadata stripped by other programs would be restored."""
    Faceset.open(faceset.folder)


def _base(faceset: Faceset) -> Path:
    return faceset.folder.with_name(f"{faceset.folder.name}_masks_trash")


def _new_trash(faceset: Faceset) -> Path:
    trash = free_folder(_base(faceset))
    trash.mkdir(parents=True)
    return trash


def has_removed(faceset: Faceset) -> bool:
    """Whether masks of it were removed that can be put back."""
    base = _base(faceset)
    return base.is_dir() and any(path.is_dir() for path in base.iterdir())


def _last_trash(faceset: Faceset) -> Path:
    base = _base(faceset)
    folders = sorted(path for path in base.iterdir() if path.is_dir()) if base.is_dir() else []
    if not folders:
        raise UserError(f"no masks of {faceset.folder} were removed", f"there is nothing in {base}")
    return folders[-1]
