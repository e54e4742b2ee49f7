"""A crop as a mask network is shown it, and the network's answer in the square of the crop."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.stored_masks import STORED_PX
from faceswap.geometry.geometry import compose_transforms, invert_transform, resize_transform
from faceswap.geometry.warp import resample
from faceswap.types import FaceType, Frame, Image, Mask, Transform


class MaskNetwork(Protocol):
    """What finds faces in crops; `faceswap.masks.segmenter.Segmenter` is one."""

    face_type: FaceType
    identity: str
    input_px: int

    def __call__(self, crops: Sequence[Image]) -> list[Mask]: ...


class Shown(NamedTuple):
    """picture: what a network is shown of a crop, (input_px, input_px, 3); crop_to_input: from the pixels of
    that crop, whose side is size_px.
    """

    picture: Image
    crop_to_input: Transform
    size_px: int


def show(crop: Frame, meta: FaceMeta, network: MaskNetwork) -> Shown:
    """A crop as `network` takes it; another program may have given it another size than `meta` says.

    Raises UserError where it is not square.
    """
    side, width = crop.shape[:2]
    if width != side:
        raise UserError(f"it is {width}×{side} pixels, not square")
    crop_to_input = meta.resized(side).crop_to(network.input_px, network.face_type)
    picture = crop.astype(np.float32) / np.float32(np.iinfo(crop.dtype).max)
    return Shown(input_of(picture, crop_to_input, network.input_px), crop_to_input, side)


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
