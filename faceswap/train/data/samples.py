"""Faces ready to train on: each crop resampled once to the model's size; some held back for measuring.

The store is one memory-mapped array, so fifty thousand faces need no more memory than a batch.
"""

import hashlib
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.stored_masks import MaskOrigin
from faceswap.geometry.landmarks import eyes_mask, mouth_mask
from faceswap.geometry.warp import resample
from faceswap.io.images import as_grey
from faceswap.types import FaceType, Frame, Mask, Points

CHANNELS = 4  # red, green, blue, mask
EYES_MOUTH_PX = 128


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


# Fewer say nothing; more only take time.
LEAST, MOST = 4, 64


def hold_back(store: SampleStore, fraction: float) -> tuple[SampleStore, SampleStore | None]:
    """The store without a fraction of its faces, and those; None where they would be fewer than four.

    Which ones follows from their names alone: a face stays held back when others come or go. At most 64 are
    kept for measuring; further ones are left out of the training all the same.
    """
    held = np.array([_place(name) < fraction for name in store.names], bool)
    rows = np.flatnonzero(held)
    if len(rows) < LEAST or len(rows) == len(store):
        return store, None
    spread = rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(np.int64)]
    return store.subset(np.flatnonzero(~held)), store.subset(spread)


def _place(name: str) -> float:
    """A name's place in [0, 1), as good as drawn at random."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
