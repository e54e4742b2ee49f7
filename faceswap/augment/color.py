"""Colours of training faces: shifted at random, or taken from another face."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.color.matching import lct, mkl, rct
from faceswap.color.transfer import idt, sot
from faceswap.types import SampleTransfer


def draw_hsv(generator: torch.Generator, count: int, power: float) -> Tensor:
    """(B, 3) shifts of hue in turns, and of saturation and value, each ± power/2 (deepfacelab.md §9.3)."""
    return (torch.rand(count, 3, generator=generator) - 0.5) * power


def shift_hsv(image: Tensor, shifts: Tensor) -> Tensor:
    """`image` (B, 3, R, R) RGB in [0, 1] with hue, saturation and value moved by `shifts` (B, 3)."""
    hue_shift, saturation_shift, value_shift = shifts.to(image.device, non_blocking=True).T[..., None, None]
    value, low = image.amax(dim=1), image.amin(dim=1)
    chroma = (value - low).clamp_min(1e-6)
    red, green, blue = image.unbind(dim=1)
    hue = torch.where(
        value == red,
        (green - blue) / chroma,
        torch.where(value == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma),
    )
    saturation = ((value - low) / value.clamp_min(1e-6) + saturation_shift).clamp(0, 1)
    value = (value + value_shift).clamp(0, 1)
    turned = hue + 6 * hue_shift
    # Each channel is a trapezoid over the hue's circle of six, with its own start: A. R. Smith, "Color gamut
    # transform pairs", SIGGRAPH 1978.
    starts = torch.tensor([5.0, 3.0, 1.0], device=image.device)[:, None, None]
    place = (starts + turned[:, None]) % 6
    lack = torch.minimum(place, 4 - place).clamp(0, 1)
    shifted: Tensor = value[:, None] * (1 - saturation[:, None] * lack)
    return shifted


def recolour(
    face: NDArray[np.uint8], reference: NDArray[np.uint8], mode: SampleTransfer, rng: np.random.Generator
) -> None:
    """Give `face` (R, R, 4) the colours of `reference`, (R, R, 4) too, in place; the mask stays.

    The whole pictures are looked at. Here a reference shows the same part of the head as the face, where
    DeepFaceLab squeezes the whole stored picture (§16.63), and a face has one recolouring, not two.
    """
    image, target = (np.asarray(p[..., :3] / np.float32(255), np.float32) for p in (face, reference))
    face[..., :3] = np.rint(255 * _transfer(image, target, mode, rng))


def _transfer(
    image: NDArray[np.float32], target: NDArray[np.float32], mode: SampleTransfer, rng: np.random.Generator
) -> NDArray[np.float32]:
    match mode:
        case "none":
            return image
        case "rct":
            return rct(image, target)
        case "lct":
            return lct(image, target)
        case "mkl":
            return mkl(image, target)
        case "idt":
            return idt(image, target, rng)
        case "sot":
            return sot(image, target, rng)
