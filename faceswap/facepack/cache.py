"""The labelled faces decoded once: one flat file of pixels, mapped into memory, and their labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.facepack.labels import Labelled
from faceswap.io.files import atomic_path
from faceswap.types import Points


@dataclass(frozen=True)
class FaceCache:
    """All faces of the training set, random access without decoding."""

    pixels: NDArray[np.uint8]
    offset: NDArray[np.int64]
    shape: NDArray[np.int64]
    points: NDArray[np.float32]
    weight: NDArray[np.float32]
    source: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.offset)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB or (H, W, 1) grey, uint8, read only."""
        start, shape = int(self.offset[index]), tuple(self.shape[index])
        return self.pixels[start : start + int(np.prod(shape))].reshape(shape)

    def face(self, index: int) -> tuple[NDArray[np.uint8], Points, NDArray[np.float32]]:
        """Picture, (68, 2) points and (68,) weights."""
        return self.picture(index), self.points[index], self.weight[index]


def write_cache(folder: Path, faces: Iterable[Labelled]) -> None:
    """Store `faces` in `folder`; the label file comes last, so a stopped write leaves no cache."""
    records: list[tuple[Any, ...]] = []
    offset = 0
    with atomic_path(folder / "pixels.bin") as temporary, temporary.open("wb") as file:
        for face in faces:
            file.write(np.ascontiguousarray(face.picture).tobytes())
            records.append((offset, face.picture.shape, face.points, face.weight, face.source))
            offset += face.picture.size
    names = ("offset", "shape", "points", "weight", "source")
    columns = dict(zip(names, map(np.array, zip(*records, strict=True)), strict=True))
    with atomic_path(folder / "labels.npz") as temporary:
        np.savez(temporary, allow_pickle=False, **columns)


def read_cache(folder: Path) -> FaceCache:
    """Open a cache written by `write_cache`; raises UserError where there is none."""
    labels = folder / "labels.npz"
    if not labels.is_file():
        raise UserError(f"no labelled faces in {folder}", "", "start the command again with --data DIR")
    try:
        with np.load(labels, allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files}
        return FaceCache(pixels=np.memmap(folder / "pixels.bin", np.uint8, "r"), **columns)
    # A zip of arrays whose headers are parsed as Python's literals: its damage has many names.
    except Exception as error:
        raise UserError(f"{folder} is damaged", str(error)[:200], "delete it to make it anew") from None
