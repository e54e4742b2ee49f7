"""How much memory a training takes, from shapes alone, and what to change where there is too little.

An update is done on torch's "meta" device, where tensors have shapes and no contents, and what would be alive
at each moment is added up. So every option counts as it is, with what losses and critics keep.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from faceswap.errors import UserError
from faceswap.io.files import gib
from faceswap.models.blocks import Stack
from faceswap.models.swap import SwapModel
from faceswap.runtime import has_bf16
from faceswap.train.data.batches import Batch
from faceswap.train.data.samples import CHANNELS, EYES_MOUTH_PX
from faceswap.train.distributed import ALONE
from faceswap.train.options import OptimizerName, StepOptions
from faceswap.train.update.economy import Economy
from faceswap.train.update.steps import TrainStep

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


# Weight and moments of the optimiser stay; its step holds gradient and scratch for each besides.
_MOMENTS: dict[OptimizerName, int] = {"adabelief": 2, "rmsprop": 1, "adamw": 2}
# Faces whose need is counted; between them it grows by straight lines, beyond as at the end.
_COUNTED = (1, 4, 8, 16)
# Convolutions need room to work in, and a part of the memory is never whole enough to be used.
_HEADROOM = 1.15


@dataclass(frozen=True)
class Way:
    """A way to compute an update. batch: faces of each side in it, all parts and processes together."""

    batch: int
    dtype: torch.dtype
    economy: Economy

    def __str__(self) -> str:
        """What to type for it."""
        parts = self.economy.parts
        text = f"--batch-size {self.batch // parts}" + (f" --accumulate {parts}" if parts > 1 else "")
        text += " --checkpointing" if self.economy.checkpointing else ""
        return f"{text} --precision {'bf16' if self.dtype is torch.bfloat16 else 'float32'}"

    def dearer(self, device: torch.device, world: int = 1) -> Iterator["Way"]:
        """Ways that take less memory and more time, or change the training: what costs least comes first.

        bf16 costs nothing where the device has it; parts leave a part of the device idle, the more so the
        smaller they are; activations computed twice are a third more arithmetic; a smaller batch is another
        training.
        """
        short = replace(self, dtype=torch.bfloat16) if has_bf16(device) else self
        economy = short.economy
        parts = [n for n in _powers(self.batch) if self.batch % (n * world) == 0 and n > economy.parts]
        ways = [short, *(replace(short, economy=replace(economy, parts=n)) for n in parts)]
        ways += [replace(way, economy=replace(way.economy, checkpointing=True)) for way in ways]
        single = replace(economy, parts=1)
        ways += [
            replace(short, batch=n, economy=single) for n in reversed(_powers(self.batch)) if n % world == 0
        ]
        yield from (way for way in dict.fromkeys(ways) if way != self)


def _powers(below: int) -> list[int]:
    return [2**n for n in range(below.bit_length()) if 2**n < below] if below > 1 else []


class Needs:
    """What training a model by `options` takes, from shapes. world: processes that share a batch."""

    def __init__(self, model: SwapModel, options: StepOptions, world: int = 1) -> None:
        self._model, self._options, self._world = model, options, world
        self._steps: dict[tuple[torch.dtype, bool], TrainStep] = {}
        self._learning: dict[tuple[torch.dtype, bool, int], int] = {}

    def of(self, way: Way) -> int:
        """Bytes: weights, critics', and what goes with them, and what a part of the batch needs besides."""
        step = self._step(way)
        networks = (step.model, *(critic.network for critic in step.critics.values()))
        weights = sum(p.nbytes for network in networks for p in network.parameters())
        lasting = weights * (1 + _MOMENTS[self._options.optimizer])
        # From the second part on the gradients of those before are there from the beginning.
        gradients = weights if way.economy.parts > 1 else 0
        return int(_HEADROOM * (lasting + max(gradients + self._to_learn(way), 2 * weights)))

    def _to_learn(self, way: Way) -> float:
        faces = way.batch / (way.economy.parts * self._world)
        above = next((count for count in _COUNTED[1:] if faces <= count), _COUNTED[-1])
        below = _COUNTED[_COUNTED.index(above) - 1]
        low, high = (self._counted(way, count) for count in (below, above))
        return low + (high - low) * (faces - below) / (above - below)

    def _counted(self, way: Way, faces: int) -> int:
        key = way.dtype, way.economy.checkpointing, faces
        if key not in self._learning:
            self._learning[key] = learning_bytes(self._step(way), faces)
        return self._learning[key]

    def _step(self, way: Way) -> TrainStep:
        key = way.dtype, way.economy.checkpointing
        if key not in self._steps:
            self._steps[key] = shape_step(self._model, self._options, *key)
        return self._steps[key]


def memory_bytes(device: torch.device) -> int:
    """What is free for a training now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an operation failed because the device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The CPU's allocator and some libraries raise bare RuntimeErrors.
    text = str(error).lower()
    known = ("can't allocate memory", "out of memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(part in text for part in known)


def out_of_memory(step: TrainStep, batch: int, saved: int) -> UserError:
    """What to type instead. batch: faces of each side an update; saved: iteration on the disk, 0 for none."""
    way, device, world = Way(batch, step.dtype, step.economy), step.device, step.share.world
    needs = Needs(step.model, step.options, world)
    had = needs.of(way)
    lesser = [(other, needs.of(other)) for other in way.dearer(device, world)]
    ways = [f"{other} (about {gib(need)})" for other, need in _each_lower(lesser, had)]
    smaller = "start a new model with a smaller --resolution or smaller dims, --model NAME"
    return UserError(
        f"{device} has not the memory for {way}, about {gib(had)}",
        f"nothing is lost: the model of iteration {saved} is saved" if saved else "nothing was trained yet",
        "\n  ".join(["type, what costs least first (--plan shows how long each takes):", *ways])
        if ways
        else smaller,
    )


def _each_lower(ways: list[tuple[Way, int]], than: int) -> Iterator[tuple[Way, int]]:
    """Those that need less than all before them: what costs more and saves nothing is no way out."""
    for way, need in ways:
        if need < 0.97 * than:
            than = need
            yield way, need
