"""Which faces are worth a person's time: where a mask network is unsure, and unlike what is labelled.

Predicted uncertainty times distance in pose and look from everything chosen so far (greedy farthest points,
Sener and Savarese, "Active learning for convolutional neural networks: a core-set approach", 2018).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Face, read_face
from faceswap.faceset.stored_masks import FOLDER
from faceswap.geometry.landmarks import pose_deg
from faceswap.io.documents import FileName, Finite, read_lines
from faceswap.io.flow import ordered_map
from faceswap.io.images import as_uint8
from faceswap.masks.crops import MaskNetwork, show
from faceswap.types import Frame, Image, Json, Mask

# Degrees that count as much as a look that is wholly different.
_POSE_UNIT_DEG = 30.0
_LOOK_PX = 4
# Lightness, a and b of CIE Lab: the share of its range that counts as wholly different.
_LOOK_UNIT = 64.0
FEATURES = 3 + 3 * _LOOK_PX**2


def uncertainty(mask: Mask) -> float:
    """Mean binary entropy of a predicted mask (H, W), in bits: 0 is sure everywhere, 1 knows nothing."""
    p = np.clip(mask.astype(np.float64), 1e-6, 1 - 1e-6)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean())


def features(crop: Frame, meta: FaceMeta) -> NDArray[np.float32]:
    """(FEATURES,) pose and look of a crop (H, H, 3) uint8, in units in which 1 is very different."""
    pose = np.array(pose_deg(meta.crop_landmarks(), meta.size_px)) / _POSE_UNIT_DEG
    small = cv2.resize(crop, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    look = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32).ravel() / _LOOK_UNIT / _LOOK_PX
    return np.concatenate([pose, look]).astype(np.float32)


def suggest(
    uncertainties: Sequence[float] | NDArray[np.float32],
    features: NDArray[np.float32],
    count: int,
    labelled: Iterable[int] = (),
) -> list[int]:
    """The `count` faces that would teach most, the best first; never a labelled one.

    uncertainties: (N,); features: (N, D); labelled: numbers of faces that have labels already. The first
    choice in a set without labels is the least certain face. Deterministic; time N·D·(count + labelled).
    """
    unsure = np.asarray(uncertainties, np.float64)
    free = np.ones(len(unsure), bool)
    distance = np.full(len(unsure), np.inf)
    for known in labelled:
        free[known] = False
        distance = np.minimum(distance, _distances(features, known))
    chosen: list[int] = []
    for _ in range(min(count, int(free.sum()))):
        # While nothing is chosen, all are equally far from it.
        worth = np.where(free, unsure * np.where(np.isfinite(distance), distance, 1.0), -1.0)
        best = int(worth.argmax())
        chosen.append(best)
        free[best] = False
        distance = np.minimum(distance, _distances(features, best))
    return chosen


def _distances(features: NDArray[np.float32], index: int) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(features - features[index], axis=1), np.float64)


NAME = "assessed.jsonl"
_Feature = Annotated[float, Field(ge=-1e6, le=1e6)]


class Assessment(NamedTuple):
    """uncertainty: 0 … 1; features: (suggest.FEATURES,) pose and look."""

    uncertainty: float
    features: NDArray[np.float32]


class _Known(NamedTuple):
    size: int
    mtime_ns: int
    model: str
    assessment: Assessment


class _Line(BaseModel):
    name: FileName
    size: int
    mtime_ns: int
    model: str
    uncertainty: Finite
    features: Annotated[list[_Feature], Field(min_length=FEATURES, max_length=FEATURES)]


def assess(
    faces: Sequence[Face],
    network: MaskNetwork,
    batch_size: int = 8,
    workers: int = 2,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[Face, Assessment]]:
    """Every face with its assessment, those that are known first; faces that cannot be read are left out.

    A few numbers a face are kept in FOLDER/masks/assessed.jsonl as they are made, so the next time goes on
    where this one ended. Memory does not grow with the set. Ends early once `is_wanted` says no.
    """
    path = faces[0].path.parent / FOLDER / NAME
    known = _read(path)
    todo = []
    for face in faces:
        entry = known.get(face.path.name)
        if entry is not None and entry[:3] == (*_stamp(face), network.identity):
            yield face, entry.assessment
        else:
            todo.append(face)
    prepared = ordered_map(lambda face: _prepare(face, network), todo, workers)
    intact = (item for item in prepared if item is not None)
    while is_wanted() and (batch := list(islice(intact, batch_size))):
        masks = network([picture for _, picture, _ in batch])
        lines = []
        for (face, _, told), mask in zip(batch, masks, strict=True):
            made = Assessment(uncertainty(mask), told)
            lines.append(_line(face, network.identity, made))
            yield face, made
        _append(path, lines)


def _prepare(face: Face, network: MaskNetwork) -> tuple[Face, Image, NDArray[np.float32]] | None:
    try:
        crop, meta = read_face(face.path)
        return face, show(crop, meta, network).picture, features(as_uint8(crop), meta)
    except (UserError, OSError):
        return None


def _stamp(face: Face) -> tuple[int, int]:
    try:
        stat = face.path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _line(face: Face, model: str, made: Assessment) -> str:
    size, mtime_ns = _stamp(face)
    told: Json = {"name": face.path.name, "size": size, "mtime_ns": mtime_ns, "model": model}
    told["uncertainty"] = round(made.uncertainty, 6)
    told["features"] = [round(float(value), 4) for value in made.features]
    return json.dumps(told) + "\n"


def _append(path: Path, lines: list[str]) -> None:
    """A cache: where it cannot be written, the work is only done again another time."""
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            # An earlier line may be torn; a line break keeps it from swallowing the next.
            file.write("\n" if file.tell() else "")
            file.writelines(lines)
    except OSError:
        pass


def _read(path: Path) -> dict[str, _Known]:
    try:
        lines = list(read_lines(path, _Line))
    except (OSError, UserError):
        return {}
    return {
        line.name: _Known(
            line.size,
            line.mtime_ns,
            line.model,
            Assessment(line.uncertainty, np.array(line.features, np.float32)),
        )
        for line in lines
    }
