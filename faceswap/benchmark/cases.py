"""Aligning, training and judging, timed on bundled input; merging is in `merging`."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap.benchmark.clock import calls_per_s
from faceswap.benchmark.machine import matrix_peak_flops, synchronize
from faceswap.benchmark.scenes import CANVASES, scene
from faceswap.detector.files import load_detector
from faceswap.detector.gather import CROP_PX
from faceswap.detector.judge import BATCH, Judge
from faceswap.faces.analysis import Analyst
from faceswap.faces.extract import CropStyle, align_frames
from faceswap.faces.packs import load_pack
from faceswap.io.images import write_image
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.build import build
from faceswap.models.flops import iteration_flops
from faceswap.runtime import choose_dtype
from faceswap.train.batches import Batch
from faceswap.train.steps import StepOptions, TrainStep
from faceswap.types import Json, Side
from faceswap.workspace import assets


def bench_align(seconds: float, workers: int) -> Json:
    """Frames a second from PNG frames on disk to crops on disk, bundled pack, after a warm-up."""
    rates: Json = {"unit": "frames/s", "workers": workers}
    analyst = Analyst(load_pack("bundled", "auto"))
    with tempfile.TemporaryDirectory() as folder:
        for name, canvas in CANVASES.items():
            frames = [Path(folder) / f"{name}_{number}.png" for number in range(8)]
            for number, path in enumerate(frames):
                write_image(path, scene(canvas, 0.1 * number).frame)
            out = Path(folder) / "aligned"
            out.mkdir(exist_ok=True)
            results = align_frames(_repeat(frames, 4000), out, analyst, CropStyle(Side.DST), workers)
            rates[name] = round(calls_per_s(partial(next, results), seconds, warm_up=8), 1)
            # Ends the workers: what they had begun is finished, nothing further is.
            del results
    return rates


def _repeat(paths: list[Path], count: int) -> list[Path]:
    return (paths * (count // len(paths) + 1))[:count]


def bench_train(seconds: float, device: torch.device) -> Json:
    """DF-UD at 128 px, 256/64/64/22, batch 4: this device's best arithmetic against plain float32."""
    spec = ModelSpec(Arch.parse("DF-UD"), 128, 256, 64, 64, 22)
    dtype = choose_dtype("auto", device)
    flops = iteration_flops(build(spec), 4)
    fast = _train_rate(spec, device, dtype, seconds)
    plain = _train_rate(spec, device, torch.float32, seconds, channels_last=False)
    peak = matrix_peak_flops(device, dtype)
    return {
        "model": "DF-UD 128 px 256/64/64/22, batch 4",
        "precision": str(dtype).removeprefix("torch."),
        "iterations_per_s": round(fast.rate, 3),
        "float32_eager_iterations_per_s": round(plain.rate, 3),
        "speed_up": round(fast.rate / plain.rate, 2),
        "gflop_per_iteration": round(flops / 1e9, 1),
        "matrix_peak_gflops": round(peak / 1e9, 1),
        "iteration_share_of_peak": round(flops * fast.rate / peak, 3),
        "networks_share_of_peak": round(flops / fast.network_s / peak, 3),
    }


class TrainRate(NamedTuple):
    """Iterations a second, and the seconds an iteration spends in convolutions and dense layers."""

    rate: float
    network_s: float


def _train_rate(
    spec: ModelSpec,
    device: torch.device,
    dtype: torch.dtype,
    seconds: float,
    channels_last: bool | None = None,
) -> TrainRate:
    step = TrainStep(build(spec, 0), StepOptions(), device, dtype, channels_last)
    pixels = torch.randint(0, 256, (4, spec.resolution, spec.resolution, 4), dtype=torch.uint8)
    batch, iterations = Batch(pixels, pixels.flip(2)), iter(range(10**9))

    def once() -> None:
        step(batch, 0, next(iterations))
        synchronize(device)

    rate = calls_per_s(once, seconds, warm_up=3)
    return TrainRate(rate, _network_seconds(once, device))


def _network_seconds(once: Callable[[], None], device: torch.device) -> float:
    activity = torch.profiler.ProfilerActivity
    kinds = [activity.CPU] + ([activity.CUDA] if device.type == "cuda" else [])
    with torch.profiler.profile(activities=kinds) as profile:
        once()
    names = ("aten::convolution_backward", "aten::_convolution", "aten::addmm", "aten::mm")
    attribute = "device_time_total" if device.type == "cuda" else "cpu_time_total"
    return float(sum(getattr(row, attribute) for row in profile.key_averages() if row.key in names)) / 1e6


def bench_judge(seconds: float, device: torch.device) -> Json:
    """Crops a second that the bundled detector judges in batches, shrinking included, cutting out not."""
    detector, card = load_detector(assets() / "detector")
    dtype = choose_dtype("auto", device)
    judge = Judge(detector, card.temperature, device, dtype)
    crops = list(np.random.default_rng(0).integers(0, 256, (BATCH, CROP_PX, CROP_PX, 3), dtype=np.uint8))
    rate = BATCH * calls_per_s(lambda: list(judge(crops)), seconds, warm_up=2)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        detector(torch.zeros(1, 3, detector.input_px, detector.input_px, device=device))
    flops, peak = counter.get_total_flops(), matrix_peak_flops(device, dtype)
    return {
        "precision": str(dtype).removeprefix("torch."),
        "crops_per_s": round(rate, 1),
        "gflop_per_crop": round(flops / 1e9, 3),
        "share_of_peak": round(flops * rate / peak, 3),
    }
