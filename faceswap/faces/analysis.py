"""Faces of a frame: boxes from the pack's finder, 68 landmarks from its landmarker.

insightface cuts a landmarker's input so that 1.5 × the longer side of the box fills it. Here that cut is
made from the full frame by `cut_crop` (area-aware, at any angle) and handed over with the box for which
insightface's own cut is the identity: every pass interpolates once, and no full frame is rotated.
BGR appears only where insightface's models are called.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.facepack.boxes import Boxes, box_from_landmarks, iou_matrix
from faceswap.facepack.points import five_points
from faceswap.faces.geometry import (
    apply_transform,
    compose_transforms,
    crop_transform,
    fit_similarity,
    invert_transform,
)
from faceswap.faces.packs import Pack
from faceswap.faces.warp import as_uint8, cut_crop
from faceswap.types import FaceType, Frame, Points, Transform

# The finder sees the frame with this longer side; small frames are enlarged at most twofold.
FINDER_PX = 640
_BOX_TO_INPUT = 1.5
# Degrees clockwise, in the order of dfl-facts §5.3, with cv2's codes.
_TURNS = {
    0: None,
    90: cv2.ROTATE_90_CLOCKWISE,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
}
_DUPLICATE_IOU = 0.6
# Least score of a face that is worth a second look, the crop that look is at, and how near it must agree.
_FAINT = 0.25
_CHECK_PX = 320
_SAME_PLACE_IOU = 0.4


@dataclass(frozen=True, eq=False)
class FoundFace:
    """box (4,) left, top, right, bottom and landmarks (68, 2) in frame pixels; score 0 … 1."""

    box: Boxes
    score: float
    landmarks: Points
    embedding: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Analyst:
    """Finds the faces of one frame at a time; may be called from several threads.

    min_face_px: boxes whose shorter side is smaller are ignored. max_faces: the largest this many,
    0 = all. passes: 2 places the landmarks again, on a cut made upright around the first ones.
    threshold: score from which a face found upright is believed at once. When there is none, faint
    upright ones and those in the frame turned by 90, 270, 180 degrees (`rotations`) are looked at
    again from near, upright, and kept if the finder then believes them.
    """

    pack: Pack
    min_face_px: int = 40
    max_faces: int = 0
    passes: int = 2
    threshold: float = 0.5
    rotations: bool = True

    def __post_init__(self) -> None:
        self.pack.finder.prepare(0, det_thresh=min(_FAINT, self.threshold))

    def find(self, frame: Frame) -> list[FoundFace]:
        """The faces of an RGB frame (uint8 or uint16), largest box first."""
        small, small_to_frame = _shrink(frame)
        upright = self._boxes(small, small_to_frame, 0)
        believed = [(box, score) for box, score in upright if score >= self.threshold]
        if believed:
            return self._faces(frame, believed, 0)
        for degrees in _TURNS if self.rotations else (0,):
            boxes = upright if degrees == 0 else self._boxes(small, small_to_frame, degrees)
            faces = [face for face in self._faces(frame, boxes, degrees) if self._holds_up(frame, face)]
            if faces:
                return faces
        return []

    def _holds_up(self, frame: Frame, face: FoundFace) -> bool:
        """Whether the finder sees a face again in an upright crop around the landmarks."""
        frame_to_crop = crop_transform(face.landmarks, _CHECK_PX, FaceType.HEAD)
        crop = as_uint8(cut_crop(frame, frame_to_crop, _CHECK_PX))
        expected = box_from_landmarks(apply_transform(frame_to_crop, face.landmarks).astype(np.float32))
        seen = self._run_finder(crop)
        seen = seen[seen[:, 4] >= self.threshold]
        return bool((iou_matrix(seen[:, :4], expected[None]) >= _SAME_PLACE_IOU).any())

    def _boxes(self, small: Frame, small_to_frame: Transform, degrees: int) -> list[tuple[Boxes, float]]:
        """Boxes in frame pixels with their scores, largest first, found in the turned picture."""
        code = _TURNS[degrees]
        found = self._run_finder(small if code is None else cv2.rotate(small, code))
        to_frame = compose_transforms(small_to_frame, turn_back(degrees, *small.shape[:2]))
        boxes = [(_bounds(apply_transform(to_frame, row[:4].reshape(2, 2))), float(row[4])) for row in found]
        boxes = [(box, score) for box, score in boxes if (box[2:] - box[:2]).min() >= self.min_face_px]
        return sorted(boxes, key=lambda item: -float(np.prod(item[0][2:] - item[0][:2])))

    def _faces(self, frame: Frame, boxes: Iterable[tuple[Boxes, float]], degrees: int) -> list[FoundFace]:
        faces: list[FoundFace] = []
        for box, score in boxes:
            landmarks = self._place(frame, box, np.deg2rad(degrees))
            if any(_same_face(landmarks, face.landmarks) for face in faces):
                continue
            faces.append(FoundFace(box, score, landmarks, self._embed(frame, landmarks)))
            if len(faces) == self.max_faces:
                break
        return faces

    def _run_finder(self, picture: Frame) -> NDArray[np.float32]:
        """(N, 5): corners in the picture's pixels, score."""
        finder = self.pack.finder
        bgr = np.ascontiguousarray(picture[..., ::-1])
        if finder.static_input_size is not None:
            return np.asarray(finder.detect(bgr)[0], np.float32)
        # Just enough padding for the finder's largest stride, instead of insightface's square.
        height, width = (-(-side // 32) * 32 for side in bgr.shape[:2])
        below, right = height - bgr.shape[0], width - bgr.shape[1]
        padded = cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_CONSTANT)
        return np.asarray(finder.detect(padded, input_size=(width, height))[0], np.float32)

    def _place(self, frame: Frame, box: Boxes, angle: float) -> Points:
        center, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
        landmarks = self._run_landmarker(frame, center, side, angle)
        for _ in range(self.passes - 1):
            landmarks = self._run_landmarker(frame, *_upright_box(landmarks))
        return landmarks

    def _run_landmarker(self, frame: Frame, center: NDArray[Any], side: float, angle: float) -> Points:
        """Landmarks in frame pixels from a box given by centre and side, in a picture turned by `angle`."""
        from insightface.app.common import Face

        input_px = int(self.pack.landmarker.input_size[0])
        linear = _rotation(angle) * (input_px / (_BOX_TO_INPUT * side))
        # insightface's cut puts the box's centre on pixel coordinate size / 2, not (size - 1) / 2.
        frame_to_input = np.column_stack([linear, input_px / 2 - linear @ center])
        cut = as_uint8(cut_crop(frame, frame_to_input, input_px))
        margin = input_px * (1 - 1 / _BOX_TO_INPUT) / 2
        face = Face(bbox=np.array([margin, margin, input_px - margin, input_px - margin], np.float32))
        points = self.pack.landmarker.get(np.ascontiguousarray(cut[..., ::-1]), face)[:, :2]
        return apply_transform(invert_transform(frame_to_input), points).astype(np.float32)

    def _embed(self, frame: Frame, landmarks: Points) -> NDArray[np.float32] | None:
        """The recogniser's vector of a face, (D,); None when the pack has no recogniser."""
        if self.pack.recogniser is None:
            return None
        from insightface.utils.face_align import arcface_dst

        input_px = int(self.pack.recogniser.input_size[0])
        five = five_points(landmarks).astype(np.float64)
        frame_to_cut = fit_similarity(five, arcface_dst.astype(np.float64) * (input_px / 112))
        cut = as_uint8(cut_crop(frame, frame_to_cut, input_px))
        embedding = self.pack.recogniser.get_feat(np.ascontiguousarray(cut[..., ::-1]))
        return np.asarray(embedding, np.float32).ravel()


def turn_back(degrees: int, height: int, width: int) -> Transform:
    """From pixels of a picture turned clockwise by `degrees` to those of the picture (height × width)."""
    return {
        0: np.array([[1, 0, 0], [0, 1, 0]], np.float64),
        90: np.array([[0, 1, 0], [-1, 0, height - 1]], np.float64),
        180: np.array([[-1, 0, width - 1], [0, -1, height - 1]], np.float64),
        270: np.array([[0, -1, width - 1], [1, 0, 0]], np.float64),
    }[degrees]


def _shrink(frame: Frame) -> tuple[Frame, Transform]:
    """The frame as the finder sees it, uint8, and small_to_frame."""
    height, width = frame.shape[:2]
    scale = min(FINDER_PX / max(height, width), 2.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    stretch = np.array([width, height], np.float64) / size
    return as_uint8(small), np.column_stack([np.diag(stretch), (stretch - 1) / 2])


def _upright_box(landmarks: Points) -> tuple[NDArray[np.float64], float, float]:
    """Centre, side and turning angle of the box around landmarks once their roll is taken away."""
    axis = landmarks[42:48].mean(0) - landmarks[36:42].mean(0)
    angle = -float(np.arctan2(axis[1], axis[0]))
    to_upright = _rotation(angle)
    box = box_from_landmarks((landmarks @ to_upright.T).astype(np.float32))
    return to_upright.T @ ((box[:2] + box[2:]) / 2), float((box[2:] - box[:2]).max()), angle


def _rotation(angle: float) -> NDArray[np.float64]:
    """Clockwise on the screen (y points down), radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _bounds(points: NDArray[np.float64]) -> Boxes:
    return np.concatenate([points.min(0), points.max(0)]).astype(np.float32)


def _same_face(first: Points, second: Points) -> bool:
    boxes = [box_from_landmarks(points)[None] for points in (first, second)]
    return bool(iou_matrix(boxes[0], boxes[1])[0, 0] > _DUPLICATE_IOU)
