"""What a figure was measured on: machine, versions, commit, and the arithmetic peak it is compared with."""

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from faceswap.types import Json

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "numpy", "opencv-python", "onnxruntime", "insightface", "av", "faceswap-workbench")
MATRIX_SIDE = 2048


def describe_machine() -> Json:
    """Processor, cores, memory, accelerator, package versions and commit, as JSON."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def matrix_peak_flops(device: "torch.device", dtype: "torch.dtype", seconds: float = 2.0) -> float:
    """Floating-point operations a second of a square matrix product, best of repeated runs.

    A product of two n × n matrices counts 2·n³ operations.
    """
    import torch

    side = MATRIX_SIDE * (4 if device.type == "cuda" else 1)
    a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    best, deadline = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < deadline or not best:
        begun = time.perf_counter()
        torch.mm(a, b)
        synchronize(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - begun))
    return best


def synchronize(device: "torch.device") -> None:
    """Wait until the device has finished what was queued, so that a clock tells the truth."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
