"""Convolution blocks the finder and the landmarker share."""

import torch
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU; `stride` 2 halves the size (sizes are even)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        padding = (kernel - 1) // 2 if kernel > stride else 0
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.second(self.first(x))))


class Stage(nn.Sequential):
    """A halving convolution and `blocks` residual blocks."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__(ConvBlock(inputs, outputs, 3, 2), *(ResidualBlock(outputs) for _ in range(blocks)))
