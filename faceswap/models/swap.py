"""What every face-swap model can do, whatever its wiring."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from faceswap.models.arch import ModelSpec


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


class SwapModel(nn.Module, ABC):
    """A model for two faces, made by `faceswap.models.build.build`."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def forward(self, src: Tensor, dst: Tensor) -> Reconstruction:
        """Reconstructs both sides, (B, 3, R, R) RGB in [0, 1] each; the two batches may differ in size."""

    @abstractmethod
    def swap(self, dst: Tensor) -> Swap:
        """Gives dst's faces, (B, 3, R, R) RGB in [0, 1], the look of src."""
