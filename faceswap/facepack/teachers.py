"""Small public models that label training pictures: YuNet and RFB-640 boxes, FaceMesh points.

Input and output conventions were read off the files themselves: YuNet (Wu et al. 2023) takes raw BGR
and predicts per cell of stride s the centre offset and log size in strides; RFB-640
(Linzaier/Ultra-Light-Fast-Generic-Face-Detector-1MB) predicts corner fractions; FaceMesh
(Kartynnik et al. 2019) takes a 192 px RGB crop in [0, 1] and returns 468 (x, y, z) in its pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.augment.pictures import Picture
from faceswap.geometry.boxes import Boxes, iou_matrix, suppress
from faceswap.geometry.landmarks import MESH_POINTS, MESH_VERTICES
from faceswap.types import Points

MESH_SIZE = 192


@dataclass(frozen=True)
class Found:
    """Faces of one picture: boxes (N, 4) corners in px, scores (N,), five points (N, 5, 2) in px."""

    boxes: Boxes
    scores: NDArray[np.float32]
    five: NDArray[np.float32]


class Teachers:
    """The three labelling models, one thread each; `folder` holds their ONNX files."""

    def __init__(self, folder: Path) -> None:
        self._yunet = _session(folder / "yunet_n_dynamic.onnx")
        self._rfb = _session(folder / "ultralight_rfb_640.onnx")
        self._mesh = _session(folder / "facemesh_468.onnx")

    def yunet(self, frame: Picture, threshold: float = 0.6) -> Found:
        """Faces with their five points in an RGB uint8 frame of any size."""
        height, width = frame.shape[:2]
        padded = cv2.copyMakeBorder(frame, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
        blob = padded[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        outputs = dict(zip(_names(self._yunet), self._yunet.run(None, {"input": blob}), strict=True))
        parts = [_decode_yunet(outputs, stride, padded.shape[1]) for stride in (8, 16, 32)]
        scores, boxes, five = (np.concatenate(part) for part in zip(*parts, strict=True))
        chosen = scores >= threshold
        scores, boxes, five = scores[chosen], boxes[chosen], five[chosen]
        kept = suppress(boxes, scores, 0.4)
        return Found(boxes[kept], scores[kept], five[kept])

    def rfb(self, frame: Picture, threshold: float = 0.6) -> Boxes:
        """(N, 4) boxes in px, best first; the model sees the frame stretched to 640 × 480."""
        blob = cv2.resize(frame, (640, 480)).astype(np.float32).transpose(2, 0, 1)[None]
        scores, boxes = self._rfb.run(None, {"input": (blob - 127) / 128})
        chosen = scores[0, :, 1] >= threshold
        height, width = frame.shape[:2]
        found = boxes[0][chosen] * np.array([width, height, width, height], np.float32)
        return np.asarray(found[suppress(found, scores[0, chosen, 1], 0.4)], np.float32)

    def agreed(self, frame: Picture, least_iou: float = 0.5) -> Found:
        """YuNet's faces that RFB-640 also finds with an overlap of at least `least_iou`."""
        found, other = self.yunet(frame), self.rfb(frame)
        agreed = iou_matrix(found.boxes, other).max(1, initial=0) >= least_iou
        return Found(found.boxes[agreed], found.scores[agreed], found.five[agreed])

    def mesh(self, frame: Picture, five: Points) -> Points:
        """The FaceMesh points of one face, given five points: (68, 2) in px, NaN where unmapped."""
        points = np.full((68, 2), np.nan, np.float32)
        points[MESH_POINTS] = self.vertices(frame, five)[MESH_VERTICES]
        return points

    def vertices(self, frame: Picture, five: Points) -> NDArray[np.float64]:
        """All (468, 2) FaceMesh vertices of one face in px, given five points.

        Two passes: a crop from the five points, then one from the first answer's bounds, each turned
        so that the eyes are level and 1.5 × as wide as the face (MediaPipe's own region).
        """
        eyes, mouth = five[:2].mean(0), five[3:].mean(0)
        side = 4.2 * max(float(np.linalg.norm(five[1] - five[0])), float(np.linalg.norm(mouth - eyes)))
        vertices = self._run_mesh(frame, (eyes + mouth) / 2, side, five[1] - five[0])
        axis = vertices[263] - vertices[33]
        turned = vertices @ _turn(axis).T
        low, high = turned.min(0), turned.max(0)
        center = ((low + high) / 2) @ _turn(axis)
        return self._run_mesh(frame, center, 1.5 * float((high - low).max()), axis)

    def _run_mesh(self, frame: Picture, center: Points, side: float, axis: Points) -> NDArray[np.float64]:
        linear = MESH_SIZE / side * _turn(axis)
        shift = (MESH_SIZE - 1) / 2 - linear @ center
        crop = cv2.warpAffine(frame, np.column_stack([linear, shift]), (MESH_SIZE, MESH_SIZE))
        (output,) = self._mesh.run(None, {_input(self._mesh): crop[None].astype(np.float32) / 255})
        vertices = np.asarray(output, np.float64).reshape(-1, 3)[:, :2]
        return (vertices - shift) @ np.linalg.inv(linear).T


def _turn(axis: NDArray[Any]) -> NDArray[np.float64]:
    """The rotation that makes `axis` point right."""
    x, y = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    return np.array([[x, y], [-y, x]])


def _decode_yunet(outputs: dict[str, Any], stride: int, width: int) -> tuple[Any, Any, Any]:
    scores = np.sqrt(np.clip(outputs[f"cls_{stride}"][0, :, 0] * outputs[f"obj_{stride}"][0, :, 0], 0, 1))
    index = np.arange(len(scores))
    cells = np.stack([index % (width // stride), index // (width // stride)], 1).astype(np.float32)
    raw = outputs[f"bbox_{stride}"][0]
    center, size = (cells + raw[:, :2]) * stride, np.exp(raw[:, 2:]) * stride
    five = (outputs[f"kps_{stride}"][0].reshape(-1, 5, 2) + cells[:, None]) * stride
    return scores, np.concatenate([center - size / 2, center + size / 2], 1), five


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _names(session: Any) -> list[str]:
    return [output.name for output in session.get_outputs()]


def _input(session: Any) -> str:
    return str(session.get_inputs()[0].name)
