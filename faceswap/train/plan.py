"""What a training will take on this device, before it is started: memory, speed, hours, and what fits."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from faceswap.io.files import gib
from faceswap.models.families import build
from faceswap.models.swap import SwapModel, iteration_flops
from faceswap.runtime import has_bf16
from faceswap.train.data.batches import Batch
from faceswap.train.memory import Needs, Way, is_out_of_memory, memory_bytes
from faceswap.train.options import StepOptions
from faceswap.train.update.economy import PLAIN
from faceswap.train.update.steps import TrainStep

PROBE_S = 10.0
HOURS_FOR = 100_000
_BATCHES = (1, 2, 4, 8, 16, 32)
# A forward pass is a third of an iteration's arithmetic.
_RECOMPUTING = 4 / 3
_FITS = 0.9


@dataclass(frozen=True)
class Speed:
    """Milliseconds of an iteration: those of any batch, and those of each face of each side more."""

    fixed_ms: float
    face_ms: float

    def iteration_ms(self, way: Way, world: int = 1) -> float:
        """At most so long: the optimiser's share, which is in `fixed_ms`, does not come with every part."""
        face_ms = self.face_ms * (_RECOMPUTING if way.economy.checkpointing else 1)
        return way.economy.parts * self.fixed_ms + way.batch / world * face_ms


@dataclass(frozen=True)
class Row:
    """A way to train and what it takes."""

    way: Way
    memory_bytes: int
    iteration_ms: float
    fits: bool

    @property
    def hours(self) -> float:
        """To 100,000 iterations."""
        return self.iteration_ms * HOURS_FOR / 3_600_000

    def __str__(self) -> str:
        text = f"{self.way!s:<66} {gib(self.memory_bytes):>10}  {self.iteration_ms:8.0f} ms"
        return f"{text}  {self.hours:8.1f} h  {'fits' if self.fits else 'too large'}"


def plan(
    model: SwapModel,
    options: StepOptions,
    batch: int,
    device: torch.device,
    seconds: float = PROBE_S,
    world: int = 1,
) -> list[Row]:
    """Usual batch sizes, and all ways to compute `batch`, in every arithmetic that pays on `device`.

    The speeds are from a probe of `seconds`. world: processes that share a batch; the memory is that of one.
    """
    dtypes = [torch.bfloat16, torch.float32] if has_bf16(device) else [torch.float32]
    room, needs = memory_bytes(device), Needs(model, options, world)
    rows = []
    for dtype in dtypes:
        speed = probe(model, options, batch // world, device, dtype, seconds / len(dtypes))
        sizes = sorted({*(world * size for size in _BATCHES), batch})
        wanted = Way(batch, dtype, PLAIN)
        others = [way for way in wanted.dearer(device, world) if (way.batch, way.dtype) == (batch, dtype)]
        for way in (*(Way(size, dtype, PLAIN) for size in sizes), *others):
            needed = needs.of(way)
            rows.append(Row(way, needed, speed.iteration_ms(way, world), needed <= _FITS * room))
    return rows


def report(rows: Sequence[Row], model: SwapModel, batch: int, device: torch.device) -> Iterator[str]:
    """The plan in lines, with what is proposed at the end."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    flops = iteration_flops(model, batch)
    yield f"{weights / 1e6:.1f} M weights; the layers' arithmetic of batch {batch}: {flops / 1e9:.0f} GFLOP"
    yield f"{device} has {gib(memory_bytes(device))} free; predicted, with hours to {HOURS_FOR:,} iterations:"
    yield from map(str, rows)
    yield from propose(rows, batch)


def propose(rows: Sequence[Row], batch: int) -> Iterator[str]:
    """The fastest way in which the wanted batch fits, then the others that take less memory.

    Where it fits in none: the largest batch that does.
    """
    fitting = sorted((row for row in rows if row.fits), key=lambda row: row.iteration_ms)
    same = [row for row in fitting if row.way.batch == batch]
    smaller = [row for row in fitting if row.way.batch < batch]
    if not fitting or not (same or smaller):
        yield "nothing fits: choose a smaller --resolution, --ae-dims, --encoder-dims or --decoder-dims"
        return
    if not same:
        largest = max(row.way.batch for row in smaller)
        same = [next(row for row in smaller if row.way.batch == largest)]
        yield f"batch {batch} is too large in every way; another training, but one that fits:"
    best, *others = same
    yield f"proposed: {best.way}, {gib(best.memory_bytes)}, {best.hours:.1f} h"
    least = best.memory_bytes
    for row in others:
        if row.memory_bytes < least:
            least = row.memory_bytes
            yield f"with less memory: {row.way}, {gib(row.memory_bytes)}, {row.hours:.1f} h"


def probe(
    model: SwapModel,
    options: StepOptions,
    batch: int,
    device: torch.device,
    dtype: torch.dtype,
    seconds: float,
) -> Speed:
    """Measure iterations of one face, and of `batch` where that can be done in `seconds`.

    It trains a copy with random faces. Where the time or the memory is too short for more than one face, time
    is taken to grow with the faces.
    """
    step = TrainStep(build(model.spec), options, device, dtype)
    one = _typical_ms(step, 1, seconds / 3)
    if batch == 1 or 3 * one * batch > 1000 * seconds:
        return Speed(0.0, one)
    try:
        many = _typical_ms(step, batch, seconds / 2)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return Speed(0.0, one)
    face = max(many - one, 0.0) / (batch - 1)
    return Speed(max(one - face, 0.0), face)


def _typical_ms(step: TrainStep, batch: int, seconds: float) -> float:
    """The shortest of the iterations done in `seconds`, after one to warm up: others were disturbed."""
    side = step.model.spec.resolution
    pixels = torch.randint(0, 256, (batch, side, side, 4), dtype=torch.uint8)
    faces = Batch(pixels, pixels.flip(2))
    times: list[float] = []
    started = time.monotonic()
    while len(times) < 2 or time.monotonic() - started < seconds:
        begun = time.monotonic()
        step(faces, 0, len(times))  # its losses are read back, so the device has finished
        times.append(1000 * (time.monotonic() - begun))
    return min(times[1:])
