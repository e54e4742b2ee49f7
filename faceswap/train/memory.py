"""How much memory a training takes, how to tell that there was too little, and what to change then."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import psutil
import torch

from faceswap.errors import UserError
from faceswap.io.files import gib
from faceswap.models.swap import SwapModel
from faceswap.runtime import has_bf16
from faceswap.train.economy import Economy
from faceswap.train.footprint import learning_bytes, shape_step
from faceswap.train.options import OptimizerName, StepOptions
from faceswap.train.steps import TrainStep

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
