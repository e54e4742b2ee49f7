"""Face boxes of a frame from the pack's finder, in the frame as it is or turned."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.facepack.boxes import Boxes
from faceswap.faces.geometry import apply_transform, compose_transforms
from faceswap.faces.packs import Pack
from faceswap.io.images import as_uint8
from faceswap.types import Frame, Transform

# The finder sees the frame with this longer side; small frames are enlarged at most twofold.
FINDER_PX = 640
# Degrees clockwise, in the order of dfl-facts §5.3, with cv2's codes.
TURNS = {
    0: None,
    90: cv2.ROTATE_90_CLOCKWISE,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
}


def shrink(frame: Frame) -> tuple[Frame, Transform]:
    """The frame as the finder sees it, uint8, and small_to_frame."""
    height, width = frame.shape[:2]
    scale = min(FINDER_PX / max(height, width), 2.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    stretch = np.array([width, height], np.float64) / size
    return as_uint8(small), np.column_stack([np.diag(stretch), (stretch - 1) / 2])


def find_boxes(
    pack: Pack, small: Frame, small_to_frame: Transform, degrees: int
) -> list[tuple[Boxes, float]]:
    """Boxes (4,) in frame pixels with their scores, largest first, found in the turned picture."""
    code = TURNS[degrees]
    found = run_finder(pack, small if code is None else cv2.rotate(small, code))
    to_frame = compose_transforms(small_to_frame, turn_back(degrees, *small.shape[:2]))
    boxes = []
    for row in found:
        corners = apply_transform(to_frame, row[:4].reshape(2, 2))
        box = np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32)
        boxes.append((box, float(row[4])))
    return sorted(boxes, key=lambda item: -area(item[0]))


def run_finder(pack: Pack, picture: Frame) -> NDArray[np.float32]:
    """(N, 5): corners in the picture's pixels and score, of an RGB uint8 picture at its own size."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if pack.finder.static_input_size is not None:
        return np.asarray(pack.finder.detect(bgr)[0], np.float32)
    # Just enough padding for the finder's largest stride, instead of insightface's square.
    height, width = (-(-side // 32) * 32 for side in bgr.shape[:2])
    below, right = height - bgr.shape[0], width - bgr.shape[1]
    padded = cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return np.asarray(pack.finder.detect(padded, input_size=(width, height))[0], np.float32)


def turn_back(degrees: int, height: int, width: int) -> Transform:
    """From pixels of a picture turned clockwise by `degrees` to those of the picture (height × width)."""
    return {
        0: np.array([[1, 0, 0], [0, 1, 0]], np.float64),
        90: np.array([[0, 1, 0], [-1, 0, height - 1]], np.float64),
        180: np.array([[-1, 0, width - 1], [0, -1, height - 1]], np.float64),
        270: np.array([[0, -1, width - 1], [1, 0, 0]], np.float64),
    }[degrees]


def area(box: Boxes) -> float:
    """px² of a box (4,)."""
    return float(np.prod(box[2:] - box[:2]))
