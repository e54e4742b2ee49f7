"""What a mask network is trained to lower, and how good a mask is."""

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from faceswap.types import Mask


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy + Dice loss, the mean over a batch (B, 1, H, W); truth in [0, 1], may be soft.

    Dice loss: 1 − 2·Σpt / Σ(p² + t²) per picture (Milletari et al. 2016, equation 1), which is 0 only at
    p = t where t is 0 or 1, and nearly so where it is soft. Computed in float32.
    """
    logits, truth = logits.float(), truth.float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth)
    predicted = logits.sigmoid()
    both = (predicted * truth).sum((1, 2, 3))
    total = (predicted.square() + truth.square()).sum((1, 2, 3))
    return entropy + (1 - (2 * both + 1) / (total + 1)).mean()


def mask_iou(predicted: Mask, truth: Mask, scored: Mask | None = None) -> float:
    """Intersection over union of two masks cut at ½, inside `scored` if given; 1 where both are empty."""
    first, second = predicted >= 0.5, truth >= 0.5
    if scored is not None:
        inside = scored >= 0.5
        first, second = first & inside, second & inside
    union = int(np.count_nonzero(first | second))
    return int(np.count_nonzero(first & second)) / union if union else 1.0
