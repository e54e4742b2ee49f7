"""Terms beyond reconstruction against golden values of deepfacelab.md §15.3 and their formulas."""

import pytest
import torch
from torch import Tensor

from faceswap.train.update.blur import gaussian_blur
from faceswap.train.update.losses import dssim, widen_mask
from faceswap.train.update.styles import (
    background_style_loss,
    blur_out,
    eyes_mouth_loss,
    face_style_loss,
    smooth_background_loss,
    style_loss,
    total_variation,
)
from tests.train.pictures import golden_pair, noise


def disc(count: int = 1, radius: float = 20, centre: float = 31.5) -> Tensor:
    y, x = torch.meshgrid(torch.arange(64.0) - 31.5, torch.arange(64.0) - centre, indexing="ij")
    return ((x**2 + y**2) < radius**2).float().expand(count, 1, 64, 64)


def test_style_gives_the_golden_value() -> None:
    # deepfacelab.md §15.3: style(a, b, σ = 8, w = 10).
    assert style_loss(*golden_pair(), sigma=8, weight=10).tolist() == pytest.approx([0.00664], abs=5e-6)


def test_eyes_and_mouth_are_averaged_over_the_whole_picture() -> None:
    face, target, where = noise(2, 3, 64, 64), noise(2, 3, 64, 64, seed=1), disc(2, 6)
    expected = 300 * (target * where - face * where).abs().mean(dim=(1, 2, 3))
    torch.testing.assert_close(eyes_mouth_loss(face, target, where), expected)
    face = torch.where(where > 0, target, face)
    assert eyes_mouth_loss(face, target, where).max() == 0


def test_face_style_is_the_formula_and_moves_nothing_but_the_swap() -> None:
    swap, mask, dst, dst_mask = (noise(1, c, 64, 64, seed=c + i) for i, c in enumerate((3, 1, 3, 1)))
    tensors = [x.requires_grad_() for x in (swap, mask, dst, dst_mask)]
    loss = face_style_loss(*tensors, power=2.0)
    torch.testing.assert_close(loss, style_loss(swap * mask, dst * dst_mask, 8, 200.0))
    loss.sum().backward()
    assert swap.grad is not None and swap.grad.any()
    assert mask.grad is None and dst.grad is None and dst_mask.grad is None


def test_background_style_looks_around_where_both_predicted_masks_see_the_face() -> None:
    """DFL looks around src's target mask, which it has not been given here (deepfacelab.md §16.47)."""
    swap, dst = noise(1, 3, 64, 64), noise(1, 3, 64, 64, seed=1)
    left, right = disc(centre=25), disc(centre=38)
    around = 1 - widen_mask(left * right)
    loss = background_style_loss(swap, left, right, dst, power=2.0)
    expected = (
        0.2 * dssim(swap * around, dst * around, 5).mean() + 0.2 * ((swap - dst) * around).square().mean()
    )
    torch.testing.assert_close(loss, expected[None])
    inside = torch.where(widen_mask(left * right) == 1, swap, dst)
    assert background_style_loss(inside, left, right, dst, power=2.0).item() < 0.1 * loss.item()


def test_no_gradient_goes_through_the_masks_of_the_background() -> None:
    swap, mask, dst = (
        noise(1, 3, 64, 64).requires_grad_(),
        disc().clone().requires_grad_(),
        noise(1, 3, 64, 64),
    )
    background_style_loss(swap, mask, disc(), dst, power=1.0).sum().backward()
    assert swap.grad is not None and mask.grad is None


def test_variation_is_along_rows_and_columns_and_not_along_colours() -> None:
    grey_levels = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert total_variation(grey_levels).item() == 0
    ramp = (torch.arange(8.0) / 8).expand(1, 3, 8, 8)
    assert total_variation(ramp).item() == pytest.approx(3 * 8 * 7 / 64)
    assert total_variation(ramp.mT).item() == pytest.approx(3 * 8 * 7 / 64)


def test_the_background_beside_a_critic_is_the_target_s() -> None:
    face, target, mask = noise(1, 3, 64, 64), noise(1, 3, 64, 64, seed=1), disc()
    difference = ((face - target) * (1 - widen_mask(mask))).square().mean()
    expected = 1e-6 * total_variation(face) + 0.02 * difference
    torch.testing.assert_close(smooth_background_loss(face, target, mask), expected)


def test_blurred_out_targets_keep_the_face_and_are_the_formula_away_from_the_border() -> None:
    target, mask = noise(1, 3, 64, 64), disc()
    result = blur_out(target, mask)
    torch.testing.assert_close(result * mask, target * mask)
    denominator = 1 - gaussian_blur(mask, 0.5)
    denominator[denominator == 0] = 1
    formula = gaussian_blur(target * (1 - mask), 0.5) / denominator
    outside = (mask == 0).expand_as(target)[..., 2:-2, 2:-2]
    torch.testing.assert_close(result[..., 2:-2, 2:-2][outside], formula[..., 2:-2, 2:-2][outside])


def test_an_even_picture_stays_even_up_to_its_border() -> None:
    even = torch.full((1, 3, 64, 64), 0.7)
    torch.testing.assert_close(blur_out(even, disc()), even)
