"""DFL's XSeg network: a U-Net with filter response norms and a dense bottleneck (deepfacelab.md §6.1).

Its parts are named as in DFL's files (`conv01/frn/eps:0` is `conv01.frn.eps`). Two things differ from
them: pictures are RGB, so an importer turns the inputs of `conv01` round, and weights lie as PyTorch
lays them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DENSE_DIMS = 512
# Blocks and the size of the blur that halves the picture after them, per level.
_BLOCKS = (2, 2, 2, 3, 3, 3)
_BLURS = (4, 3, 2, 2, 2, 2)
_BINOMIAL = {2: (1.0, 1.0), 3: (1.0, 2.0, 1.0), 4: (1.0, 3.0, 3.0, 1.0)}


class FilterResponseNorm(nn.Module):
    """x / √(ν² + |ε|) · w + b with ν² the mean of x² over a channel (Singh & Krishnan 2020, equation 1).

    w, b: per channel. ε: one learnable scalar. In float32 whatever the precision of x.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = nn.Parameter(torch.full((1,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape and type."""
        scale = (x.float().square().mean((2, 3), keepdim=True) + self.eps.abs()).rsqrt()
        normed = x.float() * scale * self.weight[:, None, None] + self.bias[:, None, None]
        return normed.to(x.dtype)


class ThresholdedLinear(nn.Module):
    """max(x, τ) with a learnable τ per channel (Singh & Krishnan 2020, equation 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape and type."""
        return torch.maximum(x, self.tau[:, None, None].to(x.dtype))


class BlurPool(nn.Module):
    """Halves a picture by a binomial filter of `size`, each channel for itself (Zhang 2019)."""

    kernel: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        line = torch.tensor(_BINOMIAL[size])
        kernel = torch.outer(line, line) / line.sum() ** 2
        self.register_buffer("kernel", kernel[None, None], persistent=False)
        before, after = (size - 1) // 2, size // 2
        self._padding = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), H and W even -> (B, C, H/2, W/2)."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        return F.conv2d(F.pad(x, self._padding), kernel, stride=2, groups=channels)


class _ConvBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.frn, self.tlu = FilterResponseNorm(outputs), ThresholdedLinear(outputs)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.tlu(self.frn(self.conv(x)))
        return made


class _UpBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2)
        self.frn, self.tlu = FilterResponseNorm(outputs), ThresholdedLinear(outputs)

    def forward(self, x: Tensor) -> Tensor:
        # TensorFlow's SAME keeps all but the last row and column (deepfacelab.md §7.1).
        made: Tensor = self.tlu(self.frn(self.conv(x)[:, :, :-1, :-1]))
        return made


class XSeg(nn.Module):
    """input_px: side of the picture, a multiple of 64. base_dims: channels of level 0. DFL: 256 and 32."""

    def __init__(self, input_px: int = 256, base_dims: int = 32) -> None:
        super().__init__()
        self._levels = range(len(_BLOCKS))
        dims = [base_dims * factor for factor in (1, 2, 4, 8, 8, 8)]
        ups = [base_dims * factor for factor in (1, 2, 4, 4, 4, 4)]
        before = 3
        for level in self._levels:
            for block in range(1, _BLOCKS[level] + 1):
                setattr(self, f"conv{level}{block}", _ConvBlock(before, dims[level]))
                before = dims[level]
            setattr(self, f"bp{level}", BlurPool(_BLURS[level]))
        self._code_shape = (before, input_px // 64, input_px // 64)
        code_dims = before * (input_px // 64) ** 2
        self.dense1, self.dense2 = nn.Linear(code_dims, DENSE_DIMS), nn.Linear(DENSE_DIMS, code_dims)
        for level in reversed(self._levels):
            setattr(self, f"up{level}", _UpBlock(before, ups[level]))
            before = ups[level] + dims[level]
            for block in range(_BLOCKS[level], 0, -1):
                setattr(self, f"uconv{level}{block}", _ConvBlock(before, dims[level]))
                before = dims[level]
        self.out_conv = nn.Conv2d(before, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, R, R) RGB in [0, 1] -> (B, 1, R, R) logits."""
        skips = []
        for level in self._levels:
            x = self._blocks("conv", level, range(1, _BLOCKS[level] + 1), x)
            skips.append(x)
            x = getattr(self, f"bp{level}")(x)
        x = self.dense2(self.dense1(x.flatten(1))).unflatten(1, self._code_shape)
        for level in reversed(self._levels):
            x = torch.cat([getattr(self, f"up{level}")(x), skips[level]], dim=1)
            x = self._blocks("uconv", level, range(_BLOCKS[level], 0, -1), x)
        made: Tensor = self.out_conv(x)
        return made

    def _blocks(self, kind: str, level: int, blocks: range, x: Tensor) -> Tensor:
        for block in blocks:
            x = getattr(self, f"{kind}{level}{block}")(x)
        return x
