"""Masks that were computed for a faceset, kept beside it, and which mask of a face counts.

FOLDER/masks/STEM.png is the mask of the crop STEM.jpg: 8-bit grey, STORED_PX², soft, lossless, with JSON in
it (as `carrier` writes it) that says by which model and from what it was made: the crop's picture and
geometry. So a mask lands where it belongs when the crop is cut anew, and drawing on a face or copying the
set leaves it current. What smoothing along time changed is kept as the model gave it in
FOLDER/masks/unsmoothed/.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from faceswap.errors import UserError
from faceswap.faceset import carrier
from faceswap.faceset.metadata import SIZES_PX, FaceMeta, MetadataError, read_transform, read_whole
from faceswap.faceset.polygons import has_area, rasterise, read_polygons
from faceswap.faceset.store import Face
from faceswap.geometry.geometry import (
    apply_transform,
    compose_transforms,
    invert_transform,
    resize_transform,
)
from faceswap.geometry.landmarks import hull_mask
from faceswap.io.files import atomic_path, write_bytes
from faceswap.io.images import DamagedImage, encode_mask
from faceswap.io.images import read_mask as read_grey
from faceswap.types import Json, Mask, Transform

STORED_PX = 256
FOLDER = "masks"
_SCHEMA = 1
# Farther apart than this, in mask pixels, two crops of a face are not the same.
_SAME_PX = 0.01

MaskOrigin = Literal["polygons", "stored", "hull"]


def masks_of(folder: Path) -> Path:
    """What the lock of a set's masks lies beside: not in the set, which may be moved away whole."""
    real = Path(os.path.realpath(folder))
    return real.with_name(f"masks of {real.name}")


def mask_path(crop: Path) -> Path:
    """Where the mask of a crop is stored."""
    return crop.parent / FOLDER / f"{crop.stem}.png"


def unsmoothed_path(crop: Path) -> Path:
    """Where the mask of a crop is kept as the model gave it, once the stored one is smoothed."""
    return crop.parent / FOLDER / "unsmoothed" / f"{crop.stem}.png"


def write_mask(face: Face, mask: Mask, model: str) -> None:
    """Store a mask (STORED_PX, STORED_PX) of the crop's square, as `model` gave it; the crop must exist."""
    _write(mask_path(face.path), mask, _description(face, model))
    unsmoothed_path(face.path).unlink(missing_ok=True)


def write_smoothed(face: Face, mask: Mask) -> None:
    """Store `mask` in place of the stored one, which is kept as unsmoothed."""
    path, kept = mask_path(face.path), unsmoothed_path(face.path)
    info = mask_info(path) or {}
    if not info.get("smoothed"):
        with atomic_path(kept) as temporary:
            shutil.copyfile(path, temporary)
    _write(path, mask, info | {"smoothed": True} | _geometry(face.meta))


def read_mask(face: Face) -> Mask | None:
    """The stored mask of a face in the square of its crop, STORED_PX²; None where there is none.

    Also None for a mask of another frame's face. Raises UserError where the file is damaged.
    """
    return _read(mask_path(face.path), face.meta, STORED_PX)


def read_unsmoothed(face: Face) -> Mask | None:
    """Like `read_mask`, as the model gave it; None, too, where only a smoothed one is left."""
    info = mask_info(mask_path(face.path)) or {}
    path = unsmoothed_path(face.path) if info.get("smoothed") else mask_path(face.path)
    return _read(path, face.meta, STORED_PX)


def is_current(face: Face, model: str) -> bool:
    """Whether an intact mask is stored that `model` made from the crop's picture and landmarks as they are.

    One that carries no description was painted or saved by another program: if square, it counts as current.
    """
    path = mask_path(face.path)
    info = mask_info(path)
    # What costs no reading of pixels comes first: most masks that are not current are of another model.
    if info is not None:
        lost = info.get("smoothed") and not unsmoothed_path(face.path).is_file()
        if lost or info.get("model") != model:
            return False
    try:
        height, width = read_grey(path).shape
        if info is None:
            return bool(height == width)
        wanted = _description(face, model)
    except (OSError, ValueError, DamagedImage):  # No mask, or the crop is gone or no picture any more.
        return False
    return all(info.get(key) == wanted[key] for key in wanted)


def mask_info(path: Path) -> Json | None:
    """What a stored mask says of itself; None where it says nothing or is not there."""
    try:
        return carrier.extract(path)
    except FileNotFoundError:
        return None


