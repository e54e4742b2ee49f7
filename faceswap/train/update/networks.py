"""All that an iteration computes with the model, in one call: it can be distributed or compiled as one."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from faceswap.console import warn
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
    """Reconstructs both sides of a batch, and swaps where that is asked for.

    compiled: by kernels that torch.compile makes; where it cannot, that is said and they are left out.
    """

    def __init__(self, model: SwapModel, compiled: bool = False) -> None:
        super().__init__()
        self.model = model
        self._compiled: Callable[..., Pass] | None = None
        if compiled:
            self._compiled = torch.compile(self._compute)

    def forward(
        self, src: Tensor, dst: Tensor, swap: bool, stopped: bool, channels: Tensor | None = None
    ) -> Pass:
        """(B, 3, R, R) RGB in [0, 1] of each side; every decoder is called once. channels: see `draw`."""
        if self._compiled is None:
            return self._compute(src, dst, swap, stopped, channels)
        # Takes seconds to import.
        from torch._dynamo.exc import TorchDynamoException

        try:
            return self._compiled(src, dst, swap, stopped, channels)
        except TorchDynamoException as error:
            self._compiled = None
            warn(f"--compile does not work here and is left out: {str(error).strip().splitlines()[0]}")
        return self._compute(src, dst, swap, stopped, channels)

    def _compute(self, src: Tensor, dst: Tensor, swap: bool, stopped: bool, channels: Tensor | None) -> Pass:
        codes: Codes = self.model.encode(src, dst, swap or stopped, channels)
        as_src = [codes.src]
        if codes.swap is not None:
            as_src += [codes.swap] * swap + [codes.swap.detach()] * stopped
        by_src, by_dst = self.model.decode(torch.cat(as_src), codes.dst)
        faces, masks = (torch.split(x, len(src)) for x in by_src)
        parts = [Decoded(*pair) for pair in zip(faces, masks, strict=True)]
        made = Reconstruction(*parts[0], *by_dst)
        return Pass(made, codes, parts[1] if swap else None, parts[-1] if stopped else None)
