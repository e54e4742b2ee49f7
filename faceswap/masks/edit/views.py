"""Ways to look at a crop and its masks."""

from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import Mask

View: TypeAlias = Literal["image", "mask", "overlay", "stored"]

_NO_MASK = np.uint8(40)


def picture(
    crop: NDArray[np.uint8], view: View, drawn: Mask, stored: Mask | None, *, dim_by_stored: bool = False
) -> NDArray[np.uint8]:
    """(H, H, 3) uint8 of a crop of that shape, the mask drawn on it (H, H), and the stored one of any size.

    image: the crop; mask, stored: the mask as grey, an even dark where none is stored; overlay: the crop at
    half brightness outside the drawn mask (deepfacelab.md §6.5). dim_by_stored: in image and overlay,
    outside the stored one instead.
    """
    if stored is not None and stored.shape != drawn.shape:
        stored = np.asarray(cv2.resize(stored, drawn.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    if view == "mask" or (view == "stored" and stored is not None):
        shown = drawn if view == "mask" or stored is None else stored
        return np.repeat(np.rint(255 * shown).astype(np.uint8)[..., None], 3, 2)
    if view == "stored":
        return np.full_like(crop, _NO_MASK)
    inside = stored if dim_by_stored else drawn if view == "overlay" else None
    if inside is None:
        return crop
    return np.asarray(crop * (0.5 + 0.5 * inside[..., None]), np.uint8)
