"""What is known of one face, kept inside its crop as JSON (schema 1, see `carrier`).

Each takes a value of parsed JSON and raises ValueError, TypeError or OverflowError for one that cannot be.
They stand in the way of every face of a set that is opened, so each costs a microsecond or two.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import FaceswapError
from faceswap.geometry.geometry import (
    ALIGN_POINTS,
    MEAN_FACE,
    apply_transform,
    compose_transforms,
    crop_transform,
    invert_transform,
    resize_transform,
)
from faceswap.io.documents import is_too_deep
from faceswap.types import FaceType, Json, Points, Side, Transform

# Sides of a crop, and faces in a frame.
SIZES_PX = (8, 16384)
MOST_INDEX = 10**6
# Farther from the frame's corner nothing lies; more a crop does not enlarge; no face is smaller or larger.
_FAR_PX = 1e7
_LEAST_AREA, _MOST_SCALE = 1e-8, 1e5
_FACES_PX = (0.5, 65536)
_MOST_NAME, _MOST_POLYGONS, _MOST_DIMS = 1024, 10**4, 2**16


def read_transform(value: Any) -> Transform:
    """A (2, 3) transform that neither flattens the picture nor throws it far away."""
    (a, b, c), (d, e, f) = value
    stretch = abs(a) + abs(b) + abs(d) + abs(e)
    # Compared this way round, what is no number fails as well.
    if not (abs(a * e - b * d) >= _LEAST_AREA and stretch <= _MOST_SCALE and abs(c) + abs(f) <= _FAR_PX):
        raise ValueError("a transform that flattens the picture or throws it far away")
    return np.array(value, np.float64)


def read_landmarks(value: Any) -> Points:
    """(68, 2) landmarks that a crop can be laid around."""
    points = np.array(value, np.float64).reshape(68, 2)
    complex_ = points.view(np.complex128)[:, 0]
    if not np.vdot(complex_, complex_).real <= 68 * _FAR_PX**2:
        raise ValueError("landmarks that are nowhere")
    if not _FACES_PX[0] <= abs(np.vdot(_PATTERN, complex_)) <= _FACES_PX[1]:
        raise ValueError("landmarks that lie as no face's do")
    return points.astype(np.float32)


def read_vector(value: Any) -> NDArray[np.float32]:
    """(D,) float32 of finite numbers."""
    vector = np.array(value, np.float64)
    if vector.ndim != 1 or not 0 < len(vector) <= _MOST_DIMS or not np.vdot(vector, vector) <= _FAR_PX**2:
        raise ValueError("an embedding that is none")
    return vector.astype(np.float32)


def read_name(value: Any) -> str:
    """The name of a file, without folders."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_NAME or "/" in value or "\0" in value:
        raise ValueError(f"source {str(value)[:40]!r} is no file name")
    return value


