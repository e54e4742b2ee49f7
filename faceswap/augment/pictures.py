"""Training pictures: RGB uint8, read from files and from archives."""

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError

# (H, W, 3) RGB, or (H, W, 1) grey where said; training needs no more than 8 bits.
Picture: TypeAlias = NDArray[np.uint8]


def read_picture(path: Path) -> Picture:
    """An image file as RGB; raises UserError when it cannot be decoded."""
    return decode_picture(path.read_bytes(), str(path))


def decode_picture(stored: bytes, name: str) -> Picture:
    """The bytes of an image file as RGB; raises UserError when they cannot be decoded."""
    picture = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise UserError(f"{name} is no readable picture", "", "fetch the training data again")
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8, copy=False)


def resize(picture: Picture, width: int, height: int) -> Picture:
    """The picture at another size, averaged when smaller; (H, W, 1) keeps its axis."""
    method = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
    return resized if resized.ndim == 3 else resized[..., None]


def mirrored(picture: Picture) -> Picture:
    """The picture flipped left to right."""
    flipped = np.asarray(cv2.flip(picture, 1), np.uint8)
    return flipped if flipped.ndim == 3 else flipped[..., None]
