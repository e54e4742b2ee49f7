"""One swapped face laid into one frame: pure, and only inside the face's rectangle.

Follows dfl-facts §11.3 in effect. It differs knowingly: values are rounded, not truncated (§16.78);
masks are shaped at one fixed size; colour statistics leave out what is not face (§16.70) and what is not
frame; a crop that is shrunk on its way is averaged, not skipped through; there is no second pass (§16.68,
see `finish`). What treats the whole frame comes before and after, see `filters`.
"""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from faceswap.color.moments import Moment
from faceswap.faces.geometry import apply_transform, crop_transform
from faceswap.merge.enhance import BUNDLED, Enhancer
from faceswap.merge.finish import Scene, finish
from faceswap.merge.masks import MASK_PX, Prediction, face_mask, shape_mask
from faceswap.merge.settings import MergeSettings
from faceswap.merge.warp import Rectangle, covered, paste_face, paste_mask, placement
from faceswap.types import FaceType, Frame, Image, Mask, Points


@dataclass(frozen=True)
class Composite:
    """The part of a frame that a face changed.

    rectangle: where it lies, empty when nothing is covered; pixels: (height, width, 3) of the frame's
    type, bit-identical to the frame where mask is 0 (but in mode raw-rgb, which pastes the whole crop);
    mask: (height, width) float32 in [0, 1].
    """

    rectangle: Rectangle
    pixels: Frame
    mask: Mask


def compose(
    frame: Frame,
    landmarks: Points,
    face_type: FaceType,
    prediction: Prediction,
    settings: MergeSettings,
    motion: tuple[float, float] | None = None,
    tone: Moment | None = None,
    enhancer: Enhancer = BUNDLED,
) -> Composite:
    """Lay `prediction` over the face at `landmarks` (68, 2) of `frame`, which is left as it is.

    motion: the face's way in frame pixels, as `motion.movement` tells, None if unknown; tone: see `Scene`;
    enhancer: used where super-resolution is asked for. The cost follows the face's rectangle and the
    model's resolution, not the frame's size. Raises ValueError for mode raw-predict, whose picture is not a
    frame (see `raw_picture`), and for a mask mode whose masks the prediction lacks.
    """
    if settings.mode == "raw-predict":
        raise ValueError("mode raw-predict lays nothing over a frame")
    mask = _mask(landmarks, face_type, prediction, settings)
    scene = Scene(frame, landmarks, face_type, prediction, settings, mask, motion, tone)
    place = placement(landmarks, MASK_PX, face_type, scene.scale)
    square = np.ones_like(mask)
    rectangle = covered(square if settings.mode == "raw-rgb" else mask, place, *frame.shape[:2])
    if not rectangle.width or not rectangle.height:
        return Composite(Rectangle(0, 0, 0, 0), frame[:0, :0].copy(), np.zeros((0, 0), np.float32))
    alpha = paste_mask(mask, place, rectangle)
    alpha[alpha < 1 / 255] = 0
    if settings.mode == "original":
        return Composite(rectangle, frame[rectangle.slices].copy(), alpha)
    face = finish(scene, enhancer)
    shown = paste_mask(square, place, rectangle) if settings.mode == "raw-rgb" else alpha
    layer = paste_face(face, placement(landmarks, len(face), face_type, scene.scale), rectangle)
    return Composite(rectangle, _blend(frame[rectangle.slices], layer, shown), alpha)


def raw_picture(
    landmarks: Points,
    face_type: FaceType,
    prediction: Prediction,
    settings: MergeSettings,
    depth: type[np.uint8] | type[np.uint16] = np.uint8,
) -> tuple[Frame, Mask]:
    """What mode raw-predict writes: the model's picture (R, R, 3) of type `depth` and its mask (R, R).

    It has no place in the frame, and always the model's size. (DFL's is four times as large with
    super-resolution, beside frames without a face that are not.)
    """
    mask = _mask(landmarks, face_type, prediction, settings)
    pixels = np.rint(prediction.face * np.float32(np.iinfo(depth).max)).astype(depth)
    return pixels, np.asarray(cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)


def _mask(landmarks: Points, face_type: FaceType, prediction: Prediction, settings: MergeSettings) -> Mask:
    """In crop space, MASK_PX²; raw modes leave its shape to whoever composites."""
    in_crop = apply_transform(crop_transform(landmarks, MASK_PX, face_type), landmarks).astype(np.float32)
    mask = face_mask(settings.mask_mode, prediction, in_crop)
    return mask if settings.mode.startswith("raw") else shape_mask(mask, settings.erode, settings.blur)


def _blend(pixels: Frame, layer: Image, alpha: Mask) -> Frame:
    """pixels + (layer − pixels) · alpha, rounded; exactly `pixels` where alpha is 0. Uses `layer` up."""
    depth = cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
    np.clip(layer, 0, 1, out=layer)
    layer *= np.float32(np.iinfo(pixels.dtype).max)
    # OpenCV mixes integers and float32 in one pass each; numpy would copy the pixels three times.
    change = cv2.subtract(layer, pixels, dst=layer, dtype=cv2.CV_32F)
    cv2.multiply(change, cv2.merge([alpha, alpha, alpha]), dst=change)
    return cast(Frame, cv2.add(pixels, change, dtype=depth))
