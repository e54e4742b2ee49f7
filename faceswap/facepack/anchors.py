"""The finder's anchors: two an cell at strides 8, 16 and 32, as insightface's SCRFD decoder lays them.

Cell (i, j) of stride s is centred on pixel (s·j, s·i); distances to the four sides and offsets of the
five points are in strides. The anchor sizes (twice and four times the stride) and the assignment
of faces to anchors by ATSS (Zhang et al. 2020, algorithm 1) are SCRFD's (Guo et al. 2022).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.geometry.boxes import Boxes, iou_matrix
from faceswap.types import Points

STRIDES = (8, 16, 32)
SIZES_IN_STRIDES = (2, 4)
_NEAREST = 9


@dataclass(frozen=True)
class Anchors:
    """All anchors of one input size: centres (A, 2) px, sizes (A,) px, strides (A,) px, level starts."""

    centers: Points
    sizes: NDArray[np.float32]
    strides: NDArray[np.float32]

    @property
    def boxes(self) -> Boxes:
        half = self.sizes[:, None] / 2
        return np.concatenate([self.centers - half, self.centers + half], 1)


@dataclass(frozen=True)
class Targets:
    """What each anchor should say: face index (A,) or −1; counted (A,) false where nothing is asked."""

    face: NDArray[np.int64]
    counted: NDArray[np.bool_]


def lay_anchors(height: int, width: int) -> Anchors:
    """Anchors for an input of height × width px, both multiples of 32, in the decoder's order."""
    centers, sizes, strides = [], [], []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride] * stride
        cells = np.repeat(np.stack([x, y], -1).reshape(-1, 2), len(SIZES_IN_STRIDES), axis=0)
        centers.append(cells)
        sizes.append(np.tile(np.array(SIZES_IN_STRIDES) * stride, len(cells) // len(SIZES_IN_STRIDES)))
        strides.append(np.full(len(cells), stride))
    parts = (np.concatenate(part).astype(np.float32) for part in (centers, sizes, strides))
    return Anchors(*parts)


def encode(anchors: Anchors, boxes: Boxes, five: NDArray[np.float32]) -> tuple[Points, Points]:
    """Boxes (A, 4) and points (A, 5, 2), one an anchor, to sides (A, 4) and offsets (A, 10) in strides."""
    center, stride = anchors.centers, anchors.strides[:, None]
    sides = np.concatenate([center - boxes[:, :2], boxes[:, 2:] - center], 1) / stride
    offsets = (five - center[:, None]).reshape(-1, 10) / stride
    return sides.astype(np.float32), offsets.astype(np.float32)


def decode(anchors: Anchors, sides: Points, offsets: Points) -> tuple[Boxes, NDArray[np.float32]]:
    """The inverse of `encode`: boxes (A, 4) and points (A, 5, 2) in px."""
    stride = anchors.strides[:, None]
    low, high = anchors.centers - sides[:, :2] * stride, anchors.centers + sides[:, 2:] * stride
    five = (offsets * stride).reshape(-1, 5, 2) + anchors.centers[:, None]
    return np.concatenate([low, high], 1), five


def assign(anchors: Anchors, boxes: Boxes, wanted: NDArray[np.bool_]) -> Targets:
    """ATSS: per face the nearest anchors of every stride whose overlap is unusually good for that face.

    boxes: (N, 4) px; wanted: (N,) false for faces that are neither asked for nor punished. Every
    wanted face gets at least its best anchor.
    """
    face = np.full(len(anchors.sizes), -1, np.int64)
    counted = np.ones(len(face), np.bool_)
    best = np.zeros(len(face), np.float32)
    overlap = iou_matrix(boxes, anchors.boxes)
    for index, box in enumerate(boxes):
        if not wanted[index]:
            inside = ((anchors.centers >= box[:2]) & (anchors.centers <= box[2:])).all(1)
            counted &= ~inside
            continue
        chosen = _unusually_good(anchors, box, overlap[index])
        chosen = chosen[overlap[index, chosen] > best[chosen]]
        face[chosen], best[chosen] = index, overlap[index, chosen]
    return Targets(face, counted | (face >= 0))


def _unusually_good(anchors: Anchors, box: Boxes, overlap: NDArray[np.float32]) -> NDArray[np.int64]:
    middle = (box[:2] + box[2:]) / 2
    apart = np.linalg.norm(anchors.centers - middle, axis=1)
    nearest = [_smallest(np.flatnonzero(anchors.strides == stride), apart) for stride in STRIDES]
    candidates = np.concatenate(nearest)
    values = overlap[candidates]
    inside = ((anchors.centers[candidates] > box[:2]) & (anchors.centers[candidates] < box[2:])).all(1)
    chosen = candidates[(values >= values.mean() + values.std()) & inside]
    return chosen if len(chosen) else candidates[[int(values.argmax())]]


def _smallest(indices: NDArray[np.int64], apart: NDArray[np.float32]) -> NDArray[np.int64]:
    count = min(_NEAREST * len(SIZES_IN_STRIDES), len(indices))
    return indices[np.argpartition(apart[indices], count - 1)[:count]]
