"""How much memory the arithmetic of an update takes, from shapes alone: nothing is computed, nothing held.

An update is done on torch's "meta" device, where tensors have shapes and no contents, and what would be alive
at each moment is added up. So every option counts as it is, with what losses and critics keep.
"""

import weakref
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from faceswap.models.blocks import Stack
from faceswap.models.swap import SwapModel
from faceswap.train.batches import Batch
from faceswap.train.distributed import ALONE
from faceswap.train.economy import Economy
from faceswap.train.options import StepOptions
from faceswap.train.samples import CHANNELS, EYES_MOUTH_PX
from faceswap.train.steps import TrainStep

_META = torch.device("meta")
# What autocast computes in its dtype; "meta" knows no autocast.
_SHORTENED = {F.conv2d, F.conv_transpose2d, F.linear}


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While entered: `peak` is the largest sum of bytes of tensors made since and alive at one time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, function: Callable[..., Any], _: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return made

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._now += size
            self.peak = max(self.peak, self._now)
            self._known[key] = weakref.ref(storage, partial(self._forget, key, size))

    def _forget(self, key: int, size: int, _: object) -> None:
        self._now -= size
        del self._known[key]


def learning_bytes(step: TrainStep, faces: int) -> int:
    """Bytes that are alive at most while `step` learns from `faces` of each side: activations and gradients.

    Weights, batch and the optimisers' memory are not in it.
    """
    side = step.model.spec.resolution
    pixels = torch.zeros(faces, side, side, CHANNELS, dtype=torch.uint8)
    where = torch.zeros(faces, EYES_MOUTH_PX, EYES_MOUTH_PX, dtype=torch.uint8)
    masks = (where, where) if step.options.eyes_mouth_priority else ()
    shapes = _Shapes(step.dtype) if step.device == _META else nullcontext()
    allocations = Allocations()
    with shapes, allocations:
        step.learn(Batch(pixels, pixels, *masks), ALONE, 0, 0)
    return allocations.peak


class _Shapes(TorchFunctionMode):
    """On "meta" layers compute in `dtype`, and pictures are sampled as fast as the rest."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, function: Callable[..., Any], _: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in _SHORTENED:
            args = [arg.to(self._dtype) if isinstance(arg, Tensor) else arg for arg in args]
        elif function is F.grid_sample:
            # torch works this shape out in Python, in three times the time of all others together.
            picture, grid = args[:2]
            return picture.new_empty(*picture.shape[:2], *grid.shape[1:3])
        return function(*args, **(kwargs or {}))


def shape_step(model: SwapModel, options: StepOptions, dtype: torch.dtype, checkpointing: bool) -> TrainStep:
    """A step of `model`'s shapes, on "meta"."""
    with _META:
        shapes = type(model)(model.spec)
    # Fused AdamW knows no "meta"; which optimiser it is does not matter to what is learnt from.
    plain = options.model_copy(update={"optimizer": "adabelief"})
    step = TrainStep(shapes, plain, _META, dtype, economy=Economy(checkpointing=checkpointing))
    for stack in shapes.modules():
        if isinstance(stack, Stack):
            stack.contexts = lambda: (nullcontext(), _Shapes(dtype))
    return step
