"""What every face-swap model can do, whatever its wiring, and what an iteration costs."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from faceswap.models.arch import ModelSpec
from faceswap.models.blocks import Stack


class Reconstruction(NamedTuple):
    """Each side through its own path. Faces (B, 3, R, R) RGB, masks (B, 1, R, R), float32 in [0, 1]."""

    src_src: Tensor
    src_mask: Tensor
    dst_dst: Tensor
    dst_mask: Tensor


class Swap(NamedTuple):
    """Src's look in dst's pose.

    face: (B, 3, R, R) RGB; mask_prd: (B, 1, R, R), the mask of the swapped face ("learned-prd");
    mask_dst: (B, 1, R, R), the mask of dst's own reconstruction ("learned-dst"); float32 in [0, 1].
    """

    face: Tensor
    mask_prd: Tensor
    mask_dst: Tensor


class Codes(NamedTuple):
    """What the decoders are given, (B, C, L, L) each: src's, dst's, and dst's with the look of src."""

    src: Tensor
    dst: Tensor
    swap: Tensor | None


class Decoded(NamedTuple):
    """Faces (B, 3, R, R) RGB and masks (B, 1, R, R), float32 in [0, 1]."""

    face: Tensor
    mask: Tensor


class SwapModel(nn.Module, ABC):
    """A model for two faces, made by `faceswap.models.families.build`.

    morphs: whether its swap may lie anywhere between the two faces.
    """

    morphs = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def encode(self, src: Tensor, dst: Tensor, swap: bool = False, channels: Tensor | None = None) -> Codes:
        """Codes of both sides, (B, 3, R, R) RGB in [0, 1] each; the two batches may differ in size.

        swap: whether the swap's code is wanted, too. channels: see `draw`.
        """

    @abstractmethod
    def decode(self, as_src: Tensor, as_dst: Tensor) -> tuple[Decoded, Decoded]:
        """What the decoders of src and dst make of codes, (N, C, L, L) and (M, C, L, L)."""

    def forward(self, src: Tensor, dst: Tensor, channels: Tensor | None = None) -> Reconstruction:
        """Reconstructs both sides, (B, 3, R, R) RGB in [0, 1] each; the two batches may differ in size."""
        codes = self.encode(src, dst, channels=channels)
        by_src, by_dst = self.decode(codes.src, codes.dst)
        return Reconstruction(*by_src, *by_dst)

    def recompute(self, wanted: bool) -> None:
        """Whether training computes activations twice to keep fewer of them; see Stack."""
        for module in self.modules():
            if isinstance(module, Stack):
                module.recomputed = wanted

    def draw(self, _generator: torch.Generator, _count: int) -> dict[str, Tensor]:
        """What training draws at random for `count` faces of src, as arguments of `forward`; on the host."""
        return {}

    @abstractmethod
    def swap(self, dst: Tensor, morph: float | Tensor = 1.0) -> Swap:
        """Gives dst's faces, (B, 3, R, R) RGB in [0, 1], the look of src.

        morph: for models that morph, how much of src, 0 to 1, of all faces or (B,) of each.
        """


def iteration_flops(model: SwapModel, batch: int) -> float:
    """Operations of the convolutions and dense layers of one iteration, forward and backward.

    batch: faces a side. A multiply–add counts as two; augmentation, losses and optimiser as none.
    Counted on shapes alone: nothing is computed and the model is left as it is.
    """
    side = model.spec.resolution
    with torch.device("meta"):
        shapes = type(model)(model.spec)
        faces = torch.empty(batch, 3, side, side)
    with FlopCounterMode(display=False) as counter:
        outputs = shapes(faces, faces)
        torch.autograd.backward([output.sum() for output in outputs])
    return float(counter.get_total_flops())
