"""What the detector is trained on: the label, where the forgery is, and masked reconstruction (SSAT).

SSAT: Das et al., "Limited Data, Unlimited Potential: A Study on ViTs Augmented by Masked Autoencoders"
(WACV 2024). L = λ · (classification + μ · patches) + (1 − λ) · reconstruction; the patch term is ours.
All arithmetic is float32.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# From this share of foreign pixels on a patch counts as forged (detector-facts §4.3).
PATCH_SHARE = 0.15


class Terms(NamedTuple):
    """Mean terms of one batch, unweighted scalars; zero where an arm leaves one out."""

    label: Tensor
    patches: Tensor
    reconstruction: Tensor

    def total(self, judging: float, rebuilding: float, patch_weight: float) -> Tensor:
        """judging · (label + μ · patches) + rebuilding · reconstruction; SSAT's are λ and 1 − λ."""
        return judging * (self.label + patch_weight * self.patches) + rebuilding * self.reconstruction


def label_loss(logits: Tensor, labels: Tensor, real_weight: float | None = None) -> Tensor:
    """Cross-entropy of (B, 2) logits against (B,) labels 0 real, 1 fake.

    real_weight: SSAT's equation 3, −(w·t_real·log p_real + (1 − w)·t_fake·log p_fake), as a mean over the
    batch. w is the weight of the real class, so w = the share of fakes balances (the paper's sentence above
    the equation says the opposite). None gives the plain mean, which is twice the mean at w = ½.
    """
    losses = F.cross_entropy(logits.float(), labels, reduction="none")
    if real_weight is not None:
        losses = losses * torch.where(labels == 0, real_weight, 1 - real_weight)
    return losses.mean()


def patch_targets(masks: Tensor, grid: int) -> Tensor:
    """Masks (B, S, S) in [0, 1] -> (B, G, G) of 0 and 1: patches of which more than 15 % are foreign."""
    shares = F.avg_pool2d(masks.float().unsqueeze(1), masks.shape[-1] // grid).squeeze(1)
    return (shares > PATCH_SHARE).float()


def patch_loss(patch_logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy of (B, G, G) logits against masks (B, S, S), all zero for reals."""
    wanted = patch_targets(masks, patch_logits.shape[-1])
    return F.binary_cross_entropy_with_logits(patch_logits.float(), wanted)


def patchify(pixels: Tensor, patch_px: int) -> Tensor:
    """(B, 3, S, S) -> (B, G², 3·p²), patches row by row."""
    return F.unfold(pixels, patch_px, stride=patch_px).transpose(1, 2)


def reconstruction_loss(made: Tensor, pixels: Tensor, hidden: Tensor, normalise: bool = False) -> Tensor:
    """Mean squared error over hidden patches only (He et al. 2022, masked autoencoders).

    made: (B, G², 3·p²). pixels: (B, 3, S, S) in [-1, 1]. hidden: (B, G²) bool. normalise: compare with each
    patch's own mean and deviation taken out, as SSAT's paper says; its code does not, which is the default.
    """
    patch_px = round((made.shape[-1] / 3) ** 0.5)
    wanted = patchify(pixels.float(), patch_px)
    if normalise:
        deviation, mean = torch.std_mean(wanted, dim=-1, keepdim=True)
        wanted = (wanted - mean) / (deviation.square() + 1e-6).sqrt()
    errors = (made.float() - wanted).square().mean(dim=-1)
    return errors[hidden].mean()
