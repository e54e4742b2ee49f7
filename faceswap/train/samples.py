"""Faces ready to train on: each crop resampled once to the model's size and face type, kept as bytes on disk.

The store is one memory-mapped array beside the model, so fifty thousand faces need no more memory than a
batch, and a second start needs no decoding. It is a cache: its name says what it was made from.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.console import progress
from faceswap.errors import UserError
from faceswap.faces.geometry import apply_transform
from faceswap.faces.landmarks import eyes_mask, mouth_mask, pose_deg
from faceswap.faces.warp import resample
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import FOLDER as MASKS
from faceswap.faceset.stored_masks import MaskOrigin, known_mask
from faceswap.io.files import atomic_path, list_images, require_free_space, write_json
from faceswap.io.images import as_grey
from faceswap.types import FaceType, Frame, Mask, Points

_VERSION = 4
CHANNELS = 4  # red, green, blue, mask
EYES_MOUTH_PX = 128
_Made: TypeAlias = tuple[NDArray[np.uint8], Points, MaskOrigin]


@dataclass(frozen=True)
class SampleStore:
    """Faces of one side. pixels: (N, R, R, 4) uint8 RGB and mask, memory-mapped, read-only.

    skipped: file name -> why that crop could not be used; such crops have no row.
    masks: how many faces have their mask from where.
    rows: which of `pixels` they are, in the order of `names`; None for all in order.
    landmarks: (N, 68, 2) in sample pixels, memory-mapped; yaws: (N,) radians, > 0 turned to image left.
    """

    pixels: NDArray[np.uint8]
    names: tuple[str, ...]
    skipped: dict[str, str]
    masks: dict[MaskOrigin, int] = field(default_factory=dict)
    rows: NDArray[np.int64] | None = None
    landmarks: Points = field(default_factory=lambda: np.zeros((0, 68, 2), np.float32))
    yaws: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """(len(rows), R, R, 4) copied out of the store."""
        return self.pixels[self._stored(rows)]

    def release(self) -> None:
        """Give the memory back in which faces lie that were read; the system may still know them."""
        mapped: Any = self.pixels.base
        if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)

    def eyes_mouth(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """(len(rows), 128, 128) masks of eyes and open mouth, whatever the resolution of the faces.

        Drawn anew each time: they are that smooth and small, where a channel more would cost every face of
        every store a quarter more disk and memory traffic.
        """
        scale = EYES_MOUTH_PX / self.pixels.shape[1]
        # From pixel centre to pixel centre.
        points = (self.landmarks[self._stored(rows)] + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
        return np.stack([_eyes_and_mouth(face) for face in points])

    def yaws_rad(self) -> NDArray[np.float32]:
        """(N,) where each face looks, > 0 to image left."""
        return self.yaws if self.rows is None else self.yaws[self.rows]

    def _stored(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        wanted = np.asarray(rows, np.int64)
        return wanted if self.rows is None else self.rows[wanted]

    def subset(self, rows: NDArray[np.int64]) -> "SampleStore":
        """Some of the faces, sharing the pixels."""
        own = rows if self.rows is None else self.rows[rows]
        return replace(self, names=tuple(self.names[row] for row in rows), rows=own)

    def spread(self, count: int) -> NDArray[np.uint8]:
        """(≤ count, R, R, 4): faces spread evenly over the set, always the same ones."""
        return self.take(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64))


def cached_samples(
    faceset: Path, face_type: FaceType, resolution: int, folder: Path, label: str
) -> SampleStore | None:
    """What `open_samples` has made of the set in folder `faceset`; None where that is to be made anew.

    Only files are listed, none is opened: a hundred thousand faces take a second.
    """
    return _read_cache(_cache_path(faceset, face_type, resolution, folder, label))


def open_samples(
    faceset: Faceset, face_type: FaceType, resolution: int, folder: Path, label: str
) -> SampleStore:
    """The faces of `faceset` as `face_type` at `resolution`², from the cache in `folder` or made now.

    Larger face types are re-cropped from their landmarks. A face's mask is the one drawn for it, else the one
    stored with the set, else the hull of its landmarks. Crops that cannot be decoded are left out and
    listed in `skipped`, as are pictures without metadata. Raises UserError when the set shows less of the
    head than `face_type`, when no crop can be used, or when the cache does not fit on the disk.
    """
    check_face_type(faceset, face_type)
    path = _cache_path(faceset.folder, face_type, resolution, folder, label)
    store = _read_cache(path)
    if store is None:
        for outdated in folder.glob(f"{label}-*"):
            outdated.unlink()
        store = _make(faceset, face_type, resolution, path, label)
    if not store.names:
        name, reason = next(iter(store.skipped.items()))
        raise UserError(f"no crop in {faceset.folder} can be used", f"{name}: {reason}", "align again")
    return store


def check_face_type(faceset: Faceset, face_type: FaceType) -> None:
    """Raise UserError when the faceset's crops show less of the head than `face_type`."""
    if faceset.face_type.rank < face_type.rank:
        side = faceset.faces[0].meta.side
        raise UserError(
            f"{faceset.folder} holds {faceset.face_type} faces, but the model needs {face_type} faces",
            "a crop can be cut down to a smaller face type, never to a larger one",
            f"align again (python -m stages.align_{side} --face-type {face_type}), "
            f"or start a new model with --face-type {faceset.face_type}",
        )


