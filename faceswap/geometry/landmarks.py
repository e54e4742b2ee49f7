"""The 68 landmarks (iBUG order): groups, masks of face, eyes and mouth, pose, mirror order.

Sources of the index tables: FaceMesh vertices for iBUG points and the FRL template's counterparts
are the ones delivered with the training data.

Points count pixel centres at integers, so the pixel that contains a point is ⌊p + ½⌋, which is the
integer DFL gets by truncating its corner-counted landmarks; the masks draw with those (deepfacelab.md §16.7).
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.types import Mask, Points

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


# The convex parts whose union is the face (deepfacelab.md §2.8).
_HULL_PARTS: tuple[tuple[int, ...], ...] = (
    (*range(9), 17),
    (*range(8, 17), 26),
    (*range(17, 20), 8),
    (*range(24, 27), 8),
    (*range(19, 25), 8),
    (*range(17, 22), 27, *range(31, 36), 8),
    (*range(22, 27), 27, *range(31, 36), 8),
    (*range(27, 31), *range(31, 36)),
)
_EYES = (range(36, 42), range(42, 48))
_INNER_LIPS = (range(60, 68),)
_POSE_POINTS = np.array([*range(27), *range(30, 36)])
# Of eyes and lips, those in the left half of the picture.
_ROLL_POINTS = np.array([*range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67])

_MIRRORED_RUNS = (
    range(16, -1, -1), range(26, 16, -1), range(27, 31), range(35, 30, -1),
    (45, 44, 43, 42, 47, 46), (39, 38, 37, 36, 41, 40),
    range(54, 47, -1), range(59, 54, -1), range(64, 59, -1), range(67, 64, -1),
)  # fmt: skip
# FLIP_68[i] is the point that lies where i lay once the picture is mirrored left to right.
FLIP_68: NDArray[np.int64] = np.array([index for run in _MIRRORED_RUNS for index in run], np.int64)


def hull_mask(landmarks: Points, height: int, width: int, brow_expand: float = 1.0) -> Mask:
    """The face from jaw to raised brows as a hard mask (height, width) of 0 and 1 (deepfacelab.md §2.8).

    landmarks: (68, 2) in this picture's pixels. brow_expand: how far brows move up from the eyes,
    in half distances between the two; 0 leaves them.
    """
    return _fill(_expand_brows(_pixels(landmarks), brow_expand), _HULL_PARTS, height, width)


def eyes_mask(landmarks: Points, height: int, width: int) -> Mask:
    """Both eyes, widened by 1/32 and blurred by 1/16 of the height (deepfacelab.md §2.8). Height ≥ 32."""
    return _soften(_fill(_pixels(landmarks), _EYES, height, width))


def mouth_mask(landmarks: Points, height: int, width: int) -> Mask:
    """The opening between the lips, widened and blurred like the eyes (deepfacelab.md §2.8). Height ≥ 32."""
    return _soften(_fill(_pixels(landmarks), _INNER_LIPS, height, width))


def outer_eye_distance(landmarks: Points) -> float:
    """Distance in px between the outer eye corners (36, 45), the unit of landmark errors."""
    return float(np.linalg.norm(landmarks[36] - landmarks[45]))


def mirror_landmarks(landmarks: Points, width: int) -> Points:
    """The landmarks of the picture (`width` px wide) mirrored left to right, again in iBUG order."""
    mirrored = landmarks[FLIP_68].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored


def pose_deg(crop_landmarks: Points, size_px: int) -> tuple[float, float, float]:
    """Pitch, yaw (within ±90°) and roll (±180°) of landmarks in an aligned crop of side `size_px`.

    A camera of focal length `size_px` looks at a mean head; OpenCV's iterative PnP on 33 points, Euler
    angles as in deepfacelab.md §2.7, whose signs are kept: pitch > 0 looks up, yaw > 0 turns to image left,
    roll > 0 leans clockwise. Pitch and yaw are the numbers by which DFL sorts. PnP puts most aligned heads
    upside down behind the camera (deepfacelab.md §16.18), from where DFL gives rolls of ±90: those are turned
    back. This roll is the crop's, and rough, as it depends on the face type; `roll_deg` is the head's.
    """
    camera = np.array([[size_px, 0, size_px / 2], [0, size_px, size_px / 2], [0, 0, 1]], np.float64)
    # The principal point is a corner coordinate (the crop's middle), so the points become that, too.
    observed = np.asarray(crop_landmarks, np.float64)[_POSE_POINTS] + 0.5
    _, turn, shift = cv2.solvePnP(HEAD_MODEL[_POSE_POINTS], observed, camera, np.zeros((4, 1)))
    x, yaw, z = _euler_deg(turn)
    roll = z if shift[2, 0] > 0 else (z + 360) % 360 - 180
    return float(np.clip(-x, -90, 90)), yaw, roll


def roll_deg(landmarks: Points) -> float:
    """How far a head leans clockwise in the picture of its landmarks (68, 2), within ±180°.

    Lines between mirrored points are the head's x axis as the picture shows it, hence the last Euler angle
    of deepfacelab.md §2.7, at any pitch and yaw. Those of eyes and lips together: brows move alone, the
    jaw is an outline. On both synthetic actors within 3° of the truth in 399 of 400 frames as the bundled
    pack finds the points, and within 1.6° by their true points; by the eyes alone it is 394.
    """
    axis = (landmarks[FLIP_68[_ROLL_POINTS]] - landmarks[_ROLL_POINTS]).sum(0)
    return float(np.rad2deg(np.arctan2(axis[1], axis[0])))


def _euler_deg(turn: NDArray[np.float64]) -> tuple[float, float, float]:
    """Angles about x, y and z of a rotation vector (3, 1) (deepfacelab.md §2.7)."""
    r = cv2.Rodrigues(turn)[0]
    sy = float(np.hypot(r[0, 0], r[1, 0]))
    if sy < 1e-6:
        x, z = np.arctan2(-r[1, 2], r[1, 1]), 0.0
    else:
        x, z = np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    about_x, about_y, about_z = np.rad2deg([x, np.arctan2(-r[2, 0], sy), z])
    return float(about_x), float(about_y), float(about_z)


def _pixels(landmarks: Points) -> NDArray[np.int32]:
    return np.floor(np.asarray(landmarks, np.float64) + 0.5).astype(np.int32)


def _expand_brows(points: NDArray[np.int32], amount: float) -> NDArray[np.int32]:
    lower_right = np.stack([(points[36] + (points[36] + points[0]) // 2) // 2, *points[36:40]])
    lower_left = np.stack([*points[42:46], (points[45] + (points[16] + points[45]) // 2) // 2])
    expanded = points.copy()
    for brow, lower in ((slice(17, 22), lower_right), (slice(22, 27), lower_left)):
        expanded[brow] = (points[brow] + 0.5 * amount * (points[brow] - lower)).astype(np.int32)
    return expanded


def _fill(points: NDArray[np.int32], parts: Iterable[Sequence[int]], height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.float32)
    for part in parts:
        cv2.fillConvexPoly(mask, cv2.convexHull(points[list(part)]), 1.0)
    return mask


def _soften(mask: Mask) -> Mask:
    height = mask.shape[0]
    reach, blur = height // 32, (height // 16) | 1
    widened = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(cv2.GaussianBlur(widened, (blur, blur), 0), np.float32)
