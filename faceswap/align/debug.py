"""Frames with faces drawn in, to see at a glance what alignment found (deepfacelab.md §2.5)."""

from collections.abc import Iterable

import cv2
import numpy as np

from faceswap.align.analysis import FoundFace
from faceswap.geometry.geometry import apply_transform, invert_transform
from faceswap.geometry.landmarks import hull_mask
from faceswap.types import Frame, Points, Transform

_GREEN, _BLUE, _RED = (0, 255, 0), (0, 0, 255), (255, 0, 0)
_LINES = (range(17), range(17, 22), range(22, 27), (*range(27, 36), 30))
_LOOPS = (range(36, 42), range(42, 48), range(48, 68))


def draw_faces(frame: Frame, faces: Iterable[tuple[FoundFace, Transform]], size_px: int) -> Frame:
    """A copy of an RGB uint8 frame with hull, landmarks, box and crop square of each face.

    faces: each with its frame_to_face, whose crop has side `size_px`. Lines grow with the frame.
    """
    drawn = frame.copy()
    thick = max(1, round(max(frame.shape[:2]) / 960))
    for face, frame_to_face in faces:
        hull = hull_mask(face.landmarks, *frame.shape[:2])[..., None]
        np.copyto(drawn, drawn // 2, where=hull > 0)
        _draw_landmarks(drawn, face.landmarks, thick)
        left, top, right, bottom = np.rint(face.box).astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right, bottom), _BLUE, 2 * thick)
        _draw_crop(drawn, invert_transform(frame_to_face), size_px, thick)
    return drawn


def _draw_landmarks(drawn: Frame, landmarks: Points, thick: int) -> None:
    points = np.rint(landmarks).astype(np.int32)
    for lines, closed in ((_LINES, False), (_LOOPS, True)):
        for line in lines:
            cv2.polylines(drawn, [points[list(line)]], closed, _GREEN, thick, cv2.LINE_AA)
    for index, (x, y) in enumerate(points.tolist()):
        cv2.circle(drawn, (x, y), thick * (2 if index < 17 else 1), _GREEN, -1, cv2.LINE_AA)


def _draw_crop(drawn: Frame, face_to_frame: Transform, size_px: int, thick: int) -> None:
    last = size_px - 1
    square = np.array([(0, 0), (last, 0), (last, last), (0, last)], np.float64)
    # A triangle marks the crop's top left corner.
    corner = np.array([(0.05, 0), (0.1, 0.1), (0, 0.1)], np.float64) * size_px
    for shape in (square, corner):
        outline = np.rint(apply_transform(face_to_frame, shape)).astype(np.int32)
        cv2.polylines(drawn, [outline], True, _RED, 2 * thick, cv2.LINE_AA)
