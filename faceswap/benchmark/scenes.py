"""A bundled face in frames of every size."""

from typing import NamedTuple

import cv2
import numpy as np

from faceswap.faces.landmarks import outer_eye_distance
from faceswap.io.documents import read_json
from faceswap.io.storyboard import frames_at
from faceswap.types import Frame, Points
from faceswap.workspace import assets

CANVASES = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}
FACE_PX = 400
# A face of the demo's actor, brow to chin, is this many outer-eye distances high.
_FACE_IN_EYE_DISTANCES = 1.6


class Scene(NamedTuple):
    """A frame with one face about FACE_PX high, and the face's landmarks in it."""

    frame: Frame
    landmarks: Points


def scene(canvas: tuple[int, int], moment: float = 0.3) -> Scene:
    """The demo's actor enlarged to a face of FACE_PX and set into the middle of a canvas (height, width)."""
    clip = assets() / "demo" / "actor_b.mp4"
    truth = read_json(clip.with_suffix(".json"))["frames"]
    # The truth counts from the corner of the first pixel.
    points = np.array(truth[int(moment * len(truth))]["landmarks68"], np.float32) - np.float32(0.5)
    scale = FACE_PX / (_FACE_IN_EYE_DISTANCES * outer_eye_distance(points))
    middle = np.array([canvas[1], canvas[0]], np.float64) / 2 - scale * points[27:31].mean(axis=0)
    to_canvas = np.column_stack([np.eye(2) * scale, middle])
    frame = cv2.warpAffine(frames_at(clip, [moment])[0], to_canvas, canvas[::-1], flags=cv2.INTER_CUBIC)
    return Scene(frame, (points * scale + middle).astype(np.float32))
