"""A whole frame as the clip will show it: every swapped face in it, laid in only inside its rectangle.

Follows deepfacelab.md §11.3 in effect. It differs knowingly: values are rounded, not truncated (§16.78);
masks are shaped at one fixed size; colour statistics leave out what is not face (§16.70) and what is not
frame; a crop that is shrunk on its way is averaged, not skipped through; there is no second pass (§16.68,
see `finish`). What treats the whole frame comes before and after, see `filters`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import cv2
import numpy as np

from faceswap.color.matching import Moment
from faceswap.faceset.store import Face
from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.geometry.tracks import Spot
from faceswap.geometry.warp import Rectangle, covered, paste_face, paste_mask, placement
from faceswap.merge.enhance import BUNDLED, Enhancer
from faceswap.merge.filters import degrade_colors, treat_background
from faceswap.merge.finish import Scene, finish
from faceswap.merge.masks import MASK_PX, Prediction, face_mask, shape_mask
from faceswap.merge.settings import MergeSettings
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

    motion: the face's way in frame pixels, as `filters.movement` tells, None if unknown; tone: see `Scene`;
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


class Subject(NamedTuple):
    """A face to lay over a frame: its landmarks (68, 2), and whether it keeps its own pixels.

    motion: see `filters.movement`; None where unknown or not asked for. spot: which face of the clip it is.
    near: where the same face is in the frames that its light and masks are averaged over, itself among
    them; empty where that is not asked for. tone: what comes of it (see `steady`), for `Scene`. own: the
    face of the faceset whose drawn or stored mask is used (see `face_masks`).
    """

    landmarks: Points
    leave: bool = False
    motion: tuple[float, float] | None = None
    spot: Spot = (0, 0)
    near: tuple[Spot, ...] = ()
    tone: Moment | None = None
    own: Face | None = None


def is_untouched(subjects: Sequence[Subject], settings: MergeSettings) -> bool:
    """Whether a frame comes out as it went in, so that nothing needs to be computed."""
    whole_frame = (
        settings.image_denoise_power or settings.bicubic_degrade_power or settings.color_degrade_power
    )
    return not subjects and not whole_frame and settings.mode != "raw-predict"


def render(
    frame: Frame,
    subjects: Sequence[Subject],
    predictions: Sequence[Prediction],
    face_type: FaceType,
    settings: MergeSettings,
    resolution: int,
    enhancer: Enhancer = BUNDLED,
) -> tuple[Frame, Mask]:
    """The finished picture of `frame` and how much the swaps cover, (H, W) in [0, 1].

    The background is treated first, faces are laid over it one after the other, colours are reduced last
    (deepfacelab.md §11.3). A later face sees the earlier ones: DFL swaps each in the untouched frame and
    mixes the results, which lets the original show through where two soft edges meet (§11.3.12).
    In mode raw-predict it is the model's picture (resolution², black without a face) of the first face that
    is swapped.
    """
    pairs = list(zip(subjects, predictions, strict=True))
    if settings.mode == "raw-predict":
        for subject, prediction in pairs:
            if not subject.leave:
                return raw_picture(subject.landmarks, face_type, prediction, settings, frame.dtype.type)
        side = (resolution, resolution)
        return np.zeros((*side, 3), frame.dtype), np.zeros(side, np.float32)
    treated = treat_background(frame, settings)
    done = treated.copy() if treated is frame else treated
    mask = np.zeros(frame.shape[:2], np.float32)
    for subject, prediction in pairs:
        own = settings.model_copy(update={"mode": "original"}) if subject.leave else settings
        way, tone = subject.motion, subject.tone
        part = compose(done, subject.landmarks, face_type, prediction, own, way, tone, enhancer)
        done[part.rectangle.slices] = part.pixels
        covered = mask[part.rectangle.slices]
        covered += (1 - covered) * part.mask
    return degrade_colors(done, settings.color_degrade_power), mask
