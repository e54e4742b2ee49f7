"""The blur of a face that moves while the shutter is open (dfl-facts §2.9, §11.6)."""

import math

import cv2
import numpy as np

from faceswap.faces.geometry import apply_transform, crop_transform, invert_transform
from faceswap.types import FaceType, Image, Mask, Points, Transform

# DFL's longest blur is 50 pixels of the crop, a fifth of it at the resolution where its units are ours.
_LONGEST = 0.2
# DFL measures the movement of a full-face crop's middle, whatever the model's face type.
_CROP_PX = 256
_MIDDLE = np.array([[127.0, 127.0]])


def movement(before: Points, after: Points) -> tuple[float, float]:
    """How far (x, y) in frame pixels the face moves between two frames, from landmarks (68, 2) in each.

    For frame i DFL takes frames i − 1 and i + 1, at a clip's ends frame i itself for the missing one.
    """
    middles = [
        apply_transform(invert_transform(crop_transform(points, _CROP_PX, FaceType.FULL)), _MIDDLE)[0]
        for points in (before, after)
    ]
    x, y = middles[1] - middles[0]
    return float(x), float(y)


def blur_along(face: Image, motion: tuple[float, float], frame_to_face: Transform, power: int) -> Image:
    """The face blurred over `power` percent of its `motion`, a vector in frame pixels.

    Length and direction are those that the motion has in the crop. (DFL takes the frame's, so that its
    blur lies askew on a tilted head and grows with the frame's resolution, §16.66.)
    """
    across, down = frame_to_face[:, :2] @ np.array(motion)
    length_px = min(1 + power / 100 * math.hypot(across, down), max(1, _LONGEST * len(face)))
    kernel = motion_kernel(length_px, -math.degrees(math.atan2(down, across)))
    blurred = cv2.filter2D(face, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def motion_kernel(length_px: float, angle_deg: float) -> Mask:
    """A line of `length_px` ≥ 1 pixels through the middle of a square of odd side, its sum 1.

    angle_deg: from the x axis, counter-clockwise as seen. A line of one pixel changes nothing; parts of a
    pixel at its ends are shaded, so that the blur grows steadily from frame to frame.
    """
    reach = math.ceil((length_px - 1) / 2)
    side = 2 * reach + 1
    kernel = np.zeros((side, side), np.float32)
    kernel[reach] = np.clip(length_px / 2 + 0.5 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    turn = cv2.getRotationMatrix2D((reach, reach), angle_deg, 1.0)
    kernel = cv2.warpAffine(kernel, turn, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(kernel / kernel.sum(), np.float32)
