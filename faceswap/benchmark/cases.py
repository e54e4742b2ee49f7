"""Aligning and judging, timed on bundled input; training and merging have modules of their own."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap.benchmark.clock import calls_per_s
from faceswap.benchmark.machine import matrix_peak_flops
from faceswap.benchmark.scenes import CANVASES, scene
from faceswap.detector.files import load_detector
from faceswap.detector.gather import CROP_PX
from faceswap.detector.judge import BATCH, Judge
from faceswap.faces.analysis import Analyst
from faceswap.faces.extract import CropStyle, align_frames
from faceswap.faces.packs import load_pack
from faceswap.io.images import write_image
from faceswap.runtime import choose_dtype
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
