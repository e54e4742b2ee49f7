"""Filters against golden values of deepfacelab.md §15.3 and plain convolutions in double precision."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceswap.train.update.blur import gaussian_blur, valid_blur
from tests.train.pictures import noise


def convolved(x: Tensor, size: int, sigma: float, padding: int) -> Tensor:
    taps = torch.arange(size).double() - (size - 1) / 2
    kernel = torch.exp(-(taps[:, None] ** 2 + taps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, size, size)
    return F.conv2d(x.double(), kernel, padding=padding, groups=x.shape[1])


# One block, several, windows cut close and wide, more outputs than inputs see, sides that differ.
@pytest.mark.parametrize(
    ("shape", "window", "sigma"),
    [((12, 20), 5, 1.5), ((96, 97), 8, 1.5), ((224, 192), 19, 1.5), ((300, 210), 44, 1.5), ((16, 9), 9, 3.0)],
)
def test_a_valid_blur_and_its_gradient_are_those_of_a_convolution(
    shape: tuple[int, int], window: int, sigma: float
) -> None:
    x = noise(2, 3, *shape).requires_grad_()
    expected = convolved(x, window, sigma, 0)
    made = valid_blur(x, window, sigma)
    torch.testing.assert_close(made, expected.float(), atol=1e-6, rtol=1e-5)
    gradient = noise(*expected.shape, seed=1)
    (wanted,) = torch.autograd.grad(expected, x, gradient.double())
    (given,) = torch.autograd.grad(made, x, gradient)
    torch.testing.assert_close(given, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("side", [20, 130, 250])
@pytest.mark.parametrize("sigma", [0.5, 2, 8])
def test_a_padded_blur_and_its_gradient_are_those_of_a_convolution(side: int, sigma: float) -> None:
    size = max(3, int(4 * sigma))
    size += 1 - size % 2
    x = noise(1, 2, side, side + 3).to(memory_format=torch.channels_last).requires_grad_()
    expected = convolved(x, size, sigma, size // 2)
    made = gaussian_blur(x, sigma)
    torch.testing.assert_close(made, expected.float(), atol=1e-6, rtol=1e-5)
    (wanted,) = torch.autograd.grad(expected.sum(), x)
    (given,) = torch.autograd.grad(made.sum(), x)
    torch.testing.assert_close(given, wanted, atol=1e-6, rtol=1e-5)


# deepfacelab.md §15.3: centre row of a blurred impulse in 9×9.
@pytest.mark.parametrize(
    ("sigma", "half_row"),
    [(1, (0, 0, 0.021938, 0.098320, 0.162103)), (2, (0.005641, 0.013532, 0.025282, 0.036785, 0.041683))],
)
def test_a_blurred_impulse_gives_the_golden_row(sigma: int, half_row: tuple[float, ...]) -> None:
    impulse = torch.zeros(1, 1, 9, 9)
    impulse[..., 4, 4] = 1
    row = gaussian_blur(impulse, sigma)[0, 0, 4].tolist()
    assert row == pytest.approx([*half_row, *half_row[-2::-1]], abs=1e-6)


def test_the_blur_sees_zeros_outside_and_blurs_both_axes_alike() -> None:
    ones = torch.ones(1, 1, 12, 20)
    blurred = gaussian_blur(ones, 2)
    assert blurred[..., 6, 10] == pytest.approx(1, abs=1e-6)
    assert blurred[..., 0, 10] < 0.65
    x = noise(1, 1, 12, 20)
    torch.testing.assert_close(gaussian_blur(x.mT, 2), gaussian_blur(x, 2).mT)
