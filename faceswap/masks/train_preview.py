"""What a person looks at while a mask network trains."""

from collections.abc import Sequence

import cv2
import numpy as np

from faceswap.types import Frame, Image, Mask

# In this order (dfl-facts §6.2).
COLUMNS = ("face, truth", "predicted mask", "face, predicted")
_GREEN = np.array([0.0, 1.0, 0.0], np.float32)
_HEADER_PX, _GAP_PX, _ACROSS = 26, 4, 2
_PAPER, _INK = 24, (225, 225, 225)


def preview_sheet(
    images: Sequence[Image], truths: Sequence[Mask], predicted: Sequence[Mask], title: str
) -> Frame:
    """(H, W, 3) uint8: `title`, and for each face, two to a row, its COLUMNS.

    Half of the colour outside a mask is green.
    """
    side = images[0].shape[0]
    pitch = side + _GAP_PX
    rows = -(-len(images) // _ACROSS)
    top, width = 2 * _HEADER_PX, _ACROSS * len(COLUMNS) * pitch - _GAP_PX
    sheet = np.full((top + rows * pitch, width, 3), _PAPER, np.uint8)
    _write(sheet, title, (_GAP_PX, _HEADER_PX - 8))
    for index, (image, truth, mask) in enumerate(zip(images, truths, predicted, strict=True)):
        cells = (tint_outside(image, truth), np.repeat(mask[..., None], 3, 2), tint_outside(image, mask))
        y = top + index // _ACROSS * pitch
        for column, (name, cell) in enumerate(zip(COLUMNS, cells, strict=True)):
            x = (index % _ACROSS * len(COLUMNS) + column) * pitch
            sheet[y : y + side, x : x + side] = np.rint(np.clip(cell, 0, 1) * 255).astype(np.uint8)
            if index < _ACROSS:
                _write(sheet, name, (x + _GAP_PX, top - 8))
    return sheet


def tint_outside(image: Image, mask: Mask) -> Image:
    """The image with half green where the mask is 0."""
    outside = 0.5 * (1 - mask[..., None])
    return np.asarray(image * (1 - outside) + _GREEN * outside, np.float32)


def _write(picture: Frame, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
