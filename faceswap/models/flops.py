"""How much arithmetic and memory an iteration takes, from the shapes of its layers."""

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


def kept_bytes(model: SwapModel) -> int:
    """Bytes that the networks keep of one face of each side for the backward pass, in float32.

    Counted on shapes alone; in bf16 it is half. Weights are not in it.
    """
    side = model.spec.resolution
    with torch.device("meta"):
        shapes = type(model)(model.spec)
        faces = torch.empty(1, 3, side, side)
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    weights = {parameter.untyped_storage()._cdata for parameter in shapes.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        shapes(faces, faces)
    return sum(storage.nbytes() for key, storage in kept.items() if key not in weights)
