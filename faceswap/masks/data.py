"""Labelled faces ready to train a mask network on: crops with some margin, their masks, who they show.

The store is one memory-mapped array, so that a set of any size needs no more memory than a batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from faceswap.errors import UserError
from faceswap.io.documents import MOST_BYTES_OF_A_SET, read_as
from faceswap.io.files import atomic_path, write_json

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
