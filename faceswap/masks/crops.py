"""A crop as a mask network is shown it, and the network's answer in the square of the crop."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from faceswap.faces.geometry import compose_transforms, invert_transform, resize_transform
from faceswap.faces.warp import resample
from faceswap.faceset.stored_masks import STORED_PX
from faceswap.types import FaceType, Image, Mask, Transform


class MaskNetwork(Protocol):
    """What finds faces in crops; `faceswap.masks.segmenter.Segmenter` is one."""

    face_type: FaceType
    identity: str
    input_px: int

    def __call__(self, crops: Sequence[Image]) -> list[Mask]: ...


def input_of(crop: Image, crop_to_input: Transform, input_px: int) -> Image:
    """What the network sees of a crop, (input_px, input_px, 3): beyond its edge, the edge goes on."""
    return resample(crop, crop_to_input, input_px, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE).clip(0, 1)


def mask_in_crop(mask: Mask, crop_to_input: Transform, size_px: int) -> Mask:
    """A mask of the network's square in the square of the crop at STORED_PX², zero where it saw nothing.

    size_px: side of the crop that `crop_to_input` counts from.
    """
    to_stored = compose_transforms(resize_transform(size_px, STORED_PX), invert_transform(crop_to_input))
    moved = resample(mask, to_stored, STORED_PX, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    return np.asarray(moved.clip(0, 1), np.float32)