def _eyes_and_mouth(landmarks: Points) -> NDArray[np.uint8]:
    side = EYES_MOUTH_PX
    return as_grey(np.minimum(eyes_mask(landmarks, side, side) + mouth_mask(landmarks, side, side), 1))


def make_sample(
    crop: Frame, mask: Mask, meta: FaceMeta, face_type: FaceType, resolution: int
) -> NDArray[np.uint8]:
    """(R, R, 4) uint8 RGB and mask of one crop; mask: of the crop's size. UserError unless it is square."""
    side = crop.shape[0]
    if crop.shape[1] != side:
        raise UserError(f"it is {crop.shape[1]}×{side} pixels, not square")
    eight_bit = crop if crop.dtype == np.uint8 else np.rint(crop / np.float32(257)).astype(np.uint8)
    meta = meta if meta.size_px == side else meta.resized(side)
    to_sample = meta.crop_to(resolution, face_type)
    pixels = np.asarray(eight_bit, np.uint8)
    image = resample(pixels, to_sample, resolution, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    small = resample(as_grey(mask), to_sample, resolution, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    return np.dstack([image, small])


def _read_cache(path: Path) -> SampleStore | None:
    """The cache, or None where it is missing or damaged and must be made anew."""
    try:
        return _read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _read(path: Path) -> SampleStore:
    record = json.loads(path.with_suffix(".json").read_bytes())
    pixels, landmarks = (np.load(file, mmap_mode="r") for file in (path, _landmarks_path(path)))
    return SampleStore(
        pixels=pixels,
        names=tuple(record["names"]),
        skipped=record["skipped"],
        masks=record["masks"],
        landmarks=landmarks,
        yaws=np.array(record["yaws"], np.float32),
    )


def _landmarks_path(path: Path) -> Path:
    return path.with_suffix(".landmarks.npy")


def _make(faceset: Faceset, face_type: FaceType, resolution: int, path: Path, label: str) -> SampleStore:
    faces = faceset.faces
    shape = (len(faces), resolution, resolution, CHANNELS)
    require_free_space(path.parent, int(np.prod(shape, dtype=np.int64)), f"the cache of {len(faces)} faces")
    skipped = {stranger.name: "it carries no face metadata" for stranger in faceset.strangers}
    names: list[str] = []
    landmarks: list[Points] = []
    yaws: list[float] = []
    masks = dict.fromkeys(get_args(MaskOrigin), 0)
    with atomic_path(path) as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        made = _map_in_order(pool, lambda face: _try_sample(face, face_type, resolution), faces)
        for face, sample in zip(faces, progress(made, f"{label} faces", "face", len(faces)), strict=True):
            if isinstance(sample, str):
                skipped[face.path.name] = sample
            else:
                pixels[len(names)], points, origin = sample
                landmarks.append(points)
                yaws.append(round(float(np.deg2rad(pose_deg(points, resolution)[1])), 4))
                masks[origin] += 1
                names.append(face.path.name)
        pixels.flush()
        del pixels
    with atomic_path(_landmarks_path(path)) as temporary:
        np.save(temporary, np.array(landmarks, np.float32).reshape(-1, 68, 2))
    record = {"names": names, "skipped": skipped, "masks": masks, "yaws": yaws}
    write_json(path.with_suffix(".json"), record)
    return _read(path)


def _map_in_order(
    pool: ThreadPoolExecutor, work: Callable[[Face], _Made | str], faces: Sequence[Face]
) -> Iterator[_Made | str]:
    """Like `pool.map`, but with a bounded number of results waiting and of calls to cancel on Ctrl-C."""
    for start in range(0, len(faces), 64):
        yield from pool.map(work, faces[start : start + 64])


def _try_sample(face: Face, face_type: FaceType, resolution: int) -> _Made | str:
    try:
        crop, meta = read_face(face.path)
        mask, origin = known_mask(face.path, meta, crop.shape[0])
        landmarks = apply_transform(meta.crop_to(resolution, face_type), meta.crop_landmarks())
        return make_sample(crop, mask, meta, face_type, resolution), landmarks.astype(np.float32), origin
    except (UserError, OSError) as error:
        return str(error).replace("\n ", ";")


def _cache_path(faceset: Path, face_type: FaceType, resolution: int, folder: Path, label: str) -> Path:
    """Another name with every crop or mask that is added, removed, renamed or written anew."""
    stats = [_stats(faceset), _stats(faceset / MASKS)]
    text = json.dumps([_VERSION, str(face_type), resolution, stats])
    return folder / f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"


def _stats(folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the pictures in `folder`, sorted; none where there is no such folder."""
    found = ((path.name, path.stat()) for path in list_images(folder))
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]
