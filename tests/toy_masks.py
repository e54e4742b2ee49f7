"""A set of faces in which a bright disc on a dark crop is the face, and networks that mask."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceswap.geometry.geometry import HEAD_MODEL, apply_transform, crop_transform, invert_transform
from faceswap.learn import checkpoint
from faceswap.masks.segmenter import KIND, WEIGHTS
from faceswap.models.segmenter import SegmenterSpec, build
from faceswap.types import FaceType, Image, Mask, Points

SIDE = 96


class Bright:
    """The simplest mask network: face is what is bright."""

    def __init__(self, face_type: FaceType = FaceType.WHOLE, input_px: int = 64) -> None:
        self.face_type, self.input_px, self.identity = face_type, input_px, f"bright-{face_type}"
        self.batches: list[int] = []

    def __call__(self, crops: Sequence[Image]) -> list[Mask]:
        self.batches.append(len(crops))
        assert all(crop.shape == (self.input_px, self.input_px, 3) for crop in crops)
        return [crop.mean(2) for crop in crops]


def landmarks_of(number: int) -> Points:
    """A mean head that moves a little to the right with every frame."""
    return (1.6 * HEAD_MODEL[:, :2] + (320 + 2 * number, 260)).astype(np.float32)


def disc(x: float, y: float, radius: float, side: int) -> Mask:
    yy, xx = np.indices((side, side), np.float32)
    return np.clip(radius - np.hypot(xx - x, yy - y), 0, 1).astype(np.float32)


def face_disc(landmarks: Points, face_type: FaceType, side: int, radius: float = 0.2) -> Mask:
    """A disc around the nose tip, `radius` sides of a whole-face crop in the frame, in a crop."""
    frame_to_whole = crop_transform(landmarks, 1000, FaceType.WHOLE)
    frame_to_crop = crop_transform(landmarks, side, face_type)
    middle = apply_transform(frame_to_crop, landmarks[30:31])[0]
    whole_to_frame = invert_transform(frame_to_whole)
    scale = np.sqrt(abs(np.linalg.det(frame_to_crop[:, :2] @ whole_to_frame[:, :2])))
    return disc(*middle, radius * 1000 * scale, side)


def save_network(folder: Path, face_type: FaceType = FaceType.WHOLE, seed: int = 0) -> Path:
    """A model folder with the smallest XSeg there is, untrained."""
    spec = SegmenterSpec("xseg", base_dims=2, input_px=64)
    state = {"iteration": 0, "kind": KIND, "spec": spec.to_json(), "face_type": str(face_type)}
    checkpoint.save(folder, {WEIGHTS: build(spec, seed).state_dict()}, state)
    return folder
