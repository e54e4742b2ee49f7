"""How sure a mask network is of every face of a set, remembered beside the set."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from faceswap.errors import UserError
from faceswap.faceset.store import Face, read_face
from faceswap.faceset.stored_masks import FOLDER
from faceswap.io.documents import FileName, Finite, read_lines
from faceswap.io.flow import ordered_map
from faceswap.io.images import as_uint8
from faceswap.masks.crops import MaskNetwork, show
from faceswap.masks.suggest import FEATURES, features, uncertainty
from faceswap.types import Image, Json

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
