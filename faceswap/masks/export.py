"""Masks of a faceset as pictures, for other programs, and its labelled faces in a folder of their own."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from faceswap.console import progress_bar
from faceswap.errors import UserError
from faceswap.faceset.store import Face, Faceset
from faceswap.faceset.stored_masks import known_mask, mask_origin, mask_path
from faceswap.geometry.geometry import invert_transform
from faceswap.geometry.warp import covered, paste_mask
from faceswap.io.files import atomic_path
from faceswap.io.flow import ordered_map
from faceswap.io.images import read_image, write_mask
from faceswap.types import Mask


class Exported(NamedTuple):
    """written: pictures; failed: name -> why there is none."""

    written: int
    failed: dict[str, str]


def export_crops(faceset: Faceset, target: Path, workers: int) -> Exported:
    """TARGET/STEM.png for every face: its mask (drawn, else stored, else hull) at the size of its crop."""

    def write(face: Face) -> tuple[str, str]:
        try:
            mask, _ = known_mask(face.path, face.meta, face.meta.size_px)
        except UserError as error:
            return face.path.name, str(error).replace("\n ", ";")
        write_mask(target / f"{face.path.stem}.png", mask)
        return face.path.name, ""

    return _run(ordered_map(write, faceset.faces, workers), len(faceset.faces), "faces")


def export_frames(faceset: Faceset, frames: Sequence[Path], target: Path, workers: int) -> Exported:
    """TARGET/STEM.png for every frame: the masks of all its faces, in its pixels; black without a face."""
    by_frame = faceset.by_frame()

    def write(path: Path) -> tuple[str, str]:
        try:
            height, width = read_image(path).shape[:2]
            mask = frame_mask(by_frame.get(path.stem, []), height, width)
        except UserError as error:
            return path.name, str(error).replace("\n ", ";")
        write_mask(target / f"{path.stem}.png", mask)
        return path.name, ""

    return _run(ordered_map(write, frames, workers), len(frames), "frames")


def frame_mask(faces: Iterable[Face], height: int, width: int) -> Mask:
    """The masks of faces of one frame in its pixels, (height, width); the larger where they overlap."""
    whole = np.zeros((height, width), np.float32)
    for face in faces:
        mask, _ = known_mask(face.path, face.meta, face.meta.size_px)
        face_to_frame = invert_transform(face.meta.frame_to_face)
        place = covered(mask, face_to_frame, height, width)
        if place.width and place.height:
            part = whole[place.slices]
            np.maximum(part, paste_mask(mask, face_to_frame, place), out=part)
    return whole


def fetch(faceset: Faceset, target: Path, *, move: bool) -> int:
    """Copy (or move) the faces that have a drawn mask to `target`, with their stored masks; returns how many.

    Raises UserError where a file of that name is there already.
    """
    drawn = [face for face in faceset.faces if mask_origin(face) == "polygons"]
    pairs = [(face.path, target / face.path.name) for face in drawn]
    pairs += [(mask_path(old), mask_path(new)) for old, new in pairs if mask_path(old).is_file()]
    taken = [new for _, new in pairs if new.exists()]
    if taken:
        hint = "move it away, or name another --output"
        raise UserError(f"{target} holds {len(taken)} of these files already, as {taken[0].name}", "", hint)
    with progress_bar("fetch", "files", len(pairs)) as bar:
        for old, new in pairs:
            with atomic_path(new) as temporary:
                shutil.copy2(old, temporary)
            bar.update()
    # Nothing leaves the set before everything has arrived.
    for old, _ in pairs if move else []:
        old.unlink()
    return len(drawn)


def _run(results: Iterable[tuple[str, str]], total: int, unit: str) -> Exported:
    # Every worker is a thread of its own; OpenCV's threads on top would only fight for the cores.
    cv2.setNumThreads(1)
    failed: dict[str, str] = {}
    with progress_bar("export", unit, total) as bar:
        for name, reason in results:
            if reason:
                failed[name] = reason
            bar.update()
    return Exported(total - len(failed), failed)
