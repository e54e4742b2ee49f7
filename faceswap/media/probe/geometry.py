"""How a clip's pictures become frames: all of one size, upright, with square pixels, without fields."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import floor
from typing import Annotated, Any, Literal, Self

from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from pydantic import Field, model_validator

from faceswap.io.documents import Record


def placing(frame: VideoFrame) -> tuple[int, bool]:
    """By how many degrees (0, 90, 180, 270) players turn a frame, and whether they mirror it before."""
    rotation = round(frame.rotation) % 360
    # PyAV's stubs call it a dictionary by names, but it is one by types.
    side_data: Any = frame.side_data
    try:
        matrix = side_data[SideDataType.DISPLAYMATRIX]
    except KeyError:
        return rotation, False
    a, b, _, c, d = (float(value) for value in struct.unpack_from("=5i", bytes(matrix)))
    # PyAV and ffmpeg take a mirrored picture for one that is turned by 180° more.
    mirrored = a * d - b * c < 0
    return (rotation + 180 * mirrored) % 360, mirrored


# Shapes of pixels beyond these are mistakes; real ones lie between 0.4 and 3.
_NARROWEST, _WIDEST = Fraction(1, 5), Fraction(5)
# Below this part pixels count as square: programs that scale to whole pixels leave such shapes behind.
_SQUARE_ENOUGH = 0.005
_SCALED = "lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
# Changes that are recorded.
_MOST_SHAPES = 200

_MOST_PX = 65536 * _WIDEST.numerator

Length = Annotated[int, Field(ge=1, le=_MOST_PX)]
Part = Annotated[int, Field(ge=1, le=2**31)]
Aspect = tuple[Part, Part]
Fields = Literal["tff", "bff"]


class Shape(Record):
    """What pictures look like from `from_s` on, seconds from the clip's start: upright, in stored pixels."""

    from_s: Annotated[float, Field(ge=0, le=1e10)]
    width: Length
    height: Length
    sample_aspect: Aspect = (1, 1)

    @property
    def square(self) -> tuple[int, int]:
        """Width and height with square pixels."""
        return square_size(self.width, self.height, self.sample_aspect)


class Geometry(Record):
    """What is done to the pictures of a clip to make frames of them; nothing, by default.

    width, height: of the frames in px, 0 where they are the pictures' own.
    shapes:  of the pictures, where there are several.
    fields:  which of the two fields of a picture comes first, where they are made one picture again.
    pulled_down: fields are of film (24 pictures a second as 30), which is restored.
    flagged: only pictures that say so themselves have fields.
    ignored_aspect: the shape of a pixel that the file tells, where it cannot be true.
    """

    width: Length | Literal[0] = 0
    height: Length | Literal[0] = 0
    shapes: tuple[Shape, ...] = ()
    fields: Fields | None = None
    pulled_down: bool = False
    flagged: bool = False
    ignored_aspect: Aspect | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if bool(self.width) != bool(self.height) or (self.shapes and not self.width):
            raise ValueError("a size of the frames is missing")
        return self

    @property
    def words(self) -> list[str]:
        """What is done to the pictures, a phrase each."""
        said = []
        if self.width and not self.shapes:
            said.append(f"made {self.width}x{self.height} with square pixels")
        elif self.shapes:
            said.append(f"of several sizes, frames are {self.width}x{self.height}")
        if self.fields and self.pulled_down:
            said.append("telecined, the film's own frames are restored")
        elif self.fields:
            order = {"tff": "top", "bff": "bottom"}[self.fields]
            said.append(f"interlaced ({order} field first), deinterlaced")
        return said

    @property
    def share(self) -> float:
        """The part of the pictures that become frames."""
        return 0.8 if self.pulled_down else 1.0

    def makes_other_frames(self, other: "Geometry") -> bool:
        """Whether the frames of the same clip would differ."""
        same = {"ignored_aspect": None}
        return self.model_copy(update=same) != other.model_copy(update=same)

    def changes(self) -> list[str]:
        """A line for each change of the pictures' size."""
        return [_change(shape, (self.width, self.height)) for shape in self.shapes]


