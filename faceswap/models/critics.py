"""Networks that judge what a model makes while it is trained (deepfacelab.md §7.3).

Both answer with logits, positive where they take what they see for real.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, product
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceswap.errors import UserError
from faceswap.models.conv import conv

PATCH_SIZES = (3, 640)
_MOST_LAYERS = 9
_WIDEST = 512


class CodeCritic(nn.Module):
    """Tells whose code it sees ("true face"). inputs: channels of the codes, side: of their maps, in px."""

    def __init__(self, inputs: int, side: int) -> None:
        super().__init__()
        widths = [inputs, *(256 * min(2**level, 8) for level in range(1 + side // 8))]
        self.convs = nn.ModuleList(
            conv(before, after, kernel=3 if level else 4, stride=2)
            for level, (before, after) in enumerate(pairwise(widths))
        )
        self.out_conv = conv(widths[-1], 1, kernel=1)

    def forward(self, code: Tensor) -> tuple[Tensor, ...]:
        """(B, inputs, side, side) -> one map of logits, (B, 1, h, w)."""
        for layer in self.convs:
            code = F.leaky_relu(layer(code), 0.1, inplace=True)
        return (self.out_conv(code),)


class PatchCritic(nn.Module):
    """A UNet that judges patches, at its bottom, and every pixel with what it knows of them.

    dims: channels at full size. strides: of its layers, see `patch_strides`.
    """

    def __init__(self, dims: int, *strides: int) -> None:
        super().__init__()
        widths = [dims, *(min(dims * 2 ** (level + 1), _WIDEST) for level in range(len(strides)))]
        self.in_conv = conv(3, dims, kernel=1)
        self.convs = nn.ModuleList(
            conv(*pair, kernel=3, stride=stride)
            for pair, stride in zip(pairwise(widths), strides, strict=True)
        )
        self.center_out = conv(widths[-1], 1, kernel=1)
        self.center_conv = conv(widths[-1], widths[-1], kernel=1)
        self.upconvs = nn.ModuleList(
            _Grow(widths[level + 1] * (1 if level == len(strides) - 1 else 2), widths[level], strides[level])
            for level in reversed(range(len(strides)))
        )
        self.out_conv = conv(2 * dims, 1, kernel=1)

    def forward(self, face: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, R, R) RGB in [0, 1] -> logits (B, 1, r, r) of the patches, (B, 1, R, R) of the pixels.

        R is a multiple of the strides' product, see `check_patch`.
        """
        x, skips = F.leaky_relu(self.in_conv(face), 0.2, inplace=True), []
        for down in self.convs:
            skips.append(x)
            x = F.leaky_relu(down(x), 0.2, inplace=True)
        patches = self.center_out(x)
        x = F.leaky_relu(self.center_conv(x), 0.2, inplace=True)
        for up in self.upconvs:
            x = torch.cat((skips.pop(), F.leaky_relu(up(x), 0.2, inplace=True)), dim=1)
        return patches, self.out_conv(x)


class _Grow(nn.ConvTranspose2d):
    """A transposed 3×3 convolution that multiplies the side by `stride`."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 3, stride, padding=2 - stride)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, stride · H, stride · W)."""
        height, width = x.shape[-2:]
        # At stride 2 there is a row and a column too many, the last ones.
        grown: Tensor = super().forward(x, output_size)
        return grown[..., : self.stride[0] * height, : self.stride[1] * width]


def patch_strides(patch_px: int) -> tuple[int, ...]:
    """The strides of the 3×3 convolutions whose receptive field is nearest to `patch_px`, the smaller first.

    Among those of one field: the fewest layers, then the largest strides, then the earliest large ones.
    """
    fields = _strides_by_field()
    return fields[min(fields, key=lambda field: (abs(field - patch_px), field))]


def check_patch(resolution: int, patch_px: int) -> None:
    """Raise UserError naming the nearest patch sizes that work where its layers do not divide the side."""
    if _fits(resolution, patch_px):
        return
    smallest, largest = PATCH_SIZES
    below = next((size for size in range(patch_px, smallest - 1, -1) if _fits(resolution, size)), None)
    above = next((size for size in range(patch_px, largest + 1) if _fits(resolution, size)), None)
    near = " or ".join(f"--gan-patch-size {size}" for size in (below, above) if size is not None)
    raise UserError(
        f"--gan-patch-size {patch_px} is not possible at {resolution} px",
        f"its layers halve the picture {patch_strides(patch_px).count(2)} times, "
        f"and {resolution} is no multiple of {prod(patch_strides(patch_px))}",
        f"nearest that work: {near}",
    )


def _fits(resolution: int, patch_px: int) -> bool:
    return resolution % prod(patch_strides(patch_px)) == 0


@lru_cache(maxsize=1)
def _strides_by_field() -> dict[int, tuple[int, ...]]:
    best: dict[int, tuple[int, ...]] = {}
    for strides in _all_strides():
        field = receptive_field(strides)
        if field not in best or (-len(best[field]), sum(best[field])) < (-len(strides), sum(strides)):
            best[field] = strides
    return best


def _all_strides() -> Iterator[tuple[int, ...]]:
    for count in range(1, _MOST_LAYERS + 1):
        # The later a layer, the more it counts in the order: bit i − 1 of a falling number is layer i's.
        for later in product((2, 1), repeat=count - 1):
            yield (2, *reversed(later))


def receptive_field(strides: tuple[int, ...]) -> int:
    """Side in px of what one output of 3×3 convolutions with these strides sees."""
    return 3 + sum(2 * prod(strides[:layer]) for layer in range(1, len(strides)))