def known_mask(crop: Path, meta: FaceMeta, size_px: int) -> tuple[Mask, MaskOrigin]:
    """The mask of a face in its crop's square, size_px²: its polygons, else the stored one, else the hull.

    Raises UserError where the polygons or the stored mask are damaged.
    """
    try:
        polygons = read_polygons(meta)
    except MetadataError as error:
        hint = "draw it again, or remove it: stages.mask_remove --polygons"
        raise UserError(f"{crop} has a drawn mask that cannot be read", str(error), hint) from None
    if has_area(polygons):
        to_size = resize_transform(meta.size_px, size_px)
        return rasterise(polygons, size_px, size_px, to_size), "polygons"
    stored = _read(mask_path(crop), meta, size_px)
    if stored is not None:
        return stored, "stored"
    return hull_mask(meta.resized(size_px).crop_landmarks(), size_px, size_px), "hull"


def count_known(faces: Iterable[Face]) -> Counter[MaskOrigin]:
    """How many faces have their mask from where, without reading pixels."""
    return Counter(mask_origin(face) for face in faces)


def mask_mark(face: Face) -> str:
    """Changes when the drawn or stored mask of a face does."""
    path = mask_path(face.path)
    stored = path.read_bytes() if mask_origin(face) == "stored" else b""
    return hashlib.sha256(json.dumps(face.meta.polygons).encode() + stored).hexdigest()[:16]


def mask_origin(face: Face) -> MaskOrigin:
    """Where `known_mask` takes the mask of a face from, without reading pixels."""
    try:
        if has_area(read_polygons(face.meta)):
            return "polygons"
    except MetadataError:
        pass
    return "stored" if mask_path(face.path).is_file() else "hull"


def counted(masks: Mapping[MaskOrigin, int]) -> str:
    """How many faces have their mask from where, in words."""
    words: dict[MaskOrigin, str] = {"polygons": "drawn", "stored": "stored", "hull": "from the hull"}
    named = [f"{masks[origin]} {word}" for origin, word in words.items() if masks.get(origin)]
    return f"masks: {', '.join(named) or 'none'}"


def _write(path: Path, mask: Mask, description: Json) -> None:
    if mask.shape != (STORED_PX, STORED_PX):
        raise ValueError(f"a stored mask is {STORED_PX}², not {mask.shape}")
    write_bytes(path, carrier.embed(encode_mask(mask), description))


def _description(face: Face, model: str) -> Json:
    # What is known of a face travels in its file and is no part of its picture.
    picture = carrier.embed(face.path.read_bytes(), {})
    landmarks = np.ascontiguousarray(face.meta.landmarks, np.float32).tobytes()
    made_from = hashlib.sha256(picture + landmarks).hexdigest()
    return {"schema": _SCHEMA, "model": model, "made_from": made_from} | _geometry(face.meta)


def _geometry(meta: FaceMeta) -> Json:
    return {
        "source": meta.source,
        "face_type": str(meta.face_type),
        "size_px": meta.size_px,
        "frame_to_face": meta.frame_to_face.tolist(),
    }


def _read(path: Path, meta: FaceMeta, size_px: int) -> Mask | None:
    try:
        mask = read_grey(path)
    except FileNotFoundError:
        return None
    except DamagedImage as damage:
        raise UserError(
            f"the mask {path} is damaged", damage.reason, "make it anew with stages.mask_apply, or delete it"
        ) from None
    side = mask.shape[0]
    if mask.shape[1] != side:
        raise UserError(f"the mask {path} is {mask.shape[1]}×{side} pixels, not square", "", "delete it")
    info = mask_info(path)
    if info is not None and info.get("source") != meta.source:
        return None
    plain = resize_transform(side, size_px)
    to_crop = plain if info is None else _to_crop(path, info, meta, side, size_px)
    corners = np.array([(0, 0), (side, 0), (0, side)], np.float64)
    if np.abs(apply_transform(to_crop, corners) - apply_transform(plain, corners)).max() > _SAME_PX:
        moved = cv2.warpAffine(mask, to_crop, (size_px, size_px), flags=cv2.INTER_LINEAR)
        return np.asarray(moved, np.float32)
    if side == size_px:
        return mask
    how = cv2.INTER_AREA if size_px < side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (size_px, size_px), interpolation=how), np.float32)


def _to_crop(path: Path, info: Json, meta: FaceMeta, side: int, size_px: int) -> Transform:
    """From the pixels of a mask of `side`² to those of the crop's square at `size_px`."""
    try:
        frame_to_face = read_transform(info["frame_to_face"])
        to_mask = resize_transform(read_whole(info["size_px"], *SIZES_PX), side)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"the mask {path} is damaged", str(error)[:200], "delete it") from None
    mask_to_frame = invert_transform(compose_transforms(to_mask, frame_to_face))
    return compose_transforms(meta.resized(size_px).frame_to_face, mask_to_frame)
