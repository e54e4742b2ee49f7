"""How far a reconstruction is from its target (dfl-facts §8.4, §7.1).

Everything is a loss per sample, (B,): the trainer takes the mean over the batch, where DeepFaceLab takes the
sum. All arithmetic is float32, inside bf16 autocast too: SSIM is a difference of near-equal numbers.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from faceswap.models.arithmetic import autocast

SSIM_SIGMA = 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
STRUCTURAL_WEIGHT = PIXEL_WEIGHT = MASK_WEIGHT = 10.0
TWO_WINDOWS_FROM = 256


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
    with autocast(face.device, torch.float32):
        face, mask, target, target_mask = (x.float() for x in (face, mask, target, target_mask))
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
    mean_a = _valid_blur(a, window)
    mean_b, mean_ab, mean_squares = _valid_blur(torch.stack((b, a * b, a.square() + b.square())), window)
    product, squares = 2 * mean_a * mean_b, mean_a.square() + mean_b.square()
    luminance = (product + SSIM_C1) / (squares + SSIM_C1)
    structure = (2 * mean_ab - product + SSIM_C2) / (mean_squares - squares + SSIM_C2)
    similarity: Tensor = (luminance * structure).mean(dim=(-2, -1))
    return (1 - similarity) / 2


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Blurs the last two axes over max(3, ⌊4σ⌋) px, made odd, with zeros outside. (..., H, W) float32."""
    size = max(3, int(4 * sigma))
    size += 1 - size % 2
    height, width = (_band_matrix(side, side, size, sigma, size // 2, x.device) for side in x.shape[-2:])
    return _along_both_axes(x, height, width)


def _valid_blur(x: Tensor, window: int) -> Tensor:
    """(..., H, W) -> (..., H − window + 1, W − window + 1)."""
    height, width = (
        _band_matrix(side, side - window + 1, window, SSIM_SIGMA, 0, x.device) for side in x.shape[-2:]
    )
    return _along_both_axes(x, height, width)


def _along_both_axes(x: Tensor, height: Tensor, width: Tensor) -> Tensor:
    # A separable filter as two matrix products: one path for every device, exact where a convolution may be
    # rounded to TF32, and at face sizes as fast as a depthwise convolution and 4 × faster than a plain one.
    return height @ (x.contiguous() @ width.t())


@lru_cache(maxsize=32)
def _band_matrix(
    inputs: int, outputs: int, size: int, sigma: float, padding: int, device: torch.device
) -> Tensor:
    """(outputs, inputs): row i holds a normalised Gaussian of `size` taps starting at column i − padding."""
    taps = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.softmax(-taps.square() / (2 * sigma**2), dim=0)
    padded = torch.zeros(outputs, inputs + 2 * padding, dtype=torch.float64)
    for row in range(outputs):
        padded[row, row : row + size] = weights
    return padded[:, padding : padding + inputs].float().to(device)
