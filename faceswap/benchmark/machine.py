"""What a figure was measured on, how often something can be done in a second, and the memory it takes."""

import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil

from faceswap.types import Json

if TYPE_CHECKING:
    import torch


def calls_per_s(once: Callable[[], object], seconds: float, warm_up: int) -> float:
    """Calls a second over at least `seconds` and three calls, after `warm_up` calls."""
    for _ in range(warm_up):
        once()
    calls, begun = 0, time.perf_counter()
    while calls < 3 or time.perf_counter() < begun + seconds:
        once()
        calls += 1
    return calls / (time.perf_counter() - begun)


def cost(once: Callable[[], object], seconds: float) -> Json:
    """Milliseconds of a call on the clock, and of processor time, which other programs hardly lengthen."""
    spent_s: list[float] = []

    def measured() -> None:
        begun = time.process_time()
        once()
        spent_s.append(time.process_time() - begun)

    wall_ms = 1000 / calls_per_s(measured, seconds, warm_up=2)
    return {"wall_ms": round(wall_ms, 1), "cpu_ms": round(1000 * statistics.median(spent_s), 1)}


INTERVAL_S = 0.1


class PeakMemory:
    """A context manager; afterwards `.peak_bytes` is the largest sum over the process tree that was seen.

    Pages shared between processes are counted once where the system tells (proportional set size).
    """

    def __init__(self, pid: int | None = None) -> None:
        self.peak_bytes = 0
        self._root = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL_S):
            self.peak_bytes = max(self.peak_bytes, tree_bytes(self._root))


def tree_bytes(root: psutil.Process) -> int:
    """Memory of `root` and its descendants now, in bytes; processes that end meanwhile count nothing."""
    total = 0
    try:
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    if len(members) == 1:
        # Nothing is shared, and the proportional size makes the kernel walk all pages, which slows training.
        return int(root.memory_info().rss)
    for process in members:
        try:
            info = process.memory_full_info()
            total += getattr(info, "pss", info.uss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


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
