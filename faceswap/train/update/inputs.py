"""What the networks are shown of a batch: moved to the device, augmented, and with what models draw."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faceswap.augment.color import draw_hsv, shift_hsv
from faceswap.augment.warp import Augmented, augment, draw_augment
from faceswap.models.swap import SwapModel
from faceswap.train.data.batches import Batch
from faceswap.train.distributed import Share
from faceswap.train.options import StepOptions
from faceswap.train.update.regimes import Regime
from faceswap.train.update.styles import blur_out
from faceswap.types import Side

# The number that keeps apart what models draw at one iteration; the sides are 0 and 1.
_MODEL = 2


@dataclass(frozen=True)
class Inputs:
    """Prepares batches. Everything drawn follows from (seed, iteration) alone.

    It is drawn for the whole batch, of which those that are handed in are a `share`.
    """

    model: SwapModel
    regime: Regime
    device: torch.device
    memory_format: torch.memory_format

    def faces(
        self, batch: Batch, side: Side, options: StepOptions, share: Share, seed: int, iteration: int
    ) -> Augmented:
        """One side of the batch, augmented by the options."""
        is_src = side is Side.SRC
        pixels = batch.src if is_src else batch.dst
        eyes_mouth = batch.src_eyes_mouth if is_src else batch.dst_eyes_mouth
        generator = torch.Generator().manual_seed(mix(seed, iteration, list(Side).index(side)))
        warp = options.random_warp and self.regime.warps(iteration)
        flip = options.random_src_flip if is_src else options.random_dst_flip
        count = len(pixels) * share.world
        params = share.of(draw_augment(generator, count, flip, warp, self.regime.ranges))
        faces = to_device(pixels, self.device)
        where = None if eyes_mouth is None else to_device(eyes_mouth[..., None], self.device)
        made = augment(faces[:, :3], faces[:, 3:], params, where)
        warped, target = made.warped, made.target
        if is_src and options.random_hsv_power:
            shifts = draw_hsv(generator, count, options.random_hsv_power)
            warped = shift_hsv(warped, shifts[share.rows(count)])
        if options.blur_out_mask:
            target = blur_out(target, made.mask)
        return made._replace(warped=warped.contiguous(memory_format=self.memory_format), target=target)

    def drawn(self, count: int, share: Share, seed: int, iteration: int) -> dict[str, Tensor]:
        """What the model draws for `count` faces of src."""
        generator = torch.Generator().manual_seed(mix(seed, iteration, _MODEL))
        drawn = share.of(self.model.draw(generator, count * share.world))
        return {name: value.to(self.device, non_blocking=True) for name, value in drawn.items()}


def to_device(pixels: Tensor, device: torch.device) -> Tensor:
    """(B, H, W, C) uint8 on the host -> (B, C, H, W) float32 in [0, 1] on the device."""
    return pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)


def mix(*numbers: int) -> int:
    """A 64-bit seed that differs for every combination of `numbers`."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
