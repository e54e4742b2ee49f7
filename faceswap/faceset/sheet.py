"""A faceset at a glance: one picture of many crops."""

import cv2
import numpy as np

from faceswap.faceset.store import Faceset, read_face
from faceswap.io.images import as_uint8
from faceswap.types import Frame


def contact_sheet(faceset: Faceset, most: int = 120, tile_px: int = 128) -> Frame:
    """At most `most` faces, evenly spread over the set, in rows of a nearly 16:9 picture; RGB uint8."""
    count = min(most, len(faceset.faces))
    chosen = np.linspace(0, len(faceset.faces) - 1, count).round().astype(int)
    columns = max(1, round((count * 16 / 9) ** 0.5))
    rows = -(-count // columns)
    sheet = np.zeros((rows * tile_px, columns * tile_px, 3), np.uint8)
    for place, index in enumerate(chosen):
        crop = as_uint8(read_face(faceset.faces[index].path)[0])
        y, x = place // columns * tile_px, place % columns * tile_px
        how = cv2.INTER_AREA if crop.shape[0] > tile_px else cv2.INTER_CUBIC
        sheet[y : y + tile_px, x : x + tile_px] = cv2.resize(crop, (tile_px, tile_px), interpolation=how)
    return sheet
