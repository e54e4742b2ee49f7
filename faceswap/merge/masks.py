"""Where the swap covers the frame: the mask of a mode, shrunk or grown and softened, in crop space.

All of it happens on a picture of MASK_PX² whatever the frame's and the model's size, so it always costs
the same, and lengths given in thousandths of the crop's side are fractions of the face.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.geometry.landmarks import hull_mask
from faceswap.merge.settings import MaskMode
from faceswap.types import Image, Mask, Points

MASK_PX = 512
# The hull is drawn with hard pixels, this much finer, and averaged.
_HULL_FINENESS = 2
# A disc of this radius is cheap; larger ones are made of several, because discs add up.
_DISC_PX = 4


class Prediction(NamedTuple):
    """A model's answer to one crop: face (R, R, 3) RGB, masks (R, R), all float32 in [0, 1].

    mask_prd, mask_dst: what the model calls face in the swap and in the frame; xseg_prd, xseg_dst: what
    the mask segmenter does; own_dst: the mask drawn or stored for the frame's face (see `face_masks`). These
    three are of any size, None where there is none.
    """

    face: Image
    mask_prd: Mask
    mask_dst: Mask
    xseg_prd: Mask | None = None
    xseg_dst: Mask | None = None
    own_dst: Mask | None = None


def _dst(prediction: Prediction, landmarks: Points) -> Mask:
    if prediction.own_dst is not None:
        return prediction.own_dst
    side = MASK_PX * _HULL_FINENESS
    fine = (landmarks + np.float32(0.5)) * _HULL_FINENESS - np.float32(0.5)
    drawn = hull_mask(fine, side, side)
    return np.asarray(cv2.resize(drawn, (MASK_PX, MASK_PX), interpolation=cv2.INTER_AREA), np.float32)


# The masks that a mode is made of, before they are multiplied or added as its name says.
_PARTS: dict[str, Callable[[Prediction, Points], Mask | None]] = {
    "full": lambda _prediction, _landmarks: np.ones((MASK_PX, MASK_PX), np.float32),
    "dst": _dst,
    "learned-prd": lambda prediction, _landmarks: prediction.mask_prd,
    "learned-dst": lambda prediction, _landmarks: prediction.mask_dst,
    "xseg-prd": lambda prediction, _landmarks: prediction.xseg_prd,
    "xseg-dst": lambda prediction, _landmarks: prediction.xseg_dst,
}


def parts_of(mode: MaskMode) -> frozenset[str]:
    """The masks that a mode is made of."""
    return frozenset(mode.replace("+", "*").split("*"))


def _combined(mode: MaskMode, prediction: Prediction, landmarks: Points) -> Mask:
    masks = []
    for name in sorted(parts_of(mode)):
        mask = _PARTS[name](prediction, landmarks)
        if mask is None:
            raise ValueError(f"mask mode {mode} needs the mask {name}, which this prediction lacks")
        masks.append(mask)
    if len({mask.shape for mask in masks}) > 1:
        masks = [_at_mask_px(mask) for mask in masks]
    return sum(masks[1:], masks[0]) if "+" in mode else math.prod(masks[1:], start=masks[0])


def face_mask(mode: MaskMode, prediction: Prediction, landmarks: Points) -> Mask:
    """The mask of `mode`, (MASK_PX, MASK_PX), before it is shaped; landmarks (68, 2) in such a crop.

    Raises ValueError naming the mode when it needs a segmenter's mask and there is none.
    """
    mask = np.clip(_at_mask_px(_combined(mode, prediction, landmarks)), 0, 1)
    # What an 8-bit mask cannot show would only enlarge the rectangle that is composited.
    mask[mask < 1 / 255] = 0
    return mask


def _at_mask_px(mask: Mask) -> Mask:
    if mask.shape[0] == MASK_PX:
        return mask
    how = cv2.INTER_CUBIC if mask.shape[0] < MASK_PX else cv2.INTER_AREA
    return np.asarray(cv2.resize(mask, (MASK_PX, MASK_PX), interpolation=how), np.float32)


def shape_mask(mask: Mask, erode: int, blur: int) -> Mask:
    """Shrink by erode/2 (grow if negative), inset by blur/2, soften over ±blur/2: thousandths of the side.

    The steps of deepfacelab.md §11.3.7. The result is zero at the outermost pixels of the crop, so that a
    face never ends in the crop's straight edge.
    """
    mask = shrink_or_grow(mask, _to_px(erode / 2))
    width_px = _to_px(blur)
    reach = math.ceil(width_px / 2)
    inset = reach + 1
    framed = np.zeros_like(mask)
    framed[inset:-inset, inset:-inset] = mask[inset:-inset, inset:-inset]
    if not reach:
        return framed
    side = (2 * reach + 1, 2 * reach + 1)
    # The sigma that OpenCV gives to a kernel of this width, which is DFL's.
    softened = cv2.GaussianBlur(framed, side, 0.15 * width_px + 0.35, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(softened, np.float32)


def shrink_or_grow(mask: Mask, radius_px: float) -> Mask:
    """Grey erosion (radius > 0) or dilation (< 0) with a disc; outside the picture there is no face.

    Eroding by a disc of radius a and then b erodes by one of a + b (Serra, "Image Analysis and
    Mathematical Morphology", 1982, II.C): several small discs cost far less than one large.
    """
    change = cv2.erode if radius_px > 0 else cv2.dilate
    fraction, whole = math.modf(abs(radius_px))
    for radius in [_DISC_PX] * int(whole // _DISC_PX) + [int(whole % _DISC_PX)]:
        mask = change(mask, _disc(radius), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    # Part of a pixel is that part of the way to one pixel more, so that every step of a setting counts.
    further = change(mask, _disc(1), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask + (further - mask) * np.float32(fraction), np.float32)


def _disc(radius: int) -> NDArray[np.uint8]:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(disc, np.uint8)


def _to_px(thousandths: float) -> float:
    return thousandths * MASK_PX / 1000
