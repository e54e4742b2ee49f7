"""One swapped face laid into one frame: pure, and only inside the face's rectangle.

Follows dfl-facts §11.3 in effect. It differs knowingly: values are rounded, not truncated (§16.78);
masks are shaped at one fixed size; colour statistics leave out what is not face (§16.70); a crop that is
shrunk on its way is averaged, not skipped through.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from faceswap.color.transfer import TRANSFERS
from faceswap.faces.geometry import apply_transform, crop_transform
from faceswap.merge.masks import MASK_PX, Prediction, face_mask, shape_mask
from faceswap.merge.settings import MergeSettings, Mode
from faceswap.merge.warp import Rectangle, covered, crop_face, paste_face, paste_mask, placement
from faceswap.types import FaceType, Frame, Image, Mask, Points


@dataclass(frozen=True)
class Composite:
    """The part of a frame that a face changed.

    rectangle: where it lies, empty when nothing is covered; pixels: (height, width, 3) of the frame's
    type, bit-identical to the frame where mask is 0; mask: (height, width) float32 in [0, 1].
    """

    rectangle: Rectangle
    pixels: Frame
    mask: Mask


@dataclass(frozen=True)
class _Scene:
    """All a mode may look at; `mask` is in crop space (MASK_PX²), `alpha` is it in the rectangle."""

    frame: Frame
    landmarks: Points
    face_type: FaceType
    prediction: Prediction
    settings: MergeSettings
    mask: Mask
    rectangle: Rectangle
    alpha: Mask
    scale: float

    @property
    def size_px(self) -> int:
        return len(self.prediction.face)


def compose(
    frame: Frame, landmarks: Points, face_type: FaceType, prediction: Prediction, settings: MergeSettings
) -> Composite:
    """Lay `prediction` over the face at `landmarks` (68, 2) of `frame`, which is left as it is.

    The cost follows the face's rectangle and the model's resolution, not the frame's size.
    """
    scale = 1 + 0.01 * settings.output_face_scale
    in_crop = apply_transform(crop_transform(landmarks, MASK_PX, face_type), landmarks).astype(np.float32)
    mask = shape_mask(face_mask(settings.mask_mode, prediction, in_crop), settings.erode, settings.blur)
    place = placement(landmarks, MASK_PX, face_type, scale)
    rectangle = covered(mask, place, *frame.shape[:2])
    if not rectangle.width or not rectangle.height:
        return Composite(Rectangle(0, 0, 0, 0), frame[:0, :0].copy(), np.zeros((0, 0), np.float32))
    alpha = paste_mask(mask, place, rectangle)
    alpha[alpha < 1 / 255] = 0
    scene = _Scene(frame, landmarks, face_type, prediction, settings, mask, rectangle, alpha, scale)
    return Composite(rectangle, _MODES[settings.mode](scene), alpha)


def _original(scene: _Scene) -> Frame:
    return scene.frame[scene.rectangle.slices].copy()


def _overlay(scene: _Scene) -> Frame:
    place = placement(scene.landmarks, scene.size_px, scene.face_type, scene.scale)
    layer = paste_face(_recoloured(scene), place, scene.rectangle)
    return _blend(scene.frame[scene.rectangle.slices], layer, scene.alpha)


# What each mode makes of the rectangle; a new mode is one more function of a scene.
_MODES: dict[Mode, Callable[[_Scene], Frame]] = {"overlay": _overlay, "original": _original}


def _recoloured(scene: _Scene) -> Image:
    face, method = scene.prediction.face, scene.settings.color_transfer
    if method == "none":
        return face
    size = (scene.size_px, scene.size_px)
    weights = np.asarray(cv2.resize(scene.mask, size, interpolation=cv2.INTER_AREA), np.float32)
    target = crop_face(scene.frame, scene.landmarks, scene.size_px, scene.face_type)
    return TRANSFERS[method](face, target, weights)


def _blend(pixels: Frame, layer: Image, alpha: Mask) -> Frame:
    """pixels + (layer − pixels) · alpha, rounded; exactly `pixels` where alpha is 0. Uses `layer` up."""
    depth = cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
    np.clip(layer, 0, 1, out=layer)
    layer *= np.float32(np.iinfo(pixels.dtype).max)
    # OpenCV mixes integers and float32 in one pass each; numpy would copy the pixels three times.
    change = cv2.subtract(layer, pixels, dst=layer, dtype=cv2.CV_32F)
    cv2.multiply(change, cv2.merge([alpha, alpha, alpha]), dst=change)
    return cast(Frame, cv2.add(pixels, change, dtype=depth))