def read_whole(value: Any, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{str(value)[:40]} is not from {least} to {most}")
    return value


def read_number(value: Any) -> float:
    """A finite number of ordinary size."""
    if not abs(value) <= _MOST_DIMS:
        raise ValueError(f"{str(value)[:40]} is no score")
    return float(value)


def read_outlines(value: Any) -> tuple[Json, ...]:
    """Kept as they are, for `read_polygons` to judge, if they are of a size that can be kept at all."""
    if not isinstance(value, list) or len(value) > _MOST_POLYGONS or is_too_deep(value):
        raise ValueError("polygons that are no list of outlines")
    return tuple(value)


def _pattern() -> NDArray[np.complex128]:
    """Weights of 68 points x + iy whose sum is the size of the face that fits them best, turned by its roll.

    That of `fit_similarity` (Umeyama 1991), which in the plane is a product of complex numbers.
    """
    centred = (MEAN_FACE - MEAN_FACE.mean(axis=0)) @ (1, 1j)
    pattern = np.zeros(68, np.complex128)
    pattern[ALIGN_POINTS] = centred / np.vdot(centred, centred)
    return pattern


_PATTERN = _pattern()


SCHEMA = 1
_FARTHEST = float(np.finfo(np.float32).max)


class MetadataError(FaceswapError):
    """JSON that does not describe a face of this schema; the message says what is wrong."""


@dataclass(frozen=True, eq=False)
class FaceMeta:
    """One aligned face.

    source:        file name of the frame it was cut from, with suffix.
    frame_to_face: (2, 3) pixel centres of the frame to those of the crop: the truth about the crop.
    size_px:       side of the crop.
    landmarks:     (68, 2) iBUG points in frame pixels.
    index:         0 for the largest face of its frame, then 1, 2, …
    score:         the finder's confidence, 0 … 1.
    polygons:      edits of the mask in crop pixels, kept as they are.
    embedding:     (D,) identity vector of the pack's recogniser, of any length, or None.
    found_landmarks: (68, 2) as alignment found them, where smoothing has changed them, else None.
    extra:         keys this version does not know; written back unchanged.
    """

    source: str
    frame_to_face: Transform
    size_px: int
    landmarks: Points
    face_type: FaceType
    side: Side
    index: int
    score: float
    polygons: tuple[Json, ...] = ()
    embedding: NDArray[np.float32] | None = None
    found_landmarks: Points | None = None
    extra: Json = field(default_factory=dict)

    def crop_landmarks(self) -> Points:
        """(68, 2) landmarks in crop pixels."""
        return apply_transform(self.frame_to_face, self.landmarks).astype(np.float32)

    def resized(self, size_px: int) -> Self:
        """The same face in a crop resized to `size_px`."""
        to_new = resize_transform(self.size_px, size_px)
        frame_to_face = compose_transforms(to_new, self.frame_to_face)
        polygons = tuple(_moved(polygon, to_new) for polygon in self.polygons)
        return replace(self, frame_to_face=frame_to_face, size_px=size_px, polygons=polygons)

    def crop_to(self, size_px: int, face_type: FaceType) -> Transform:
        """From the pixels of this crop to those of one of `size_px`² that shows `face_type`."""
        if face_type is self.face_type:
            return resize_transform(self.size_px, size_px)
        frame_to_other = crop_transform(self.landmarks, size_px, face_type)
        return compose_transforms(frame_to_other, invert_transform(self.frame_to_face))

    def to_json(self) -> Json:
        """Plain JSON; `from_json` gives back the same numbers, bit for bit."""
        known: Json = {
            "schema": SCHEMA,
            "source": self.source,
            "side": str(self.side),
            "index": self.index,
            "face_type": str(self.face_type),
            "size_px": self.size_px,
            "score": self.score,
            "frame_to_face": self.frame_to_face.tolist(),
            "landmarks": _floats(self.landmarks),
        }
        if self.polygons:
            known["polygons"] = list(self.polygons)
        if self.embedding is not None:
            known["embedding"] = _floats(self.embedding)
        if self.found_landmarks is not None:
            known["found_landmarks"] = _floats(self.found_landmarks)
        return {**self.extra, **known}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Raises MetadataError for JSON that is no face or of a newer schema."""
        if not isinstance(data, dict) or type(data.get("schema")) is not int or data["schema"] < 1:
            raise MetadataError("no face metadata of this workbench")
        if data["schema"] > SCHEMA:
            raise MetadataError(f"metadata of schema {data['schema']}; this version reads up to {SCHEMA}")
        try:
            return cls._read(data)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MetadataError(
                f"damaged face metadata: {str(error)[:120] or type(error).__name__}"
            ) from None

    @classmethod
    def _read(cls, data: Json) -> Self:
        embedding, found = data.get("embedding"), data.get("found_landmarks")
        return cls(
            source=read_name(data["source"]),
            frame_to_face=read_transform(data["frame_to_face"]),
            size_px=read_whole(data["size_px"], *SIZES_PX),
            landmarks=read_landmarks(data["landmarks"]),
            face_type=FaceType(data["face_type"]),
            side=Side(data["side"]),
            index=read_whole(data["index"], 0, MOST_INDEX),
            score=read_number(data["score"]),
            polygons=read_outlines(data["polygons"]) if "polygons" in data else (),
            embedding=None if embedding is None else read_vector(embedding),
            found_landmarks=None if found is None else read_landmarks(found),
            extra={} if data.keys() <= _KNOWN else _extra(data),
        )


def _told(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)[:120]


def _extra(data: Json) -> Json:
    extra = {key: value for key, value in data.items() if key not in _KNOWN}
    if is_too_deep(extra):
        raise ValueError("it is nested too deep")
    return extra


def _moved(polygon: Json, a_to_b: Transform) -> Json:
    """A polygon in other pixels; one that cannot be read stays as it is, for `read_polygons` to refuse."""
    try:
        points = np.array(polygon["points"], np.float64).reshape(-1, 2)
    except (KeyError, TypeError, ValueError, OverflowError):
        return polygon
    moved = np.clip(apply_transform(a_to_b, points), -_FARTHEST, _FARTHEST)
    return {**polygon, "points": _floats(moved.astype(np.float32))}


_KNOWN = {
    "schema", "source", "side", "index", "face_type", "size_px", "score",
    "frame_to_face", "landmarks", "polygons", "embedding", "found_landmarks",
}  # fmt: skip


def _floats(values: NDArray[np.float32]) -> Any:
    """float32 as short decimals that read back as the same float32 (nine digits always do)."""
    flat = [float(f"{value:.9g}") for value in values.ravel()]
    return np.array(flat, np.float64).reshape(values.shape).tolist()
