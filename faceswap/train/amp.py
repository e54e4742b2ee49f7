"""What AMP's loss has that the others' have not (dfl-facts §10.3), and Quick96's own region (§10.4).

Everything is a loss per sample, (B,), in float32.
"""

import torch
from torch import Tensor

from faceswap.models.arithmetic import autocast
from faceswap.train.blur import gaussian_blur
from faceswap.train.losses import widen_mask
from faceswap.train.styles import TV_WEIGHT, total_variation

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
