"""Losses of the finder and the landmarker."""

import pytest
import torch

from faceswap.facepack.losses import (
    FinderTargets,
    distance_iou,
    finder_loss,
    landmark_loss,
    quality_focal_loss,
)


def test_unlabelled_points_do_not_change_the_loss_or_its_gradient() -> None:
    predicted = torch.randn(2, 136, requires_grad=True)
    wanted, weight = torch.randn(2, 68, 2), torch.ones(2, 68)
    weight[:, :17] = 0
    loss = landmark_loss(predicted, wanted, weight)
    wild = wanted.clone()
    wild[:, :17] = 1000
    assert torch.equal(loss, landmark_loss(predicted, wild, weight))
    loss.backward()
    assert predicted.grad is not None
    assert (predicted.grad.view(2, 68, 2)[:, :17] == 0).all()


def test_landmark_loss_falls_to_nearly_nothing_at_the_truth() -> None:
    wanted = torch.randn(1, 68, 2)
    off = landmark_loss((wanted + 0.1).flatten(1), wanted, torch.ones(1, 68))
    assert landmark_loss(wanted.flatten(1), wanted, torch.ones(1, 68)) < 0.01 * off


def test_distance_iou_of_known_boxes() -> None:
    # Around one centre: 4 × 4 against the same moved right by 2: overlap 8 / 24, centres 2 apart, hull 6 × 4.
    sides = torch.tensor([[2.0, 2, 2, 2]])
    overlap, separation = distance_iou(sides, torch.tensor([[0.0, 2, 4, 2]]))
    assert overlap.item() == pytest.approx(1 / 3, abs=1e-5)
    assert separation.item() == pytest.approx(4 / (36 + 16), abs=1e-5)


def test_quality_focal_loss_is_zero_where_the_score_equals_the_overlap_up_to_its_entropy() -> None:
    logits = torch.logit(torch.tensor([0.7, 0.2]))
    assert quality_focal_loss(logits, torch.tensor([0.7, 0.2])).abs().max() < 1e-10
    assert quality_focal_loss(logits, torch.tensor([0.0, 1.0])).min() > 0.1


def test_uncounted_anchors_do_not_change_the_finder_loss() -> None:
    targets = FinderTargets(
        positive=torch.tensor([1]),
        sides=torch.ones(1, 4),
        offsets=torch.zeros(1, 10),
        size=torch.tensor([2.0]),
        counted=torch.tensor([True, True, False]),
    )
    score, sides, offsets = torch.zeros(1, 3, 1), torch.ones(1, 3, 4), torch.zeros(1, 3, 10)
    loss = finder_loss(score, sides, offsets, targets)
    score[0, 2] = 50
    assert torch.equal(loss, finder_loss(score, sides, offsets, targets))


def test_the_finder_loss_of_a_batch_without_faces_is_finite() -> None:
    none = torch.zeros(0)
    targets = FinderTargets(
        none.long(), none.view(0, 4), none.view(0, 10), none, torch.ones(3, dtype=torch.bool)
    )
    loss = finder_loss(torch.zeros(1, 3, 1), torch.ones(1, 3, 4), torch.zeros(1, 3, 10), targets)
    assert torch.isfinite(loss)
