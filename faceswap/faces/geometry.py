"""Where a crop lies in its frame, in DeepFaceLab's geometry, and arithmetic with transforms.

DFL's crop matrix T counts from corners: it maps the crop's square to (0, 0) … (size, size), whose pixel
centres lie at i + ½ (dfl-facts §2.4, §16.2). DFL's landmarks, too, come from a cell index plus ½ (§5.2),
so T joins corner coordinates with corner coordinates. The workbench counts pixel centres at integers in
frames and in crops: T fitted to landmarks moved by (½, ½) is T moved along, hence
p ↦ T(p + ½) − ½ equals the T of the unmoved landmarks, less ½. `crop_transform` is that.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.template import ALIGN_POINTS, MEAN_FACE
from faceswap.types import FaceType, Points, Transform

_Vectors: TypeAlias = NDArray[np.float64]

# Padding around the mean face's square, as a fraction of its diagonal on either side (dfl-facts §2.1).
PADDING = {
    FaceType.HALF: 0.0,
    FaceType.MID_FULL: 0.0675,
    FaceType.FULL: 0.2109375,
    FaceType.WHOLE: 0.40,
    FaceType.HEAD: 0.70,
}
# How far the crop is moved towards the forehead, in sides of the mean face's square (dfl-facts §2.4).
_LIFT = {FaceType.WHOLE: 0.07, FaceType.HEAD: 0.50}


def crop_transform(landmarks: Points, size_px: int, face_type: FaceType, scale: float = 1.0) -> Transform:
    """The transform frame_to_face for a crop of `size_px`², from pixel centres to pixel centres.

    landmarks: (68, 2) in frame pixels. scale > 1 enlarges the face within the crop.
    """
    frame_to_face = dfl_crop_matrix(landmarks, size_px, face_type, scale)
    frame_to_face[:, 2] -= 0.5
    return frame_to_face


def dfl_crop_matrix(landmarks: Points, size_px: int, face_type: FaceType, scale: float = 1.0) -> Transform:
    """DFL's T (dfl-facts §2.4): the crop's corners in the landmarks' space go to 0 and `size_px`."""
    to_template = fit_similarity(np.asarray(landmarks, np.float64)[ALIGN_POINTS], MEAN_FACE)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0.5)], np.float64)
    g0, g1, g2, g3, center = apply_transform(invert_transform(to_template), square)
    falling, rising = _unit(g2 - g0), _unit(g1 - g3)
    half_diagonal = float(np.linalg.norm(g0 - g2)) * (PADDING[face_type] * np.sqrt(2) + 0.5) / scale
    center = center + _LIFT.get(face_type, 0.0) * (g0 - g3)
    if face_type is FaceType.HEAD:
        yaw = _average_yaw(apply_transform(to_template, landmarks))
        center = center + (g1 - g0) * (yaw * abs(np.tanh(2 * yaw)) / 2)
    corners = np.stack([center - half_diagonal * falling, center + half_diagonal * rising])
    corners = np.vstack([corners, center + half_diagonal * falling])
    target = np.array([(0, 0), (size_px, 0), (size_px, size_px)], np.float64)
    return np.linalg.solve(np.column_stack([corners, np.ones(3)]), target).T


def fit_similarity(source: _Vectors, target: _Vectors) -> Transform:
    """The rotation, scale and shift that take `source` nearest to `target`, both (N, 2).

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, equations 40-43.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    centred = source - source_mean
    u, singular, vt = np.linalg.svd((target - target_mean).T @ centred / len(source))
    sign = np.array([1.0, 1.0 if np.linalg.det(u) * np.linalg.det(vt) > 0 else -1.0])
    rotation = u @ np.diag(sign) @ vt
    scale = float(singular @ sign) / float(centred.var(0).sum())
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def resize_transform(from_px: int, to_px: int) -> Transform:
    """The transform of a picture of side `from_px` resized to `to_px`, with corners staying corners.

    s = to/from; pixel centres go to s·x + (s − 1)/2.
    """
    scale = to_px / from_px
    return np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]], np.float64)


def apply_transform(a_to_b: Transform, points: NDArray[np.float32] | NDArray[np.float64]) -> _Vectors:
    """(N, 2) points of space a in space b, float64."""
    return np.asarray(points, np.float64) @ a_to_b[:, :2].T + a_to_b[:, 2]


def invert_transform(a_to_b: Transform) -> Transform:
    """b_to_a; numpy's LinAlgError when a_to_b flattens the plane."""
    linear = np.linalg.inv(a_to_b[:, :2])
    return np.column_stack([linear, -linear @ a_to_b[:, 2]])


def compose_transforms(b_to_c: Transform, a_to_b: Transform) -> Transform:
    """a_to_c: first a_to_b, then b_to_c."""
    return np.column_stack([b_to_c[:, :2] @ a_to_b[:, :2], b_to_c[:, :2] @ a_to_b[:, 2] + b_to_c[:, 2]])


def _unit(vector: _Vectors) -> _Vectors:
    return vector / np.linalg.norm(vector)


def _average_yaw(points: _Vectors) -> float:
    """How much farther the nose ridge is from the right jaw edge than from the left (dfl-facts §2.6)."""
    x = points[:, 0]
    left = np.mean(x[[27, 28, 29]] - x[[0, 1, 2]])
    right = np.mean(x[[16, 15, 14]] - x[[27, 28, 29]])
    return float(right - left)
