"""Losses against golden values of deepfacelab.md §15.3 and plain double-precision references."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceswap.train.update.losses import (
    dssim,
    reconstruction_terms,
    ssim_windows,
    widen_mask,
)
from tests.train.pictures import golden_pair, noise


@pytest.mark.parametrize(
    ("window", "golden"), [(5, (0.298958, 0.298958, 0.003502)), (11, (0.328048, 0.328048, 0.003753))]
)
def test_dssim_gives_the_golden_values(window: int, golden: tuple[float, ...]) -> None:
    # They were computed in float32: in double the third channel is 0.003491 and 0.003757.
    assert dssim(*golden_pair(), window)[0].tolist() == pytest.approx(golden, abs=1.5e-5)


@pytest.mark.parametrize("window", [5, 16])
def test_dssim_is_ssim_with_a_square_window(window: int) -> None:
    a, b = noise(2, 3, 40, 33).double(), noise(2, 3, 40, 33, seed=1).double()
    taps = torch.arange(window).double() - (window - 1) / 2
    kernel = torch.exp(-(taps[:, None] ** 2 + taps**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, window, window)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, kernel, groups=3)

    mu_a, mu_b = mean(a), mean(b)
    variances = mean(a * a) - mu_a**2 + mean(b * b) - mu_b**2
    ssim = (2 * mu_a * mu_b + 0.01**2) / (mu_a**2 + mu_b**2 + 0.01**2)
    ssim = ssim * (2 * (mean(a * b) - mu_a * mu_b) + 0.03**2) / (variances + 0.03**2)
    expected = (1 - ssim.mean(dim=(2, 3))) / 2
    torch.testing.assert_close(dssim(a.float(), b.float(), window), expected.float(), atol=1e-5, rtol=1e-4)


def test_dssim_of_a_picture_with_itself_is_zero() -> None:
    picture = noise(1, 3, 64, 64)
    assert dssim(picture, picture, 5).abs().max() < 1e-6


# deepfacelab.md §8.4.
@pytest.mark.parametrize(
    ("resolution", "windows"),
    [(64, (5,)), (96, (8,)), (128, (11,)), (192, (16,)), (224, (19,)), (256, (22, 11)), (640, (55, 27))],
)
def test_windows_grow_with_the_resolution(resolution: int, windows: tuple[int, ...]) -> None:
    assert ssim_windows(resolution) == windows


def test_the_widened_mask_covers_the_mask_and_fades_outside() -> None:
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 40:90, 40:90] = 1
    wide = widen_mask(mask)
    # In the middle of an edge half of the Gaussian lies inside, so the mask itself keeps full weight.
    assert wide[0, 0, 64, 41:89].min() == pytest.approx(1, abs=1e-6)
    assert 0 < wide[0, 0, 64, 37] < 1
    assert wide[0, 0, 64, 20] == 0


def test_terms_are_the_published_sums() -> None:
    face, target = noise(2, 3, 64, 64), noise(2, 3, 64, 64, seed=1)
    mask, target_mask = noise(2, 1, 64, 64, seed=2), noise(2, 1, 64, 64, seed=3)
    terms = reconstruction_terms(face, mask, target, target_mask, masked=False)
    expected = {
        "structural": 10 * dssim(target, face, 5).mean(dim=1),
        "pixel": 10 * ((target - face) ** 2).mean(dim=(1, 2, 3)),
        "mask": 10 * ((target_mask - mask) ** 2).mean(dim=(1, 2, 3)),
    }
    torch.testing.assert_close(terms._asdict(), expected)
    torch.testing.assert_close(terms.total(), sum(expected.values()))


def test_from_256_px_two_windows_share_the_structural_weight() -> None:
    face, target, mask = noise(1, 1, 256, 256), noise(1, 1, 256, 256, seed=1), torch.ones(1, 1, 256, 256)
    terms = reconstruction_terms(face, mask, target, mask, masked=False)
    expected = sum(5 * dssim(target, face, window).mean(dim=1) for window in (22, 11))
    torch.testing.assert_close(terms.structural, expected)


def half_masks() -> Iterator[tuple[Tensor, Tensor]]:
    """Left half is face; the faces differ far outside it, or inside it."""
    target = noise(1, 3, 64, 64)
    for columns in (slice(48, 64), slice(0, 16)):
        face = target.clone()
        face[..., columns] = 1 - face[..., columns]
        yield face, target


def test_masked_training_ignores_the_background_and_only_that() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    outside, inside = (reconstruction_terms(*pair[:1], mask, pair[1], mask) for pair in half_masks())
    assert outside.total().item() == pytest.approx(0, abs=1e-5)
    assert inside.structural.item() > 0.5
    assert inside.pixel.item() > 0.1
    (face, target), _ = half_masks()
    assert reconstruction_terms(face, mask, target, mask, masked=False).total().item() > 0.5


def test_each_sample_is_judged_alone() -> None:
    face, target, mask = noise(3, 3, 64, 64), noise(3, 3, 64, 64, seed=1), noise(3, 1, 64, 64, seed=2)
    together = reconstruction_terms(face, mask, target, mask)
    alone = reconstruction_terms(face[1:2], mask[1:2], target[1:2], mask[1:2])
    torch.testing.assert_close([term[1:2] for term in together], list(alone))


def test_gradients_are_those_of_finite_differences() -> None:
    target, mask = noise(1, 1, 16, 16), noise(1, 1, 16, 16, seed=1)
    face, step = noise(1, 1, 16, 16, seed=2), noise(1, 1, 16, 16, seed=3) - 0.5

    def loss(x: Tensor) -> Tensor:
        # A 64 px window of 5 is used so that the small picture has a valid area.
        return dssim(target, x * widen_mask(mask), 5).mean()

    face.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(face), face)
    with torch.no_grad():
        slope = (loss(face + 1e-2 * step) - loss(face - 1e-2 * step)) / 2e-2
    assert (gradient * step).sum().item() == pytest.approx(slope.item(), rel=2e-2)


def test_under_bf16_autocast_losses_are_computed_in_float32() -> None:
    target, mask = noise(1, 3, 64, 64), noise(1, 1, 64, 64, seed=1)
    face = (target + 0.01 * noise(1, 3, 64, 64, seed=2)).clamp(0, 1)
    plain = reconstruction_terms(face, mask, target, mask)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = reconstruction_terms(face, mask, target, mask)
    assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))


def test_faces_cost_the_same_alone_and_among_others() -> None:
    """Large batches are compared in parts."""
    face, target = noise(5, 3, 512, 512).requires_grad_(), noise(5, 3, 512, 512, seed=1)
    mask, target_mask = noise(5, 1, 512, 512, seed=2).requires_grad_(), noise(5, 1, 512, 512, seed=3)
    together = reconstruction_terms(face, mask, target, target_mask)
    gradients = torch.autograd.grad(together.total().sum(), (face, mask))
    for row in range(5):
        one = slice(row, row + 1)
        made, its_mask = (x.detach()[one].requires_grad_() for x in (face, mask))
        alone = reconstruction_terms(made, its_mask, target[one], target_mask[one])
        for term, same in zip(alone, together, strict=True):
            torch.testing.assert_close(term, same[one])
        for gradient, expected in zip(
            torch.autograd.grad(alone.total().sum(), (made, its_mask)), gradients, strict=True
        ):
            torch.testing.assert_close(gradient, expected[one])
