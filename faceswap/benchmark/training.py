"""Training, timed on random faces: whole iterations of usual models, and where their time goes."""

import statistics
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
import torch
from torch.autograd.profiler_util import FunctionEvent

from faceswap.benchmark.machine import PeakMemory, calls_per_s, matrix_peak_flops
from faceswap.io.files import gib
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.models.swap import iteration_flops
from faceswap.runtime import choose_dtype, keep_freed_memory
from faceswap.train.data.batches import Batches, Feed
from faceswap.train.data.samples import SampleStore
from faceswap.train.memory import Needs, Way, memory_bytes
from faceswap.train.update.blur import Separable
from faceswap.train.update.economy import PLAIN
from faceswap.train.update.steps import StepOptions, TrainStep
from faceswap.types import Json

MODELS = ("DF-UD 128", "LIAE-UD 128", "LIAE-UDT 224", "DF-UDT 320", "LIAE-UDT 512")
BATCH = 8
# Faces of either side: few enough for the memory, more than a processor's caches hold.
_FACES = 64


def bench_training(seconds: float, device: torch.device, chosen: str = "") -> Json:
    """Every model of MODELS whose name has `chosen` in it, batch 8, in the arithmetic that `auto` takes."""
    dtype = choose_dtype("auto", device)
    peak = matrix_peak_flops(device, dtype)
    rows: Json = {
        "precision": str(dtype).removeprefix("torch."),
        "batch": BATCH,
        "matrix_peak_tflops": round(peak / 1e12, 3),
    }
    for name in MODELS:
        if chosen not in name:
            continue
        arch, resolution = name.split()
        spec = ModelSpec(Arch.parse(arch), int(resolution))
        needed = Needs(build(spec), StepOptions()).of(Way(BATCH, dtype, PLAIN))
        free = memory_bytes(device)
        if needed > free:
            rows[name] = f"left out: needs about {gib(needed)}, {gib(free)} are free"
        else:
            rows[name] = measure(spec, device, dtype, seconds, peak) | {"predicted_memory": gib(needed)}
    return rows


def bench_speed_up(seconds: float, device: torch.device) -> Json:
    """DF-UD at 128 px, batch 4: this device's best arithmetic against plain eager float32."""
    spec, dtype = ModelSpec(Arch.parse("DF-UD"), 128), choose_dtype("auto", device)
    batches = Batches(_store(128), _store(128), 4, 0)
    rates = []
    for kind, channels_last in ((dtype, None), (torch.float32, False)):
        step = TrainStep(build(spec), StepOptions(), device, kind, channels_last)
        with closing(_Training(step, batches)) as training:
            rates.append(calls_per_s(training, seconds, warm_up=3))
    return {
        "model": "DF-UD 128 px 256/64/64/22, batch 4",
        "precision": str(dtype).removeprefix("torch."),
        "iterations_per_s": round(rates[0], 3),
        "float32_eager_iterations_per_s": round(rates[1], 3),
        "speed_up": round(rates[0] / rates[1], 2),
    }


def measure(spec: ModelSpec, device: torch.device, dtype: torch.dtype, seconds: float, peak: float) -> Json:
    """One model's row. peak: operations a second of a matrix product, as `matrix_peak_flops` finds them.

    The peak memory is the device's own; without any, that of the process with all that it holds.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with PeakMemory() as memory:
        store = _store(spec.resolution)
        batches = Batches(store, store, BATCH, 0, pinned=device.type == "cuda")
        with closing(_Training(TrainStep(build(spec), StepOptions(), device, dtype), batches)) as training:
            iteration_s = 1 / calls_per_s(training, seconds, warm_up=4)
            waited_s = statistics.fmean(training.waits_s[4:])
            in_networks = network_share(training, device)
    own = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else memory.peak_bytes
    flops = iteration_flops(build(spec), BATCH)
    return {
        "ms_per_iteration": round(1000 * iteration_s),
        "tflops": round(flops / iteration_s / 1e12, 3),
        "share_of_peak": round(flops / iteration_s / peak, 3),
        "share_of_peak_in_convolutions": round(flops / (in_networks * iteration_s) / peak, 3),
        "everything_else": round(1 - in_networks, 3),
        "waiting_for_data": round(waited_s / iteration_s, 4),
        "peak_memory": gib(own),
    }


class _Training:
    """Trains one iteration a call, on faces that are drawn ahead; ends when the device has finished.

    waits_s: how long each iteration waited for its faces.
    """

    def __init__(self, step: TrainStep, batches: Batches) -> None:
        keep_freed_memory(step.device)
        self._step, self._size = step, batches.batch_size
        self._feed = Feed(batches)
        self.waits_s: list[float] = []

    def __call__(self) -> None:
        begun, done = time.perf_counter(), len(self.waits_s)
        batch = self._feed.next(done * self._size, self._step.options)
        self.waits_s.append(time.perf_counter() - begun)
        # It reads the losses back, so nothing is left to wait for.
        self._step(batch, 0, done)

    def close(self) -> None:
        self._feed.close()


def network_share(once: Callable[[], object], device: torch.device) -> float:
    """The share of the time of a call that convolutions and dense layers take."""
    activity = torch.profiler.ProfilerActivity
    kinds = [activity.CPU] + ([activity.CUDA] if device.type == "cuda" else [])
    with torch.profiler.profile(activities=kinds) as profile:
        begun = time.perf_counter()
        once()
        whole_s = time.perf_counter() - begun
    names = ("aten::convolution_backward", "aten::_convolution", "aten::addmm", "aten::mm")
    attribute = "device_time_total" if device.type == "cuda" else "cpu_time_total"
    calls = (call for call in profile.events() if call.name in names and not _filters(call))
    return float(sum(getattr(call, attribute) for call in calls)) / 1e6 / whole_s


def _filters(call: FunctionEvent | None) -> bool:
    """Whether a call is part of the losses' filters, which are matrix products, too."""
    return call is not None and (Separable.__name__ in call.name or _filters(call.cpu_parent))


def _store(resolution: int) -> SampleStore:
    pixels = np.random.default_rng(0).integers(0, 256, (_FACES, resolution, resolution, 4), dtype=np.uint8)
    return SampleStore(pixels, tuple(map(str, range(_FACES))), {})
