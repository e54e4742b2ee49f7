"""What the finder and the landmarker are trained to lower."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from faceswap.geometry.landmarks import BROWS, EYES, JAW, LIPS, POINTS_N

_EPSILON = 1e-6


@dataclass(frozen=True)
class FinderTargets:
    """For a batch of B pictures with A anchors: P positive anchors and which anchors are counted.

    positive: (P,) indices into the flattened (B·A); sides (P, 4), offsets (P, 10) in strides; size (P,)
    of the face in strides; counted (B·A,) bool.
    """

    positive: Tensor
    sides: Tensor
    offsets: Tensor
    size: Tensor
    counted: Tensor


def finder_loss(score: Tensor, sides: Tensor, offsets: Tensor, targets: FinderTargets) -> Tensor:
    """Quality focal loss + 2 · (1 − distance IoU) + 2 · point error, each a mean over positive anchors.

    score (B, A, 1) logits, sides (B, A, 4), offsets (B, A, 10). The score learns the overlap of its own
    box (Li et al. 2020, equation 4 with β = 2), so that suppression keeps the best box.
    """
    boxes = sides.reshape(-1, 4)[targets.positive]
    overlap, separation = distance_iou(boxes, targets.sides)
    quality = torch.zeros(score.numel(), device=score.device)
    quality[targets.positive] = overlap.detach().clamp(0, 1)
    count = max(1, len(targets.positive))
    classified = quality_focal_loss(score.reshape(-1), quality)[targets.counted].sum() / count
    apart = (offsets.reshape(-1, 10)[targets.positive] - targets.offsets) / targets.size[:, None]
    return classified + 2 * (1 - overlap + separation).sum() / count + 2 * apart.abs().mean(1).sum() / count


def quality_focal_loss(logits: Tensor, quality: Tensor) -> Tensor:
    """|q − σ|² · cross-entropy(σ, q), elementwise; q = 0 for background (Li et al. 2020, equation 4)."""
    error = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return error * (quality - logits.sigmoid()).square()


def distance_iou(sides: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Overlap and centre separation penalty (Zheng et al. 2020, equation 7) of boxes around one centre.

    Both (P, 4): distances to left, top, right, bottom; any unit. Returns two (P,) tensors.
    """
    shared = torch.minimum(sides, wanted)
    inner = (shared[:, :2] + shared[:, 2:]).clamp(min=0).prod(1)
    areas = [(box[:, :2] + box[:, 2:]).clamp(min=0).prod(1) for box in (sides, wanted)]
    overlap = inner / (areas[0] + areas[1] - inner + _EPSILON)
    hull = torch.maximum(sides, wanted)
    diagonal = (hull[:, :2] + hull[:, 2:]).square().sum(1)
    apart = ((sides[:, 2:] - sides[:, :2]) - (wanted[:, 2:] - wanted[:, :2])).square().sum(1) / 4
    return overlap, apart / (diagonal + _EPSILON)


def landmark_loss(predicted: Tensor, wanted: Tensor, weight: Tensor, bend: float = 0.02) -> Tensor:
    """Weighted mean of the points' distances; unlabelled points (weight 0) say nothing.

    predicted (B, 136), wanted (B, 68, 2) in [−1, 1], weight (B, 68). Below `bend` (about 2 px of the
    crop) the distance is made steeper, as in the wing loss (Feng et al. 2018): small errors count.
    """
    apart = (predicted.reshape(-1, POINTS_N, 2) - wanted).square().sum(-1).add(1e-8).sqrt()
    steep = bend * torch.log1p(apart / bend) + 0.3 * apart
    weighted = weight * point_importance(weight.device)
    return (steep * weighted).sum() / weighted.sum().clamp(min=1)


def point_importance(device: torch.device) -> Tensor:
    """(68,) how much each point matters: eyes and lips carry the expression; few faces have a jaw label."""
    importance = torch.ones(POINTS_N, device=device)
    for group, value in ((EYES, 1.5), (LIPS, 1.5), (BROWS, 0.8), (JAW, 1.3)):
        importance[torch.as_tensor(group, device=device)] = value
    return importance
