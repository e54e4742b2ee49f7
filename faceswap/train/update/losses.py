"""How far a reconstruction is from its target (deepfacelab.md §8.4, §7.1).

Everything is a loss per sample, (B,): the trainer takes the mean over the batch, where DeepFaceLab takes the
sum. All arithmetic is float32, inside bf16 autocast too: SSIM is a difference of near-equal numbers.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from faceswap.models.conv import autocast
from faceswap.train.update.blur import gaussian_blur, valid_blur

SSIM_SIGMA = 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
STRUCTURAL_WEIGHT = PIXEL_WEIGHT = MASK_WEIGHT = 10.0
TWO_WINDOWS_FROM = 256
# A CPU compares so many numbers at a time, which stay in its cache: sixteen faces of 512 px take 1.1 s, 2.9 s
# all at once.
_NUMBERS_AT_ONCE = 2**19


class Terms(NamedTuple):
    """The weighted terms of one side's loss, (B,) each."""

    structural: Tensor
    pixel: Tensor
    mask: Tensor

    def total(self) -> Tensor:
        """(B,) the sum of the terms."""
        return self.structural + self.pixel + self.mask


def ssim_windows(resolution: int) -> tuple[int, ...]:
    """The sides of DSSIM's windows, R/11.6 and from 256 px on R/23.2 beside it."""
    first, second = int(resolution / 11.6), int(resolution / 23.2)
    return (first,) if resolution < TWO_WINDOWS_FROM else (first, second)


def widen_mask(mask: Tensor) -> Tensor:
    """B(mask) = 2 · clip(G(mask), 0, ½), σ = max(1, ⌊R/32⌋): 1 on the mask, falling to 0 around it."""
    return 2 * gaussian_blur(mask, max(1, mask.shape[-1] // 32)).clamp(0, 0.5)


def reconstruction_terms(
    face: Tensor,
    mask: Tensor,
    target: Tensor,
    target_mask: Tensor,
    masked: bool = True,
    region: Callable[[Tensor], Tensor] = widen_mask,
    windows: Callable[[int], tuple[int, ...]] = ssim_windows,
) -> Terms:
    """What a reconstruction costs; src and dst may come concatenated.

    face, target: (B, C, R, R) in [0, 1]; mask, target_mask: (B, 1, R, R) in [0, 1].
    masked: faces are compared only in the `region` of the target mask, so that the background is free.
    windows: the sides of DSSIM's windows, from R.
    """
    at_once = max(1, _NUMBERS_AT_ONCE // face[0].numel()) if face.device.type == "cpu" else len(face)
    parts = zip(*(torch.split(x, at_once) for x in (face, mask, target, target_mask)), strict=True)
    with autocast(face.device, torch.float32):
        terms = [
            _terms(
                made.float(), its_mask.float(), wanted.float(), wanted_mask.float(), masked, region, windows
            )
            for made, its_mask, wanted, wanted_mask in parts
        ]
    return Terms(*(torch.cat(one) for one in zip(*terms, strict=True)))


def _terms(
    face: Tensor,
    mask: Tensor,
    target: Tensor,
    target_mask: Tensor,
    masked: bool,
    region: Callable[[Tensor], Tensor],
    windows: Callable[[int], tuple[int, ...]],
) -> Terms:
    mask_loss = MASK_WEIGHT * (target_mask - mask).square().mean(dim=(1, 2, 3))
    if masked:
        seen = region(target_mask)
        face, target = face * seen, target * seen
    sides = windows(face.shape[-1])
    unlikeness = torch.stack([dssim(target, face, side).mean(dim=1) for side in sides]).mean(dim=0)
    pixel_loss = PIXEL_WEIGHT * (target - face).square().mean(dim=(1, 2, 3))
    return Terms(STRUCTURAL_WEIGHT * unlikeness, pixel_loss, mask_loss)


def dssim(a: Tensor, b: Tensor, window: int) -> Tensor:
    """(1 − SSIM)/2 of each channel (Wang et al. 2004); Gaussian of σ = 1.5 cut at `window` px, valid area.

    a, b: (B, C, H, W) float32 in [0, 1]. Returns (B, C) in [0, 1].
    """
    mean_a = valid_blur(a, window, SSIM_SIGMA)
    rest = torch.stack((b, a * b, a.square() + b.square()))
    mean_b, mean_ab, mean_squares = valid_blur(rest, window, SSIM_SIGMA)
    product, squares = 2 * mean_a * mean_b, mean_a.square() + mean_b.square()
    luminance = (product + SSIM_C1) / (squares + SSIM_C1)
    structure = (2 * mean_ab - product + SSIM_C2) / (mean_squares - squares + SSIM_C2)
    similarity: Tensor = (luminance * structure).mean(dim=(-2, -1))
    return (1 - similarity) / 2
