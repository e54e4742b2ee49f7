"""The layers DF and LIAE are made of (deepfacelab.md §7.1, §7.2).

Weights lie as PyTorch lays them, and sub-pixels in `pixel_shuffle`'s order (channel 4c + 2i + j is channel c
at offset (i, j)). DeepFaceLab's files hold dense weights as (in, out), kernels as (kh, kw, in, out) and
sub-pixels as (2i + j)·C + c: whoever imports them permutes, so that training pays for no permutation.

Leaky ReLU works in place: the layer before needs only its input for its gradient, and leaky ReLU's own
gradient can be had from its result.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from faceswap.models.conv import conv

PIXEL_NORM_EPS = 1e-6

# A layer's output and a slope -> what is passed on.
Activation: TypeAlias = Callable[[Tensor, float], Tensor]
Contexts: TypeAlias = Callable[[], tuple[AbstractContextManager[object], AbstractContextManager[object]]]


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """x where it is positive, else slope · x; in place."""
    return F.leaky_relu(x, slope, inplace=True)


def x_cos_x(x: Tensor, _slope: float) -> Tensor:
    """x · cos x, the activation of the letter C."""
    return x * x.cos()


def initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Glorot uniform weights and zero biases for all (transposed) convolutions and dense layers."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(cast(Tensor, layer.bias))


def pixel_norm(x: Tensor) -> Tensor:
    """x · (mean(x²) + 1e-6)^(−½) over the last axis, in float32 whatever the precision of x."""
    x = x.float()
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + PIXEL_NORM_EPS)


class Down(nn.Module):
    """Halves the side: convolution 5×5 of stride 2, activation of slope 0.1."""

    def __init__(self, inputs: int, outputs: int, activate: Activation = leaky_relu) -> None:
        super().__init__()
        self.activate = activate
        self.conv1 = conv(inputs, outputs, kernel=5, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H/2, W/2)."""
        return self.activate(self.conv1(x), 0.1)


class Up(nn.Module):
    """Doubles the side: convolution 3×3 to four sub-pixels, activation of slope 0.1."""

    def __init__(self, inputs: int, outputs: int, activate: Activation = leaky_relu) -> None:
        super().__init__()
        self.activate = activate
        self.conv1 = conv(inputs, 4 * outputs, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
        return F.pixel_shuffle(self.activate(self.conv1(x), 0.1), 2)


class Residual(nn.Module):
    """Two convolutions 3×3 beside the identity, activations of slope 0.2 between and after."""

    def __init__(self, channels: int, activate: Activation = leaky_relu) -> None:
        super().__init__()
        self.activate = activate
        self.conv1 = conv(channels, channels, kernel=3)
        self.conv2 = conv(channels, channels, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        inner = self.activate(self.conv1(x), 0.2)
        return self.activate(self.conv2(inner).add_(x), 0.2)


class Stack(nn.Sequential):
    """Blocks one after another. None of them writes into what it is given.

    recomputed: keeps only what goes into each block, and computes the rest again for the backward pass
    (Chen et al. 2016, arXiv 1604.06174): the gradients are the same, the forward arithmetic is done twice.
    contexts: gives what is entered while a block is computed first, and while it is computed again.
    """

    recomputed = False
    contexts: Contexts | None = None

    def forward(self, x: Tensor) -> Tensor:
        """What the first block takes -> what the last one gives."""
        for block in self:
            if self.recomputed and torch.is_grad_enabled():
                # torch.compile takes no contexts, not even empty ones.
                entered: dict[str, Any] = {} if self.contexts is None else {"context_fn": self.contexts}
                x = checkpoint(block, x, use_reentrant=False, preserve_rng_state=False, **entered)
            else:
                x = block(x)
        return x


class SubPixelFace(nn.Module):
    """The face of the D variants: four convolutions, one a sub-pixel; the first is 1×1, the others 3×3.

    They are computed as one convolution, the 1×1 kernel in the middle of a 3×3 one: twelve output channels
    fill the vector registers that three leave mostly empty.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.out_conv = conv(inputs, 3, kernel=1)
        self.out_conv1 = conv(inputs, 3, kernel=3)
        self.out_conv2 = conv(inputs, 3, kernel=3)
        self.out_conv3 = conv(inputs, 3, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> logits (B, 3, 2H, 2W)."""
        first = F.pad(self.out_conv.weight, (1, 1, 1, 1))
        others = (self.out_conv1, self.out_conv2, self.out_conv3)
        weight = torch.stack((first, *(layer.weight for layer in others)), dim=1).flatten(0, 1)
        bias = torch.stack(tuple(cast(Tensor, c.bias) for c in (self.out_conv, *others)), dim=1).flatten()
        return F.pixel_shuffle(F.conv2d(x, weight, bias, padding=1), 2)
