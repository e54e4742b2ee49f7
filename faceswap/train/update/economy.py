"""What saves memory or time in an update and changes nothing of what is learnt."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Economy:
    """How an update is computed.

    parts: a batch is computed in so many equal parts, one after another, whose gradients are summed.
    checkpointing: activations are computed again for the backward pass instead of being kept.
    compiled: torch.compile makes kernels for the networks, once for each size of batch.
    """

    parts: int = 1
    checkpointing: bool = False
    compiled: bool = False


PLAIN = Economy()


def default_batch_size(device: "torch.device", processes: int = 1) -> int:
    """Faces of each side an iteration, a multiple of the number of processes."""
    return -(-(4 if device.type == "cpu" else 8) // processes) * processes
