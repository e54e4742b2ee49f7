"""The landmarker: 68 points of a 192 px face crop by integral regression.

Every point has a heat map whose expectation is its position (Sun et al. 2018, "Integral human pose
regression"): trained on the coordinates alone, finer than a cell, and needing few pictures because
the network moves with the face.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceswap.facepack.layers import ConvBlock, ResidualBlock, Stage
from faceswap.facepack.points import POINTS_N

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
