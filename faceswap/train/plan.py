"""What a training will take on this device, before it is started: memory, speed, hours, and what fits."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil
import torch

from faceswap.io.files import gib
from faceswap.models.build import build
from faceswap.models.flops import iteration_flops, kept_bytes
from faceswap.models.swap import SwapModel
from faceswap.runtime import has_bf16
from faceswap.train.batches import Batch
from faceswap.train.memory import is_out_of_memory
from faceswap.train.options import StepOptions
from faceswap.train.steps import TrainStep

PROBE_S = 10.0
HOURS_FOR = 100_000
_BATCHES = (1, 2, 4, 8, 16, 32)
# Weight, gradient and both moments of the optimiser; bf16 keeps a copy of the weights besides.
_BYTES_A_WEIGHT = 4 * 4
_BYTES_A_BF16_WEIGHT = 2
# Float32 pictures of three channels that inputs, targets, augmentation and losses keep of a face.
_PICTURES_A_FACE = 40
# Convolutions need room to work in, and a part of the memory is never whole enough to be used.
_HEADROOM = 1.15
_FITS = 0.9


@dataclass(frozen=True)
class Speed:
    """Milliseconds of an iteration: those of any batch, and those of each face of each side more."""

    fixed_ms: float
    face_ms: float

    def iteration_ms(self, batch: int) -> float:
        return self.fixed_ms + batch * self.face_ms


@dataclass(frozen=True)
class Row:
    """One way to train: batch size, arithmetic, and what it takes."""

    batch: int
    dtype: torch.dtype
    memory_bytes: int
    iteration_ms: float
    fits: bool

    @property
    def hours(self) -> float:
        """To 100,000 iterations."""
        return self.iteration_ms * HOURS_FOR / 3_600_000

    def __str__(self) -> str:
        name = str(self.dtype).removeprefix("torch.")
        text = f"batch {self.batch:>3}  {name:<9} {gib(self.memory_bytes):>10}  {self.iteration_ms:8.0f} ms"
        return f"{text}  {self.hours:8.1f} h  {'fits' if self.fits else 'too large'}"


def plan(
    model: SwapModel, options: StepOptions, batch: int, device: torch.device, seconds: float = PROBE_S
) -> list[Row]:
    """Every batch size, and `batch`, in every arithmetic that pays on `device`, from a probe of `seconds`."""
    dtypes = [torch.bfloat16, torch.float32] if has_bf16(device) else [torch.float32]
    room, kept = memory_bytes(device), kept_bytes(model)
    rows = []
    for dtype in dtypes:
        speed = probe(model, options, batch, device, dtype, seconds / len(dtypes))
        for size in sorted({*_BATCHES, batch}):
            needed = needed_bytes(model, kept, size, dtype)
            rows.append(Row(size, dtype, needed, speed.iteration_ms(size), needed <= _FITS * room))
    return rows


def report(rows: Sequence[Row], model: SwapModel, batch: int, device: torch.device) -> Iterator[str]:
    """The plan in lines, with what is proposed at the end."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    flops = iteration_flops(model, batch)
    yield f"{weights / 1e6:.1f} M weights; an iteration of batch {batch} is {flops / 1e9:.0f} GFLOP"
    yield f"{device} has {gib(memory_bytes(device))} free; predicted, with hours to {HOURS_FOR:,} iterations:"
    yield from map(str, rows)
    yield propose(rows, batch)


def propose(rows: Sequence[Row], batch: int) -> str:
    """The fastest arithmetic in which the wanted batch fits, or the largest batch that does."""
    fitting = [row for row in rows if row.fits and row.batch <= batch]
    if not fitting:
        return "nothing fits: choose a smaller --resolution, --ae-dims, --encoder-dims or --decoder-dims"
    largest = max(row.batch for row in fitting)
    best = min((row for row in fitting if row.batch == largest), key=lambda row: row.iteration_ms)
    precision = "bf16" if best.dtype is torch.bfloat16 else "float32"
    why = "" if largest == batch else f"batch {batch} is too large; "
    return f"{why}proposed: --batch-size {largest} --precision {precision}, {best.hours:.1f} h"


def needed_bytes(model: SwapModel, kept: int, batch: int, dtype: torch.dtype) -> int:
    """Memory of a training: weights and what goes with them, and what each face of the batch keeps."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    half = dtype is torch.bfloat16
    fixed = weights * (_BYTES_A_WEIGHT + (_BYTES_A_BF16_WEIGHT if half else 0))
    pictures = 2 * _PICTURES_A_FACE * 3 * 4 * model.spec.resolution**2
    return int(_HEADROOM * (fixed + batch * (kept * (0.5 if half else 1) + pictures)))


def memory_bytes(device: torch.device) -> int:
    """What is free for a training now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


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
