"""The fields of a face's metadata as they are read: what no face can have is refused, whatever wrote it.

Each takes a value of parsed JSON and raises ValueError, TypeError or OverflowError for one that cannot be.
They stand in the way of every face of a set that is opened, so each costs a microsecond or two.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.template import ALIGN_POINTS, MEAN_FACE
from faceswap.io.documents import is_too_deep
from faceswap.types import Json, Points, Transform

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
