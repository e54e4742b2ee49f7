"""Losses and targets beyond reconstruction: eyes and mouth, styles, borders, total variation, AMP's.

As in `losses`: a loss per sample, (B,), in float32 whatever the precision around it; pictures are
(B, 3, R, R) in [0, 1], masks (B, 1, R, R) (deepfacelab.md §7.1, §8.3, §8.4).

Everything is a loss per sample, (B,), in float32.
"""

import torch
from torch import Tensor

from faceswap.models.conv import autocast
from faceswap.train.update.blur import gaussian_blur
from faceswap.train.update.losses import (
    PIXEL_WEIGHT,
    STRUCTURAL_WEIGHT,
    dssim,
    ssim_windows,
    widen_mask,
)

EYES_MOUTH_WEIGHT = 300.0
FACE_STYLE_WEIGHT = 10_000.0
TV_WEIGHT, BACKGROUND_WEIGHT = 1e-6, 0.02
_VARIANCE_EPS = 1e-5


def eyes_mouth_loss(face: Tensor, target: Tensor, eyes_mouth: Tensor) -> Tensor:
    """300 · mean |t⊙em − p⊙em| over the whole picture; eyes_mouth: (B, 1, R, R), 1 at its strongest."""
    return EYES_MOUTH_WEIGHT * ((target - face) * eyes_mouth).abs().mean(dim=(1, 2, 3))


def style_loss(a: Tensor, b: Tensor, sigma: float, weight: float) -> Tensor:
    """How far mean and spread of each channel lie apart, after a blur: w/C · Σ (Δμ² + Δstd²)."""
    means, spreads = zip(
        *(_mean_and_spread(gaussian_blur(x, sigma) if sigma else x) for x in (a, b)), strict=True
    )
    differences = (means[0] - means[1]).square() + (spreads[0] - spreads[1]).square()
    loss: Tensor = weight * differences.mean(dim=1)
    return loss


def face_style_loss(
    swap: Tensor, swap_mask: Tensor, dst_dst: Tensor, dst_mask: Tensor, power: float
) -> Tensor:
    """The swapped face takes on the colours of dst's reconstruction. power: percent.

    swap: decoded from a code at which gradients stop, so that only its decoder learns. Its mask and all of
    dst's reconstruction are fixed here.
    """
    sigma = swap.shape[-1] // 8
    wanted = (dst_dst * dst_mask).detach()
    return style_loss(swap * swap_mask.detach(), wanted, sigma, FACE_STYLE_WEIGHT * power / 100)


def background_style_loss(
    swap: Tensor, swap_mask: Tensor, dst_mask: Tensor, dst: Tensor, power: float
) -> Tensor:
    """Around the face the swap becomes dst's picture. power: percent.

    The face is where both predicted masks see it, as when merging. DeepFaceLab computes that, too, but
    then overwrites it by src's mask, which lies elsewhere (deepfacelab.md §16.47).
    """
    around = (1 - widen_mask(swap_mask * dst_mask)).detach()
    swap, dst = swap * around, dst * around
    unlikeness = dssim(swap, dst, ssim_windows(swap.shape[-1])[0]).mean(dim=1)
    pixel = (swap - dst).square().mean(dim=(1, 2, 3))
    return power / 100 * (STRUCTURAL_WEIGHT * unlikeness + PIXEL_WEIGHT * pixel)


def smooth_background_loss(face: Tensor, target: Tensor, target_mask: Tensor) -> Tensor:
    """Keeps a critic that sees masked faces from leaving noise: little variation, and target's background.

    The variation is summed over rows and columns; DeepFaceLab's on a GPU over channels and rows (§16.49).
    """
    around = 1 - widen_mask(target_mask)
    background = ((face - target) * around).square().mean(dim=(1, 2, 3))
    return TV_WEIGHT * total_variation(face) + BACKGROUND_WEIGHT * background


def total_variation(x: Tensor) -> Tensor:
    """Sum of the squared differences of neighbours along both axes."""
    return x.diff(dim=-1).square().sum(dim=(1, 2, 3)) + x.diff(dim=-2).square().sum(dim=(1, 2, 3))


def blur_out(target: Tensor, mask: Tensor) -> Tensor:
    """`target` with what lies outside the mask blurred by R/128, without a seam at its edge.

    t⊙m + G(t⊙(1−m)) / G(1−m) ⊙ (1−m). DeepFaceLab divides by 1 − G(m), which is the same but at the picture's
    border, where that leaves a dark line.
    """
    sigma, outside = target.shape[-1] / 128, 1 - mask
    blurred = gaussian_blur(target * outside, sigma) / gaussian_blur(outside, sigma).clamp_min(1e-6)
    return target * mask + blurred * outside


def _mean_and_spread(x: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(x, dim=(2, 3), correction=0)
    return mean, (variance + _VARIANCE_EPS).sqrt()


UNLIKENESS_WEIGHT = 0.1
QUICK_SIGMA = 3.0


def background_terms(face: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """(B,) what dst's reconstruction costs outside the face: AMP draws that too, quietly.

    0.1 · mean((p° − t°)²) + 1e-6 · TV(p°), with p°, t° = the picture where the widened mask is not.
    face, target: (B, 3, R, R) in [0, 1]; mask: (B, 1, R, R) of the target.
    """
    with autocast(face.device, torch.float32):
        outside = 1 - widen_mask(mask.float())
        drawn, wanted = face.float() * outside, target.float() * outside
        unlikeness = (drawn - wanted).square().mean(dim=(1, 2, 3))
        return UNLIKENESS_WEIGHT * unlikeness + TV_WEIGHT * total_variation(drawn)


def blurred_mask(mask: Tensor) -> Tensor:
    """Where Quick96 compares faces: the mask blurred by σ = 3 px, neither doubled nor cut (§16.59)."""
    return gaussian_blur(mask, QUICK_SIGMA)
