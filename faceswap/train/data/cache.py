"""Samples kept on disk: made once, found again, and only what has changed is made anew.

Four files beside the model: NAME.npy holds the pixels, NAME.landmarks.npy the landmarks, NAME.rows.json what
each row was made from, NAME.json the rest of what a start needs. NAME says what the whole was made from.
Without NAME.json they are what an interrupted start has left to the next one.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from faceswap.console import progress
from faceswap.errors import UserError
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import FOLDER as MASKS
from faceswap.faceset.stored_masks import MaskOrigin, known_mask, mask_path
from faceswap.geometry.geometry import apply_transform
from faceswap.geometry.landmarks import pose_deg
from faceswap.io.arrays import map_array
from faceswap.io.documents import MOST_BYTES_OF_A_SET, Count, DocumentError, FileName, read_as
from faceswap.io.files import atomic_path, list_images, require_free_space, write_json
from faceswap.train.data.samples import CHANNELS, SampleStore, make_sample
from faceswap.types import FaceType, Json, Points

_VERSION = 5
_LANDMARKS, _ROWS = ".landmarks.npy", ".rows.json"
_UNREADABLE = (OSError, UserError, DocumentError)
_Made: TypeAlias = tuple[NDArray[np.uint8], Points, MaskOrigin]


def cached_samples(
    faceset: Path, face_type: FaceType, resolution: int, folder: Path, label: str
) -> SampleStore | None:
    """What `open_samples` has made of the set in folder `faceset`; None where that is to be made anew.

    Only files are listed, none is opened: a hundred thousand faces take a second.
    """
    return _Cache(faceset, face_type, resolution, folder, label).read()


def find_samples(
    faceset: Path, face_type: FaceType, resolution: int, folder: Path, label: str
) -> SampleStore | Faceset:
    """`cached_samples`, or the set of which they must be made; UserError where it cannot serve."""
    samples = cached_samples(faceset, face_type, resolution, folder, label)
    if samples is not None:
        return samples
    opened = Faceset.open(faceset)
    check_face_type(opened, face_type)
    return opened


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
    cache = _Cache(faceset.folder, face_type, resolution, folder, label)
    store = cache.read()
    if store is None:
        store = cache.make(faceset)
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


@dataclass
class _Rows:
    """What the rows of a pixel file are, in their order.

    faces: file name -> what its row was made from, and where its mask came from.
    """

    faces: dict[str, tuple[str, MaskOrigin]] = field(default_factory=dict)
    landmarks: list[Points] = field(default_factory=list)
    yaws: list[float] = field(default_factory=list)

    def add(self, name: str, source: str, landmarks: Points, origin: MaskOrigin, resolution: int) -> None:
        self.landmarks.append(landmarks)
        self.yaws.append(round(float(np.deg2rad(pose_deg(landmarks, resolution)[1])), 4))
        # Last, because Ctrl-C may come in between: a row without a name is none.
        self.faces[name] = (source, origin)

    def record(self, skipped: dict[str, str]) -> Json:
        origins = [origin for _, origin in self.faces.values()]
        masks: Json = {origin: origins.count(origin) for origin in get_args(MaskOrigin)}
        return {"names": list(self.faces), "skipped": skipped, "masks": masks, "yaws": self.yaws}


class _Record(BaseModel):
    """NAME.json."""

    names: list[FileName]
    skipped: dict[str, str]
    masks: dict[MaskOrigin, Count]
    yaws: list[Annotated[float, Field(ge=-4, le=4)]]


class _RowsRecord(BaseModel):
    """NAME.rows.json; kind: what `_Cache` gives."""

    kind: list[Any]
    faces: dict[FileName, tuple[str, MaskOrigin]]


class _Cache:
    """The cache of one side, under the name that belongs to the set as it is now."""

    def __init__(self, faceset: Path, face_type: FaceType, resolution: int, folder: Path, label: str) -> None:
        self._face_type, self._resolution, self._label = face_type, resolution, label
        self._crops, self._masks = _stats(faceset), _stats(faceset / MASKS)
        self._kind: list[object] = [_VERSION, str(face_type), resolution]
        text = json.dumps([self._kind, self._crops, self._masks])
        self._path = folder / f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"

    def read(self) -> SampleStore | None:
        """None where it is missing or damaged and must be made anew."""
        try:
            record = read_as(self._path.with_suffix(".json"), _Record, most=MOST_BYTES_OF_A_SET)
            pixels, landmarks = _read_arrays(self._path, self._resolution)
            if not len(record.names) == len(record.yaws) == len(landmarks) <= len(pixels):
                return None
            return SampleStore(
                pixels=pixels,
                names=tuple(record.names),
                skipped=record.skipped,
                masks=record.masks,
                landmarks=landmarks,
                yaws=np.array(record.yaws, np.float32),
            )
        except _UNREADABLE:
            return None

    def make(self, faceset: Faceset) -> SampleStore:
        """Make it with what earlier caches hold; an interruption leaves what is done to the next start."""
        faces = faceset.faces
        earlier = self._earlier(faces)
        rows = _Rows()
        skipped = {stranger.name: "it carries no face metadata" for stranger in faceset.strangers}
        interruption: BaseException | None = None

        def sample(face: Face) -> _Made | str:
            known = earlier.get((face.path.name, self._source(face.path)))
            return known() if known else _try_sample(face, self._face_type, self._resolution)

        with atomic_path(self._path) as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
            shape = (len(faces), self._resolution, self._resolution, CHANNELS)
            pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            made = progress(_map_in_order(pool, sample, faces), f"{self._label} faces", "face", len(faces))
            try:
                for face, one in zip(faces, made, strict=True):
                    if isinstance(one, str):
                        skipped[face.path.name] = one
                        continue
                    pixels[len(rows.faces)], landmarks, origin = one
                    rows.add(face.path.name, self._source(face.path), landmarks, origin, self._resolution)
            except BaseException as error:
                if len(rows.faces) <= len(earlier):
                    raise  # What is there holds more.
                interruption = error  # raised again when all that is done has been kept
            pixels.flush()
            del pixels
            earlier.clear()
            # It must never speak of other pixels than those beside it.
            self._path.with_suffix(_ROWS).unlink(missing_ok=True)
        with atomic_path(self._path.with_suffix(_LANDMARKS)) as temporary:
            np.save(temporary, np.array(rows.landmarks, np.float32).reshape(-1, 68, 2))
        write_json(self._path.with_suffix(_ROWS), {"kind": self._kind, "faces": rows.faces})
        if interruption is not None:
            raise interruption
        write_json(self._path.with_suffix(".json"), rows.record(skipped))
        others = self._path.parent.glob(f"{self._label}-*")
        _remove(path for path in others if not path.name.startswith(self._path.stem))
        store = self.read()
        assert store is not None
        return store

    def _source(self, crop: Path) -> str:
        """What the row of a crop is made from, as the files were when this cache was named."""
        return f"{self._crops.get(crop.name)} {self._masks.get(mask_path(crop).name)}"

    def _earlier(self, faces: Sequence[Face]) -> dict[tuple[str, str], Callable[[], _Made]]:
        """What caches hold of `faces`, by file name and source; nothing where the disk is too small."""
        folder, size = self._path.parent, len(faces) * self._resolution**2 * CHANNELS
        what = f"the cache of {len(faces)} faces"
        try:
            require_free_space(folder, size, what)
        except UserError:
            _remove(folder.glob(f"{self._label}-*"))
            require_free_space(folder, size, what)
        wanted = {(face.path.name, self._source(face.path)) for face in faces}
        found: dict[tuple[str, str], Callable[[], _Made]] = {}
        for rows in folder.glob(f"{self._label}-*{_ROWS}"):
            with suppress(*_UNREADABLE):
                found |= {key: row for key, row in _read_rows(rows, self._kind).items() if key in wanted}
        return found


def _read_rows(rows: Path, kind: list[object]) -> dict[tuple[str, str], Callable[[], _Made]]:
    """How to read each row of an earlier cache, by file name and source; nothing of another kind."""
    record = read_as(rows, _RowsRecord, most=MOST_BYTES_OF_A_SET)
    if record.kind != kind:
        return {}
    pixels, landmarks = _read_arrays(rows.with_name(rows.name.removesuffix(_ROWS) + ".npy"), kind[-1])

    def read(row: int, origin: MaskOrigin) -> _Made:
        return pixels[row].copy(), landmarks[row].copy(), origin

    known = zip(record.faces.items(), range(min(len(landmarks), len(pixels))), strict=False)
    return {(name, source): partial(read, row, origin) for (name, (source, origin)), row in known}


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink()


def _read_arrays(path: Path, resolution: object) -> tuple[NDArray[np.uint8], Points]:
    pixels = map_array(path, np.uint8, (None, resolution, resolution, CHANNELS))
    return pixels, map_array(path.with_suffix(_LANDMARKS), np.float32, (None, 68, 2))


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


def _stats(folder: Path) -> dict[str, tuple[int, int]]:
    """Name -> size and time of each picture in `folder`, sorted; none where there is no such folder."""
    found = ((path.name, path.stat()) for path in list_images(folder))
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found}
