"""The gradient of a 3×3 kernel written as matrix products."""

import pytest
import torch
import torch.nn.functional as F

from faceswap.models.conv import Conv3x3, conv, kernel_gradient


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 4, 7), (3, 5, 9, 2)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_by_matrix_products_is_that_of_the_convolution(
    shape: tuple[int, int, int, int], memory_format: torch.memory_format
) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=draw, dtype=torch.float64).to(memory_format=memory_format)
    gradient = torch.randn(shape[0], 6, *shape[2:], generator=draw, dtype=torch.float64)
    gradient = gradient.to(memory_format=memory_format)
    weight = torch.randn(6, shape[1], 3, 3, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(F.conv2d(x, weight, padding=1), weight, gradient)
    torch.testing.assert_close(kernel_gradient(x, gradient), expected)


def test_a_layer_trains_as_the_plain_convolution_does() -> None:
    torch.manual_seed(0)
    layer = conv(4, 6, kernel=3)
    assert isinstance(layer, Conv3x3)
    x = torch.randn(2, 4, 8, 8, requires_grad=True)
    leaves = (x, *layer.parameters())
    output = layer(x)
    plain = F.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(output, plain)
    found, expected = (torch.autograd.grad(y.square().sum(), leaves) for y in (output, plain))
    torch.testing.assert_close(found, expected)


def test_a_frozen_kernel_still_hands_the_gradient_on() -> None:
    layer = conv(4, 6, kernel=3).requires_grad_(False)
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert x.grad.any()
    assert layer.weight.grad is None
