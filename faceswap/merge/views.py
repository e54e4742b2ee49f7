"""How a frame is looked at: the result, its mask, what is transparent, before and after."""

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from faceswap.merge.preview import Picture, Shown
from faceswap.types import Mask

View: TypeAlias = Literal["result", "original", "wipe", "side by side", "mask"]
VIEWS: tuple[View, ...] = get_args(View)
# As DeepFaceLab shows what is transparent (dfl-facts §11.8).
_CELL_PX, _KEPT, _LIGHT = 5, 0.75, 64


def picture(shown: Shown, view: View, checkerboard: bool) -> Picture:
    """What the view shows, (h, w, 3), or twice as wide side by side; the wipe's right side is the result."""
    if view == "original":
        return shown.original
    if view == "mask":
        grey = np.rint(shown.mask * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    result = over_checkerboard(shown.result, shown.mask) if checkerboard else shown.result
    return np.concatenate((shown.original, result), axis=1) if view == "side by side" else result


def over_checkerboard(picture: Picture, mask: Mask) -> Picture:
    """image · 0.75 + 64 · checker · (1 − alpha), in cells of 5 px (dfl-facts §11.8)."""
    rows, columns = (np.arange(length) // _CELL_PX % 2 for length in picture.shape[:2])
    checker: NDArray[np.float32] = (rows[:, None] ^ columns).astype(np.float32)
    mixed = picture * np.float32(_KEPT) + (_LIGHT * checker * (1 - mask))[..., None]
    return np.asarray(np.rint(mixed), np.uint8)
