"""All that an iteration computes with the model, in one call: it can be distributed or compiled as one."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from faceswap.models.swap import Codes, Decoded, Reconstruction, SwapModel


class Pass(NamedTuple):
    """What the networks made of a batch.

    swap: dst with src's look, None unless asked for. stopped: the same, but its gradients end at the code,
    so that only src's decoder learns from it.
    """

    made: Reconstruction
    codes: Codes
    swap: Decoded | None
    stopped: Decoded | None


class Networks(nn.Module):
    """Reconstructs both sides of a batch, and swaps where that is asked for."""

    def __init__(self, model: SwapModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, src: Tensor, dst: Tensor, swap: bool, stopped: bool, channels: Tensor | None = None
    ) -> Pass:
        """(B, 3, R, R) RGB in [0, 1] of each side; every decoder is called once. channels: see `draw`."""
        codes: Codes = self.model.encode(src, dst, swap or stopped, channels)
        as_src = [codes.src]
        if codes.swap is not None:
            as_src += [codes.swap] * swap + [codes.swap.detach()] * stopped
        by_src, by_dst = self.model.decode(torch.cat(as_src), codes.dst)
        faces, masks = (torch.split(x, len(src)) for x in by_src)
        parts = [Decoded(*pair) for pair in zip(faces, masks, strict=True)]
        made = Reconstruction(*parts[0], *by_dst)
        return Pass(made, codes, parts[1] if swap else None, parts[-1] if stopped else None)
