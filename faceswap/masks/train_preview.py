"""What a person looks at while a mask network trains."""

from collections.abc import Sequence

import numpy as np

from faceswap.io.captions import base_px, line_px, write
from faceswap.types import Frame, Image, Mask

# In this order (dfl-facts §6.2).
COLUMNS = ("face, truth", "predicted mask", "face, predicted")
_GREEN = np.array([0.0, 1.0, 0.0], np.float32)
_GAP_PX, _ACROSS, _PAPER = 4, 2, 24


def preview_sheet(
    images: Sequence[Image], truths: Sequence[Mask], predicted: Sequence[Mask], title: str
) -> Frame:
    """(H, W, 3) uint8: `title`, and for each face, two to a row, its COLUMNS.

    Half of the colour outside a mask is green.
    """
    side = images[0].shape[0]
    pitch = side + _GAP_PX
    rows = -(-len(images) // _ACROSS)
    header = line_px(side)
    base, top, width = base_px(header), 2 * header, _ACROSS * len(COLUMNS) * pitch - _GAP_PX
    sheet = np.full((top + rows * pitch, width, 3), _PAPER, np.uint8)
    write(sheet, title, (_GAP_PX, base), height_px=header)
    for index, (image, truth, mask) in enumerate(zip(images, truths, predicted, strict=True)):
        cells = (tint_outside(image, truth), np.repeat(mask[..., None], 3, 2), tint_outside(image, mask))
        y = top + index // _ACROSS * pitch
        for column, (name, cell) in enumerate(zip(COLUMNS, cells, strict=True)):
            x = (index % _ACROSS * len(COLUMNS) + column) * pitch
            sheet[y : y + side, x : x + side] = np.rint(np.clip(cell, 0, 1) * 255).astype(np.uint8)
            if index < _ACROSS:
                write(sheet[:, : x + side], name, (x + _GAP_PX, header + base), height_px=header)
    return sheet


def tint_outside(image: Image, mask: Mask) -> Image:
    """The image with half green where the mask is 0."""
    outside = 0.5 * (1 - mask[..., None])
    return np.asarray(image * (1 - outside) + _GREEN * outside, np.float32)
