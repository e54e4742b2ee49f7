"""The detector's loss terms against arithmetic done by hand."""

import math

import pytest
import torch

from faceswap.detector.network.losses import (
    Terms,
    label_loss,
    patch_loss,
    patch_targets,
    patchify,
    reconstruction_loss,
)


def test_label_loss_is_the_mean_negative_log_probability_of_the_truth() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    # Softmax by hand: the real has p = 1/2, the fake p = 3/4.
    expected = -(math.log(1 / 2) + math.log(3 / 4)) / 2
    assert label_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-6)


def test_weighted_label_loss_is_equation_3_of_ssat() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    w = 0.82
    # −(w·t_real·log p_real + (1 − w)·t_fake·log p_fake), mean of a real and a fake.
    expected = -(w * math.log(1 / 2) + (1 - w) * math.log(3 / 4)) / 2
    found = label_loss(logits, torch.tensor([0, 1]), real_weight=w)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_the_weight_that_balances_82_percent_fakes_makes_both_classes_pull_alike() -> None:
    logits = torch.zeros(100, 2, requires_grad=True)
    labels = torch.cat((torch.zeros(18, dtype=torch.long), torch.ones(82, dtype=torch.long)))
    label_loss(logits, labels, real_weight=0.82).backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].sum().item() == pytest.approx(0.0, abs=1e-6)


def test_a_patch_is_forged_from_more_than_15_percent_on() -> None:
    mask = torch.zeros(1, 20, 20)
    mask[0, :10, :10] = 0.15
    mask[0, :10, 10:] = 0.16
    mask[0, 10, 10:] = 1.0  # a tenth of its patch
    assert patch_targets(mask, grid=2).tolist() == [[[0.0, 1.0], [0.0, 0.0]]]


def test_patch_loss_is_binary_cross_entropy_over_all_patches() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, :2, :2] = 1
    logits = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
    expected = (math.log(1 + math.exp(-2.0)) + 3 * math.log(2)) / 4
    assert patch_loss(logits, mask).item() == pytest.approx(expected, rel=1e-6)


def test_patches_are_taken_row_by_row() -> None:
    pixels = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 3, 4, 4)
    assert patchify(pixels, 2)[0, 1, :4].tolist() == [2.0, 3.0, 6.0, 7.0]


def test_reconstruction_counts_hidden_patches_only() -> None:
    pixels = torch.zeros(1, 3, 4, 4)
    made = torch.zeros(1, 4, 12)
    made[0, 0] = 5.0  # seen by the encoder
    made[0, 1] = 2.0
    hidden = torch.tensor([[False, True, True, True]])
    assert reconstruction_loss(made, pixels, hidden).item() == pytest.approx(4 / 3)


def test_normalised_reconstruction_compares_with_patches_of_mean_0_and_deviation_1() -> None:
    pixels = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 7 + 3
    wanted = patchify(pixels, 4)
    standard = (wanted - wanted.mean(-1, keepdim=True)) / wanted.std(-1, keepdim=True)
    hidden = torch.ones(2, 4, dtype=torch.bool)
    assert reconstruction_loss(standard, pixels, hidden, normalise=True).item() < 1e-6


def test_the_terms_add_up_as_ssat_says_with_the_patches_inside_lambda() -> None:
    terms = Terms(torch.tensor(1.0), torch.tensor(10.0), torch.tensor(100.0))
    assert terms.total(0.1, 0.9, patch_weight=2.0).item() == pytest.approx(0.1 * (1 + 2 * 10) + 0.9 * 100)


def test_gradients_of_the_total_are_the_weighted_gradients_of_the_terms() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    made = torch.full((1, 1, 3), 0.5, requires_grad=True)
    label = label_loss(logits, torch.tensor([1]))
    rebuilt = reconstruction_loss(made, torch.zeros(1, 3, 1, 1), torch.tensor([[True]]))
    Terms(label, torch.zeros(()), rebuilt).total(0.1, 0.9, 2.0).backward()
    assert logits.grad is not None
    assert made.grad is not None
    # d(−log softmax)/dz = p − t = (½, −½); d(mean of x²)/dx = 2x/3.
    assert logits.grad[0].tolist() == pytest.approx([0.1 * 0.5, -0.1 * 0.5])
    assert made.grad[0, 0].tolist() == pytest.approx([0.9 * 2 * 0.5 / 3] * 3)
