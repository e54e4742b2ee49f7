"""Where a crop lies in its frame, in DeepFaceLab's geometry, and arithmetic with transforms.

DFL's crop matrix T counts from corners: it maps the crop's square to (0, 0) … (size, size), whose pixel
centres lie at i + ½ (deepfacelab.md §2.4, §16.2). DFL's landmarks, too, come from a cell index plus ½ (§5.2),
so T joins corner coordinates with corner coordinates. The workbench counts pixel centres at integers in
frames and in crops: T fitted to landmarks moved by (½, ½) is T moved along, hence
p ↦ T(p + ½) − ½ equals the T of the unmoved landmarks, less ½. `crop_transform` is that.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceswap.types import FaceType, Points, Transform

# The points that drive the crop: brows, nose, eyes and the two mouth corners (deepfacelab.md §2.2).
ALIGN_POINTS: NDArray[np.int64] = np.array([*range(17, 49), 54], np.int64)

# Where a mean face has the ALIGN_POINTS: (33, 2) in the unit square, x right, y down (deepfacelab.md §2.2).
# fmt: off
MEAN_FACE: NDArray[np.float64] = np.array([
    (0.000213256, 0.106454), (0.0752622, 0.038915), (0.18113, 0.0187482), (0.29077, 0.0344891),
    (0.393397, 0.0773906), (0.586856, 0.0773906), (0.689483, 0.0344891), (0.799124, 0.0187482),
    (0.904991, 0.038915), (0.98004, 0.106454), (0.490127, 0.203352), (0.490127, 0.307009),
    (0.490127, 0.409805), (0.490127, 0.515625), (0.36688, 0.587326), (0.426036, 0.609345),
    (0.490127, 0.628106), (0.554217, 0.609345), (0.613373, 0.587326), (0.121737, 0.216423),
    (0.187122, 0.178758), (0.265825, 0.179852), (0.334606, 0.231733), (0.260918, 0.245099),
    (0.182743, 0.244077), (0.645647, 0.231733), (0.714428, 0.179852), (0.793132, 0.178758),
    (0.858516, 0.216423), (0.79751, 0.244077), (0.719335, 0.245099), (0.254149, 0.780233),
    (0.726104, 0.780233),
], np.float64)

# A mean head: (68, 3), X right, Y down, Z away from the camera, about millimetres (deepfacelab.md §2.7).
HEAD_MODEL: NDArray[np.float64] = np.array([
    (-73.393523, -29.801432, 47.667532), (-72.775014, -10.949766, 45.909403),
    (-70.533638, 7.929818, 44.84258), (-66.850058, 26.07428, 43.141114),
    (-59.790187, 42.56439, 38.635298), (-48.368973, 56.48108, 30.750622),
    (-34.121101, 67.246992, 18.456453), (-17.875411, 75.056892, 3.609035),
    (0.098749, 77.061286, -0.881698), (17.477031, 74.758448, 5.181201),
    (32.648966, 66.929021, 19.176563), (46.372358, 56.311389, 30.77057),
    (57.34348, 42.419126, 37.628629), (64.388482, 25.45588, 40.886309),
    (68.212038, 6.990805, 42.281449), (70.486405, -11.666193, 44.142567),
    (71.375822, -30.365191, 47.140426), (-61.119406, -49.361602, 14.254422),
    (-51.287588, -58.769795, 7.268147), (-37.8048, -61.996155, 0.442051),
    (-24.022754, -61.033399, -6.606501), (-11.635713, -56.686759, -11.967398),
    (12.056636, -57.391033, -12.051204), (25.106256, -61.902186, -7.315098),
    (38.338588, -62.777713, -1.022953), (51.191007, -59.302347, 5.349435),
    (60.053851, -50.190255, 11.615746), (0.65394, -42.19379, -13.380835),
    (0.804809, -30.993721, -21.150853), (0.992204, -19.944596, -29.284036),
    (1.226783, -8.414541, -36.94806), (-14.772472, 2.598255, -20.132003),
    (-7.180239, 4.751589, -23.536684), (0.55592, 6.5629, -25.944448),
    (8.272499, 4.661005, -23.695741), (15.214351, 2.643046, -20.858157),
    (-46.04729, -37.471411, 7.037989), (-37.674688, -42.73051, 3.021217),
    (-27.883856, -42.711517, 1.353629), (-19.648268, -36.754742, -0.111088),
    (-28.272965, -35.134493, -0.147273), (-38.082418, -34.919043, 1.476612),
    (19.265868, -37.032306, -0.665746), (27.894191, -43.342445, 0.24766),
    (37.437529, -43.110822, 1.696435), (45.170805, -38.086515, 4.894163),
    (38.196454, -35.532024, 0.282961), (28.764989, -35.484289, -1.172675),
    (-28.916267, 28.612716, -2.24031), (-17.533194, 22.172187, -15.934335),
    (-6.68459, 19.029051, -22.611355), (0.381001, 20.721118, -23.748437),
    (8.375443, 19.03546, -22.721995), (18.876618, 22.394109, -15.610679),
    (28.794412, 28.079924, -3.217393), (19.057574, 36.298248, -14.987997),
    (8.956375, 39.634575, -22.554245), (0.381549, 40.395647, -23.591626),
    (-7.428895, 39.836405, -22.406106), (-18.160634, 36.677899, -15.121907),
    (-24.37749, 28.677771, -4.785684), (-6.897633, 25.475976, -20.893742),
    (0.340663, 26.014269, -22.220479), (8.444722, 25.326198, -21.02552),
    (24.474473, 28.323008, -5.712776), (8.449166, 30.596216, -20.671489),
    (0.205322, 31.408738, -21.90367), (-7.198266, 30.844876, -20.328022),
], np.float64)
# fmt: on


_Vectors: TypeAlias = NDArray[np.float64]

# Padding around the mean face's square, as a fraction of its diagonal on either side (deepfacelab.md §2.1).
PADDING = {
    FaceType.HALF: 0.0,
    FaceType.MID_FULL: 0.0675,
    FaceType.FULL: 0.2109375,
    FaceType.WHOLE: 0.40,
    FaceType.HEAD: 0.70,
}
# How far the crop is moved towards the forehead, in sides of the mean face's square (deepfacelab.md §2.4).
_LIFT = {FaceType.WHOLE: 0.07, FaceType.HEAD: 0.50}


def crop_transform(landmarks: Points, size_px: int, face_type: FaceType, scale: float = 1.0) -> Transform:
    """The transform frame_to_face for a crop of `size_px`², from pixel centres to pixel centres.

    landmarks: (68, 2) in frame pixels. scale > 1 enlarges the face within the crop.
    """
    frame_to_face = dfl_crop_matrix(landmarks, size_px, face_type, scale)
    frame_to_face[:, 2] -= 0.5
    return frame_to_face


def dfl_crop_matrix(landmarks: Points, size_px: int, face_type: FaceType, scale: float = 1.0) -> Transform:
    """DFL's T (deepfacelab.md §2.4): the crop's corners in the landmarks' space go to 0 and `size_px`."""
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
    """How much farther the nose ridge is from the right jaw edge than from the left (deepfacelab.md §2.6)."""
    x = points[:, 0]
    left = np.mean(x[[27, 28, 29]] - x[[0, 1, 2]])
    right = np.mean(x[[16, 15, 14]] - x[[27, 28, 29]])
    return float(right - left)