def _change(shape: Shape, canvas: tuple[int, int]) -> str:
    squared = shape.square
    size = f"{shape.width}x{shape.height}"
    if squared != (shape.width, shape.height):
        size += f", with square pixels {squared[0]}x{squared[1]}"
    padded = f", padded to {canvas[0]}x{canvas[1]}" if squared != canvas else ""
    return f"from {shape.from_s:.2f} s on {size}{padded}"


def trusted_aspect(aspect: Fraction | None) -> tuple[Aspect, Aspect | None]:
    """The shape of a pixel, width to height, square where none is told; and one that cannot be true."""
    if not aspect or aspect <= 0:
        return (1, 1), None
    told = aspect.numerator, aspect.denominator
    return (told, None) if _NARROWEST <= aspect <= _WIDEST else ((1, 1), told)


def square_size(width: int, height: int, aspect: Aspect) -> tuple[int, int]:
    """The size of a picture with square pixels: the side that is too short is stretched."""
    shape = aspect[0] / aspect[1]
    if abs(shape - 1) < _SQUARE_ENOUGH:
        return width, height
    return (floor(width * shape + 0.5), height) if shape > 1 else (width, floor(height / shape + 0.5))


def geometry_of(shapes: Sequence[Shape]) -> Geometry:
    """The geometry of a clip with pictures of these shapes in turn: nothing is shrunk, the rest is padded."""
    squares = [shape.square for shape in shapes]
    width, height = (max(lengths) for lengths in zip(*squares, strict=True))
    if len(shapes) > 1:
        return Geometry(width=width, height=height, shapes=tuple(shapes[:_MOST_SHAPES]))
    stored = shapes[0].width, shapes[0].height
    return Geometry() if (width, height) == stored else Geometry(width=width, height=height)


def without_repeats(shapes: Iterable[Shape]) -> list[Shape]:
    """Only the shapes that differ from the one before, if by their time alone."""
    kept: list[Shape] = []
    for shape in shapes:
        if not kept or shape != kept[-1].model_copy(update={"from_s": shape.from_s}):
            kept.append(shape)
    return kept


def squared(pictures: Any, geometry: Geometry) -> Any:
    """Pictures in any layout as frames: their pixels made square, smaller ones in the middle of black."""
    if not geometry.width:
        return pictures
    if not geometry.shapes:
        return pictures.filter("scale", geometry.width, geometry.height, flags=_SCALED).filter("setsar", 1)
    aspect = _aspect_expression(geometry.shapes)
    wide, high = f"floor(iw*max(1,{aspect})+0.5)", f"floor(ih/min(1,{aspect})+0.5)"
    # One that was overlooked may be larger.
    fit = f"min(1,min({geometry.width}/{wide},{geometry.height}/{high}))"
    pictures = pictures.filter(
        "scale", f"floor({wide}*{fit}+0.5)", f"floor({high}*{fit}+0.5)", eval="frame", flags=_SCALED
    )
    # What follows never sees a change: not all filters bear it.
    return pictures.filter(
        "pad", geometry.width, geometry.height, "floor((ow-iw)/2)", "floor((oh-ih)/2)", eval="frame"
    ).filter("setsar", 1)


def _aspect_expression(shapes: Sequence[Shape]) -> str:
    """The shape of a pixel for ffmpeg's filters, which are told the first one for all pictures."""
    aspects: dict[tuple[int, int], set[str]] = {}
    for shape in shapes:
        aspects.setdefault((shape.width, shape.height), set()).add(_trusted(shape))
    by_size = all(len(told) == 1 for told in aspects.values())
    expression = _trusted(shapes[0])
    for shape in shapes[1:]:
        # Half a hundredth is less than a frame, and more than clocks are rounded by.
        since = f"gte(t,{shape.from_s - 0.005:.6f})"
        fits = f"eq(iw,{shape.width})*eq(ih,{shape.height})" if by_size else since
        if _trusted(shape) != expression:
            expression = f"if({fits},{_trusted(shape)},{expression})"
    return expression


def _trusted(shape: Shape) -> str:
    return "1" if shape.square == (shape.width, shape.height) else "({}/{})".format(*shape.sample_aspect)
