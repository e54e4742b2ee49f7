"""Seamless cloning: a face keeps its detail and takes the light it meets at its edge.

Pérez, Gangnet, Blake, "Poisson image editing", SIGGRAPH 2003, equation 3: the picture whose gradients are
the face's inside the region and the surroundings' elsewhere, as near as can be. It is solved in the crop,
at the model's resolution: what is added to the face is smooth, so nothing is lost by that, it costs the
same in any frame, 16 bits stay 16 bits, and no mask is too small or too near the border.
cv2.seamlessClone gives the same look from the frame's pixels; it knows 8 bits only, refuses masks at the
border and takes seven times as long for a face of 400 px.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

from faceswap.types import Image


def seamless_clone(face: Image, around: Image, region: NDArray[np.bool_]) -> Image:
    """`face` (R, R, 3) where `region` (R, R) holds, fitted into `around`; not clipped.

    The region's bounding box keeps `around` on its rim; between that and the region both give way, as in
    cv2.seamlessClone. A region too small to be fitted gives `face`.
    """
    left, top, width, height = cv2.boundingRect(region.astype(np.uint8))
    box = slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)
    change = face[box] - around[box]
    if min(change.shape[:2]) < 3:
        return face
    inside = region[box][..., None]
    across = np.diff(change, axis=1) * (inside[:, 1:] & inside[:, :-1])
    down = np.diff(change, axis=0) * (inside[1:] & inside[:-1])
    wanted = np.diff(across, axis=1)[1:-1] + np.diff(down, axis=0)[:, 1:-1]
    result = around.copy()
    result[box][1:-1, 1:-1] += _solve_poisson(wanted)
    return result


def _solve_poisson(laplacian: Image) -> Image:
    """The picture (H, W, 3) with this Laplacian that is 0 just outside, exact by sine transforms.

    Buzbee, Golub, Nielson, "On direct methods for solving Poisson's equations", 1970.
    """
    rows, columns = (
        2 * np.cos(np.pi * np.arange(1, side + 1) / (side + 1)) - 2 for side in laplacian.shape[:2]
    )
    factors = (rows[:, None] + columns).astype(np.float32)[..., None]
    return np.asarray(idstn(dstn(laplacian, 1, axes=(0, 1)) / factors, 1, axes=(0, 1)), np.float32)
