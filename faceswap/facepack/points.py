"""The 68 points (iBUG order): groups, and the indices other annotations give them.

Sources of the index tables: FaceMesh vertices for iBUG points and the FRL template's counterparts
are the ones delivered with the training data.
"""

import numpy as np
from numpy.typing import NDArray

from faceswap.types import Points

POINTS_N = 68
JAW = np.arange(0, 17)
BROWS = np.arange(17, 27)
NOSE_RIDGE = np.arange(27, 31)
NOSE_BASE = np.arange(31, 36)
EYES = np.arange(36, 48)
LIPS = np.arange(48, 68)
INNER = np.arange(17, 68)

_MESH_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
# The delivered table's ridge (168 6 197 195) is unchecked and misses the stills' truth by 5 to 19 % of the
# outer-eye distance; these are the nearest vertices there (3 to 5 %).
_MESH_RIDGE = (168, 197, 195, 4)
_MESH_NOSE_BASE = (98, 97, 2, 326, 327)
_MESH_EYES = (33, 160, 157, 133, 153, 163, 362, 384, 387, 263, 390, 380)
_MESH_OUTER_LIP = (61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91)
_MESH_INNER_LIP = (78, 81, 13, 312, 308, 317, 14, 178)
# The iBUG points that FaceMesh knows, and its vertex for each; its jaw is a different curve.
MESH_POINTS: NDArray[np.int64] = np.concatenate([BROWS, NOSE_RIDGE, NOSE_BASE, EYES, LIPS])
MESH_VERTICES: NDArray[np.int64] = np.array(
    _MESH_BROWS + _MESH_RIDGE + _MESH_NOSE_BASE + _MESH_EYES + _MESH_OUTER_LIP + _MESH_INNER_LIP, np.int64
)
# FaceMesh's outline of the face, from the middle of the forehead over image right to the chin and back
# (the FACEMESH_FACE_OVAL of its documentation).
MESH_OVAL: NDArray[np.int64] = np.array([
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
])  # fmt: skip
# Around both brows: the upper edge outwards, the lower one back.
MESH_BROWS: NDArray[np.int64] = np.array([
    (107, 66, 105, 63, 70, 46, 53, 52, 65, 55), (336, 296, 334, 293, 300, 276, 283, 282, 295, 285)
])  # fmt: skip


def five_points(points: Points) -> Points:
    """(68, 2) to (5, 2): eye centres, nose tip, mouth corners, image-left first (insightface's order)."""
    eyes = [points[36:42].mean(0), points[42:48].mean(0)]
    return np.stack([*eyes, points[30], points[48], points[54]]).astype(np.float32)
