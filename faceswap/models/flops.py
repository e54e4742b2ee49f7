"""How much arithmetic an iteration takes, from the shapes of its layers."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap.models.swap import SwapModel


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
