"""The pack's networks: an SCRFD-shaped face finder and a landmarker by integral regression.

Every point has a heat map whose expectation is its position (Sun et al. 2018, "Integral human pose
regression"): trained on the coordinates alone, finer than a cell, and needing few pictures because
the network moves with the face.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceswap.facepack.anchors import SIZES_IN_STRIDES, STRIDES
from faceswap.geometry.landmarks import POINTS_N


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


_PRIOR = 0.02
_FIELDS = 1 + 4 + 10


class Finder(nn.Module):
    """Scores, boxes and five points for two anchors a cell at strides 8, 16 and 32.

    Input (B, 3, H, W), RGB, (x − 127.5) / 128, H and W multiples of 32. Output: three tensors
    (B, A, 1) score logits, (B, A, 4) distances to the sides, (B, A, 10) point offsets, in strides,
    all levels joined in `lay_anchors` order. A coarser level than 32 only carries context, so
    that a face filling the picture is seen whole.
    """

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        deep = 2 * width
        self.stem = nn.Sequential(ConvBlock(3, width // 2, 4, 4), ConvBlock(width // 2, width // 2))
        self.stages = nn.ModuleList(
            [Stage(width // 2, width, 1), Stage(width, deep, 1), Stage(deep, deep, 1), Stage(deep, deep, 1)]
        )
        self.lateral = nn.ModuleList(
            [nn.Conv2d(channels, width, 1) for channels in (width, deep, deep, deep)]
        )
        self.heads = nn.ModuleList([_Head(width) for _ in STRIDES])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores, sides, offsets = zip(*self.levels(x), strict=True)
        return torch.cat(scores, 1), torch.cat(sides, 1), torch.cat(offsets, 1)

    def levels(self, x: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The three outputs per stride, fine to coarse."""
        features = []
        x = self.stem(x)
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            features.append(lateral(x))
        coarse = features.pop()
        merged: list[Tensor] = []
        for feature in reversed(features):
            # The size is read off the finer level: at stride 64 an odd number of cells is rounded up.
            coarse = torch.relu(feature + F.interpolate(coarse, size=feature.shape[-2:], mode="nearest"))
            merged.insert(0, coarse)
        return [head(feature) for head, feature in zip(self.heads, merged, strict=True)]


class _Head(nn.Module):
    """One level's answers: the raw output is relative to the anchor, so that zero means the anchor itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        anchors = len(SIZES_IN_STRIDES)
        self.mix = ConvBlock(width, width)
        self.out = nn.Conv2d(width, anchors * _FIELDS, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        bias = torch.zeros(anchors, _FIELDS)
        bias[:, 0] = math.log(_PRIOR / (1 - _PRIOR))
        self.out.bias = nn.Parameter(bias.flatten())
        self.size: Tensor
        self.register_buffer("size", torch.tensor(SIZES_IN_STRIDES, dtype=torch.float32).view(1, 1, -1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw = self.out(self.mix(x)).permute(0, 2, 3, 1)
        raw = raw.reshape(raw.shape[0], -1, len(SIZES_IN_STRIDES), _FIELDS)
        score, sides, offsets = raw.split((1, 4, 10), dim=-1)
        sides = sides.clamp(max=4).exp() * (self.size / 2)
        return score.flatten(1, 2), sides.flatten(1, 2), (offsets * self.size).flatten(1, 2)


CROP_PX = 192


class Landmarker(nn.Module):
    """(B, 3, 192, 192) RGB, (x − 127.5) / 128 → (B, 136) points x0 y0 x1 … in [−1, 1] over the crop.

    insightface's decoder maps −1 … 1 to crop pixels 0 … 192.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (24, 48, 96, 128), fused: int = 64) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Sequential(ConvBlock(3, a, 4, 4), ConvBlock(a, a))
        self.fine = Stage(a, b, 1)
        self.middle = Stage(b, c, 2)
        self.coarse = Stage(c, d, 2)
        self.coarse_to_middle = nn.Conv2d(d, c, 1)
        self.middle_to_fused = nn.Conv2d(c, fused, 1)
        self.fine_to_fused = nn.Conv2d(b, fused, 1)
        self.mix = ResidualBlock(fused)
        self.heat = nn.Conv2d(fused, POINTS_N, 1)
        cells = CROP_PX // 8
        line = (torch.arange(cells) + 0.5) / cells * 2 - 1
        grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
        self.grid: Tensor
        self.register_buffer("grid", grid)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.coarse_to_middle(self.coarse(middle))
        middle = torch.relu(middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        wide = F.interpolate(self.middle_to_fused(middle), scale_factor=2.0, mode="nearest")
        heat = self.heat(self.mix(torch.relu(self.fine_to_fused(fine) + wide)))
        certainty = heat.flatten(2).softmax(-1)
        # A reshape with a constant leaves 136 readable in the ONNX file; insightface looks for it.
        return torch.matmul(certainty, self.grid).reshape(-1, 2 * POINTS_N)
