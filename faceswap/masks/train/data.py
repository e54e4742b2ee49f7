"""Labelled faces ready to train a mask network on, from facesets or prepared folders.

The store is one memory-mapped array, so that a set of any size needs no more memory than a batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from faceswap.console import command, progress, warn
from faceswap.errors import UserError
from faceswap.faceset.metadata import MetadataError
from faceswap.faceset.polygons import has_area, read_polygons
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import known_mask, mask_path
from faceswap.io.documents import MOST_BYTES_OF_A_SET, read_as
from faceswap.io.files import atomic_path, write_json
from faceswap.train.data.samples import make_sample
from faceswap.types import FaceType

Picture: TypeAlias = NDArray[np.uint8]
# The picture (S, S, 3), then the mask and the figure (S, S, 2); each is one block of memory.
_CHANNELS = 5


@dataclass(frozen=True, eq=False)
class Sample:
    """picture: (S, S, 3) uint8 RGB. layers: (S, S, 2) uint8: the mask, 255 = face, and the figure: where
    it is 0, anything else may be shown.
    """

    picture: Picture
    layers: Picture


@dataclass(frozen=True)
class Tag:
    """What a sample is: which set it is from, whom it shows, and its name there."""

    source: str
    person: str
    name: str


@dataclass(frozen=True, eq=False)
class MaskSamples:
    """pixels: (N, 5·S²) uint8, memory-mapped. size_px: S, the side of a sample with its margin.

    crop_px: side of the crop, the square in the middle.
    """

    pixels: NDArray[np.uint8]
    size_px: int
    crop_px: int
    tags: tuple[Tag, ...]

    def __len__(self) -> int:
        return len(self.tags)

    def __getitem__(self, row: int) -> Sample:
        side, flat = self.size_px, self.pixels[row]
        picture, layers = flat[: 3 * side * side], flat[3 * side * side :]
        return Sample(picture.reshape(side, side, 3), layers.reshape(side, side, 2))

    @property
    def none(self) -> "MaskSamples":
        """A set like this one without a sample."""
        return replace(self, pixels=self.pixels[:0], tags=())

    def spread(self, count: int) -> list[int]:
        """At most `count` rows spread evenly over the set, always the same ones."""
        return [int(row) for row in np.linspace(0, len(self) - 1, min(count, len(self)))]


class _Record(BaseModel):
    """samples.json."""

    size_px: Annotated[int, Field(ge=1, le=8192)]
    crop_px: Annotated[int, Field(ge=1, le=8192)]
    tags: list[tuple[str, str, str]]


def write_samples(
    folder: Path, size_px: int, crop_px: int, samples: Iterable[tuple[Sample, Tag]]
) -> MaskSamples:
    """Store `samples`, size_px² with a crop of crop_px² in the middle, and open them.

    What was stored in `folder` before is gone.
    """
    listed = folder / "samples.json"
    listed.unlink(missing_ok=True)
    tags: list[Tag] = []
    with atomic_path(folder / "samples.bin") as temporary, temporary.open("wb") as file:
        for sample, tag in samples:
            file.write(sample.picture.tobytes())
            file.write(sample.layers.tobytes())
            tags.append(tag)
    # Last, so that a write that was stopped leaves no store.
    record = _Record(size_px=size_px, crop_px=crop_px, tags=[(t.source, t.person, t.name) for t in tags])
    write_json(listed, record.model_dump(mode="json"))
    return _open(folder, record)


def read_samples(folder: Path) -> MaskSamples | None:
    """The samples stored in `folder`, None where there are none, not all of them, or damaged ones."""
    listed = folder / "samples.json"
    if not listed.is_file():
        return None
    try:
        return _open(folder, read_as(listed, _Record, most=MOST_BYTES_OF_A_SET))
    except (UserError, ValueError, OSError):
        return None


def _open(folder: Path, record: "_Record") -> MaskSamples:
    tags = tuple(Tag(*values) for values in record.tags)
    size_px, crop_px = record.size_px, record.crop_px
    shape = (len(tags), _CHANNELS * size_px * size_px)
    pixels: Picture = np.zeros(shape, np.uint8)
    # An empty file cannot be mapped.
    if tags:
        pixels = np.memmap(folder / "samples.bin", np.uint8, "r", shape=shape)
    return MaskSamples(pixels, size_px, crop_px, tags)


# Stored masks are many and alike; more of them teach nothing new.
_MOST_STORED = 4000
# From so many labels on a tenth is held out; for an aim of IoU already from the smaller number.
_SPARED_FROM, _SPARED_FOR_AIM_FROM = 50, 10


@dataclass(frozen=True)
class Labels:
    """samples: faces to train on; held_out: faces to look at only; origin: what their masks are, in words."""

    samples: MaskSamples
    held_out: MaskSamples
    origin: str


def collect_labels(
    facesets: Sequence[Faceset], face_type: FaceType, input_px: int, folder: Path, for_aim: bool
) -> Labels:
    """All faces with polygons; where there are none, those with a stored mask (deepfacelab.md §6.2).

    Their crops are stored in `folder`. for_aim: hold faces out also when there are few. Raises UserError
    where nothing is labelled, or too little to hold any out for an aim.
    """
    faces = [face for faceset in facesets for face in faceset.faces]
    labelled = [face for face in faces if _has_polygons(face)]
    origin = f"{len(labelled)} faces with polygons"
    if not labelled:
        stored = [face for face in faces if mask_path(face.path).is_file()]
        rows = np.linspace(0, len(stored) - 1, min(len(stored), _MOST_STORED)).astype(int)
        labelled = [stored[row] for row in rows]
        origin = f"no polygons, so {len(labelled)} of {len(stored)} faces with stored masks"
    if not labelled:
        raise UserError(
            f"none of {len(faces)} faces is labelled, and none has a stored mask",
            "; ".join(str(faceset.folder) for faceset in facesets),
            f"mark some: {command('stages.mask_edit')}, or compute some: {command('stages.mask_apply')}",
        )
    if for_aim and len(labelled) < _SPARED_FOR_AIM_FROM:
        raise UserError(
            f"--until-iou needs {_SPARED_FOR_AIM_FROM} labelled faces, of which some are held out",
            f"found {len(labelled)}",
            "label more, or train for --iterations or --minutes",
        )
    spared = _spared(len(labelled), for_aim)
    samples, held_out = (
        write_samples(folder / name, input_px, input_px, _read(some, face_type, input_px))
        for name, some in (
            ("samples", _rest(labelled, spared)),
            ("held_out", [labelled[row] for row in spared]),
        )
    )
    if not len(samples):
        raise UserError("no labelled face can be read", labelled[0].path.name, "align again, or restore them")
    return Labels(samples, held_out, f"{origin}; {len(held_out)} held out")


def _spared(count: int, for_aim: bool) -> list[int]:
    """Rows held out: a tenth, two at least, spread over the set; none where labels are few."""
    if count < (_SPARED_FOR_AIM_FROM if for_aim else _SPARED_FROM):
        return []
    wanted = max(2, count // 10)
    return sorted({int((row + 0.5) * count / wanted) for row in range(wanted)})


def _rest(faces: list[Face], spared: list[int]) -> list[Face]:
    taken = set(spared)
    return [face for row, face in enumerate(faces) if row not in taken]


def _has_polygons(face: Face) -> bool:
    try:
        return has_area(read_polygons(face.meta))
    except MetadataError as error:
        warn(f"{face.path.name} is left out: its polygons cannot be read ({error})")
        return False


def _read(faces: Sequence[Face], face_type: FaceType, input_px: int) -> Iterator[tuple[Sample, Tag]]:
    for face in progress(faces, "labels", "faces", len(faces)):
        try:
            crop, meta = read_face(face.path)
            mask, origin = known_mask(face.path, meta, crop.shape[0])
            if origin == "hull":
                raise UserError("its stored mask belongs to another frame")
            made = make_sample(crop, mask, meta, face_type, input_px)
        except (UserError, OSError) as error:
            warn(f"{face.path.name} is left out: {str(error).splitlines()[0]}")
            continue
        # How much of a real crop is figure nobody knows.
        layers = np.dstack([made[..., 3], np.full_like(made[..., 3], 255)])
        yield Sample(np.ascontiguousarray(made[..., :3]), layers), Tag(str(meta.side), "", face.path.name)
