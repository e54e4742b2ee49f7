"""Random warp and transform of training faces: drawn on the host, applied on the device
(deepfacelab.md §9.2).

Positions are in units of half the picture, −1 at its left or upper edge, 1 at the opposite one, so that
nothing here depends on the resolution. A picture is resampled once: warp, transform and flip are one grid.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FLIP_CHANCE = 0.4
# Nodes a side of the elastic grid for cells of a half, a quarter and an eighth of the picture.
GRID_NODES = (3, 5, 9)
NOISE_CUT = 2.5
NOISE_CELLS = 0.24


@dataclass(frozen=True)
class TransformRanges:
    """Bounds of the random transform; the defaults are those of SAEHD.

    rotation_deg: ± degrees. scale: uniform from 1/(1 + scale) to 1 + scale. shift: ± fractions of the side.
    """

    rotation_deg: float = 10.0
    scale: float = 0.15
    shift: float = 0.05


@dataclass(frozen=True)
class AugmentParams:
    """What happens to each picture of a batch, on the host until applied.

    output_to_input: (B, 2, 3) where in the picture a point of the result is taken from, elastic warp aside.
    displacement: (B, 2, 9, 9) by how much (x, y) the elastic warp moves that place, at nodes from edge to
    edge, bilinear between them, nothing on the edges.
    """

    output_to_input: Tensor
    displacement: Tensor


class Augmented(NamedTuple):
    """warped: the network's input; target, mask: what it shall give. (B, C, R, R) float32 in [0, 1].

    eyes_mouth: where eyes and mouth are, inside the mask and 1 where it is most; None unless asked for.
    """

    warped: Tensor
    target: Tensor
    mask: Tensor
    eyes_mouth: Tensor | None = None


def draw_augment(
    generator: torch.Generator,
    count: int,
    flip: bool,
    elastic: bool = True,
    ranges: TransformRanges | None = None,
) -> AugmentParams:
    """Draws for `count` pictures; the same state of the generator gives the same, for every device.

    flip: mirrors 40 % of them. elastic: False leaves `warped` equal to `target`. Neither changes other draws.
    """
    ranges = ranges or TransformRanges()
    uniform = torch.rand(5, count, generator=generator)
    rotation = torch.deg2rad((2 * uniform[0] - 1) * ranges.rotation_deg)
    smallest, largest = 1 / (1 + ranges.scale), 1 + ranges.scale
    scale = smallest + (largest - smallest) * uniform[1]
    shift = 2 * (2 * uniform[2:4] - 1) * ranges.shift
    mirror = 1 - 2 * (uniform[4] < FLIP_CHANCE).float() * flip
    displacement = _draw_displacement(generator, count) * elastic
    return AugmentParams(invert_transform(rotation, scale, shift, mirror), displacement)


def augment(
    image: Tensor, mask: Tensor, params: AugmentParams, eyes_mouth: Tensor | None = None
) -> Augmented:
    """Warps and transforms square faces; target and masks get the transform only.

    image: (B, C, R, R), mask: (B, 1, R, R), eyes_mouth: (B, 1, any side²), float32 in [0, 1], on any device.
    The image is sampled bicubic and goes on beyond its border with the border's colour; masks linear, and
    are 0 beyond it.
    """
    matrix, displacement = (
        x.to(image.device, non_blocking=True) for x in (params.output_to_input, params.displacement)
    )
    plain = _sampling_grid(matrix, image.shape[-1])
    moved = F.grid_sample(displacement, plain, "bilinear", "border", align_corners=True)
    elastic = plain + moved.permute(0, 2, 3, 1)
    moved_mask = _sample_mask(mask, plain)
    if eyes_mouth is not None:
        inside = _sample_mask(eyes_mouth, plain) * (moved_mask > 0)
        # As DeepFaceLab does (deepfacelab.md §9.3); a face without eyes and mouth in sight keeps its zeros.
        eyes_mouth = inside / inside.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)
    return Augmented(_sample_image(image, elastic), _sample_image(image, plain), moved_mask, eyes_mouth)


def _sample_image(image: Tensor, grid: Tensor) -> Tensor:
    # Cubic interpolation overshoots at sharp edges.
    return F.grid_sample(image, grid, "bicubic", "border", align_corners=False).clamp_(0, 1)


def _sample_mask(mask: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(mask, grid, "bilinear", "zeros", align_corners=False)


def invert_transform(rotation: Tensor, scale: Tensor, shift: Tensor, mirror: Tensor) -> Tensor:
    """Where a point of the result comes from, (B, 2, 3).

    rotation: (B,) radians counter-clockwise about the centre; scale: (B,); shift: (2, B) half pictures to the
    right and down; mirror: (B,) −1 where the result is mirrored at last, else 1.
    """
    cosine, sine = rotation.cos() / scale, rotation.sin() / scale
    x, y = shift
    rows = (cosine * mirror, -sine, sine * y - cosine * x, sine * mirror, cosine, -sine * x - cosine * y)
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _draw_displacement(generator: torch.Generator, count: int) -> Tensor:
    """(B, 2, 9, 9) noise on a grid of random cell size.

    DeepFaceLab adds two draws for one axis and reuses their sum, transposed, for the other; here both axes
    have the sum of two draws of their own: the same spread, without the diagonal symmetry.
    """
    cell = torch.randint(len(GRID_NODES), (count,), generator=generator)
    fields = torch.stack([_draw_field(generator, count, nodes) for nodes in GRID_NODES])
    return fields[cell, torch.arange(count)]


def _draw_field(generator: torch.Generator, count: int, nodes: int) -> Tensor:
    draws = torch.empty(2, count, 2, nodes - 2, nodes - 2)
    nn.init.trunc_normal_(draws, 0, 1, -NOISE_CUT, NOISE_CUT, generator=generator)
    noise = draws.sum(dim=0) / NOISE_CUT * NOISE_CELLS * 2 / (nodes - 1)
    # Every coarser grid is contained in the finest one, so this loses nothing.
    finest = GRID_NODES[-1]
    return F.interpolate(F.pad(noise, (1, 1, 1, 1)), (finest, finest), mode="bilinear", align_corners=True)


def _sampling_grid(matrix: Tensor, side: int) -> Tensor:
    """(B, side, side, 2) the places that `matrix` gives to the pixel centres of a picture of this side."""
    # Sums instead of a matrix product, which a device may be set to round to TF32: a tenth of a pixel.
    centres = (torch.arange(side, device=matrix.device) * 2 + 1) / side - 1
    a = matrix[:, None, None]
    return a[..., 0] * centres[None, None, :, None] + a[..., 1] * centres[None, :, None, None] + a[..., 2]
