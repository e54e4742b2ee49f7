"""The face finder: a small SCRFD-shaped network of plain convolutions, fast on a CPU."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceswap.facepack.anchors import SIZES_IN_STRIDES, STRIDES
from faceswap.facepack.layers import ConvBlock, Stage

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
