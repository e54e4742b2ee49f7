"""How much arithmetic and memory an iteration takes, from the shapes of its layers."""

from typing import TypeAlias

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from faceswap.models.blocks import Stack
from faceswap.models.swap import SwapModel

_Storages: TypeAlias = dict[int, torch.UntypedStorage]


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


def kept_bytes(model: SwapModel, recomputed: bool = False) -> int:
    """Bytes that the networks keep of one face of each side for the backward pass, in float32.

    recomputed: where activations are computed twice: what goes into each block, and all of the largest one.
    Counted on shapes alone; in bf16 it is half. Weights are not in it.
    """
    side = model.spec.resolution
    with torch.device("meta"):
        shapes = type(model)(model.spec)
        faces = torch.empty(1, 3, side, side)
    weights = {parameter.untyped_storage()._cdata for parameter in shapes.parameters()}
    lasting: _Storages = {}
    scopes: list[_Storages] = [lasting]

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights and storage._cdata not in lasting:
            scopes[-1][storage._cdata] = storage
        return tensor

    def enter(_block: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        keep(inputs[0])
        scopes.append({})

    blocks = [block for stack in shapes.modules() if isinstance(stack, Stack) for block in stack]
    passing: list[_Storages] = []
    for block in blocks if recomputed else ():
        block.register_forward_pre_hook(enter)
        block.register_forward_hook(lambda *_: passing.append(scopes.pop()))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        shapes(faces, faces)
    return _bytes(lasting) + max(map(_bytes, passing), default=0)


def _bytes(storages: _Storages) -> int:
    return sum(storage.nbytes() for storage in storages.values())
