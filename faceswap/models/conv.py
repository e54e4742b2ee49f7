"""Convolutions, the numbers layers compute in, and the one place where oneDNN is too slow for them.

On CPUs with AVX2 but without AVX-512 its gradient of a 3×3 kernel runs at two thirds of the speed of the
other convolutions, and it is a third of all arithmetic. As nine matrix products it runs at nearly their
speed: an iteration of DF-UD at 128 px takes 5 % less.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """While entered layers compute in `dtype`: bf16 where that is exact enough, or float32 throughout.

    On "meta", where there are shapes and no numbers, torch has no autocast and nothing changes.
    """
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution padded by kernel // 2 on all four sides."""
    kind = Conv3x3 if (kernel, stride) == (3, 1) else nn.Conv2d
    return kind(inputs, outputs, kernel, stride, padding=kernel // 2)


class Conv3x3(nn.Conv2d):
    """A padded 3×3 convolution of stride 1 that computes its gradient by the fastest way there is."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        if torch.is_grad_enabled() and _matrix_product_pays(x):
            made: Tensor = _Conv3x3.apply(x, self.weight, self.bias)
            return made
        return super().forward(x)


def _matrix_product_pays(x: Tensor) -> bool:
    # bf16 and AVX-512 have kernels of their own in oneDNN, which are good.
    plain = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and plain and torch.backends.cpu.get_cpu_capability() == "AVX2"


class _Conv3x3(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        # Asked for the bias, oneDNN computes the kernel's gradient with it.
        one, zero, wanted = [1, 1], [0, 0], [for_x, False, False]
        x_gradient, _, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, one, one, one, False, zero, 1, wanted
        )
        weight_gradient = kernel_gradient(x, gradient) if for_weight else None
        return x_gradient, weight_gradient, gradient.sum(dim=(0, 2, 3)) if for_bias else None


def kernel_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """(O, C, 3, 3) what a padded 3×3 kernel wants, from its input (B, C, H, W) and its output's (B, O, H, W).

    Both are laid out as one line a channel, every row and every picture followed by zeros for the padding.
    Then each of the nine taps is the product of the two lines, shifted against each other.
    """
    width = x.shape[-1]
    margin = width + 2
    inputs, outputs = _line(x, margin), _line(gradient, 0)
    length = outputs.shape[1]
    taps = x.new_empty(3, 3, outputs.shape[0], inputs.shape[0])
    for row in range(3):
        for column in range(3):
            start = margin + (row - 1) * (width + 1) + column - 1
            torch.mm(outputs, inputs[:, start : start + length].t(), out=taps[row, column])
    return taps.permute(2, 3, 0, 1)


def _line(x: Tensor, margin: int) -> Tensor:
    """(B, C, H, W) -> (C, margin + B·(H + 1)·(W + 1) + margin) zero between rows, pictures and around."""
    batch, channels, height, width = x.shape
    line = x.new_zeros(channels, 2 * margin + batch * (height + 1) * (width + 1))
    middle = line[:, margin : line.shape[1] - margin].view(channels, batch, height + 1, width + 1)
    middle[:, :, :height, :width].copy_(x.transpose(0, 1))
    return line
