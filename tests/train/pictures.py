"""Pictures that losses are tried on."""

import torch
from torch import Tensor


def golden_pair() -> tuple[Tensor, Tensor]:
    """The two pictures of deepfacelab.md §15.3, (1, 3, 64, 64)."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    a = torch.stack((x / 63, y / 63, (x + y) / 126))
    b = torch.stack((y / 63, x / 63, 0.9 * (x + y) / 126))
    return a[None], b[None]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
