"""What this machine has for the workbench, what it lacks, what that costs, and what to type."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from faceswap.errors import UserError
from faceswap.io.files import gib
from faceswap.system import HINT, explain_import, missing_libraries

State = Literal["ok", "note", "missing"]
Check = Callable[[], Iterator["Finding"]]

# Distribution -> (module, what it is for, what to type); those without a purpose are needed by every stage.
_INSTALL = "pip install --force-reinstall {}"
_PACKAGES = {
    "torch": ("torch", "", _INSTALL),
    "numpy": ("numpy", "", _INSTALL),
    "opencv-python": ("cv2", "", _INSTALL),
    "av": ("av", "", _INSTALL),
    "onnxruntime": ("onnxruntime", "", _INSTALL),
    "insightface": ("insightface", "", _INSTALL),
    "openimageio": ("OpenImageIO", "TIFF, EXR, HDR and JPEG 2000 pictures", _INSTALL),
    "transformers": ("transformers", "selftest and detector", _INSTALL),
    "segmentation-models-pytorch": (
        "segmentation_models_pytorch", "mask_apply and mask_train", "pip install -e '.[masks]'"
    ),
    "pyside6-essentials": ("PySide6.QtWidgets", "all windows", "pip install -e '.[gui]'"),
    "pillow-heif": ("pillow_heif", "HEIC photographs", "pip install -e '.[heif]'"),
    "tensorboard": ("tensorboard", "training watched in a browser", "pip install -e '.[tensorboard]'"),
}  # fmt: skip
_IMPORT_S = 180
_ABOVE = "what to type stands above"
# A minute of 1080p as frames, crops, masks and merged frames takes about this much.
_MINUTE_GIB = 15
# DF-UD at 128 px trains in 2 GiB, LIAE-UDT at 224 px in 4 (BENCHMARKS.md); the system takes as much again.
_MEMORY_GIB = 8


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    state: "missing" is what stages cannot do without, "note" what costs something.
    found: what there is. cost: what is lost. hint: what to type.
    """

    subject: str
    state: State
    found: str
    cost: str = ""
    hint: str = ""

    def __str__(self) -> str:
        lines = [f"{self.state:<8}{self.subject:<30} {self.found}".rstrip()]
        return "\n".join([*lines, *(f"{'':<8}  {line}" for line in (self.cost, self.hint) if line)])


def examine(workspace: Path) -> Iterator[Finding]:
    """Yield what is found about machine, libraries, packages, ffmpeg, GPU, models, disk and memory.

    Nothing here raises: what a check stumbles over is its finding.
    """
    checks: list[tuple[str, Check]] = [
        ("machine", _machine),
        ("libraries of the system", _libraries),
        ("packages", _packages),
        ("GPU", _gpu),
        ("ffmpeg", _ffmpeg),
        ("bundled models", _models),
        ("screen", _screen),
        ("disk", lambda: _disk(workspace)),
        ("memory", _memory),
    ]
    for subject, check in checks:
        try:
            yield from check()
        except UserError as error:
            yield Finding(subject, "missing", error.what, error.found, error.hint)
        except ImportError as error:
            yield Finding(subject, "missing", str(error), "", _ABOVE)
        except OSError as error:
            yield Finding(subject, "missing", str(error))


def _machine() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    yield Finding("machine", "ok", f"{sys.platform}, Python {sys.version.split()[0]}, {cores} cores")


def _libraries() -> Iterator[Finding]:
    missing = missing_libraries()
    if not missing:
        yield Finding("libraries of the system", "ok", "all there")
    for number, (name, use) in enumerate(missing.items(), 1):
        hint = HINT if number == len(missing) else ""
        yield Finding(
            name, "missing" if use.startswith("OpenCV") else "note", "", f"{use} cannot start", hint
        )


def _packages() -> Iterator[Finding]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(_package, _PACKAGES)


def _package(name: str) -> Finding:
    """Import a package in a process of its own: one that does not fit the processor ends its process."""
    module, use, hint = _PACKAGES[name]
    cost = f"{use} will not work" if use else ""
    state: State = "note" if use else "missing"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, state, "not installed", cost, hint.format(name))
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"], capture_output=True, encoding="utf-8",
            errors="replace", timeout=_IMPORT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finding(name, state, f"{found} did not load within {_IMPORT_S} s", cost, hint.format(name))
    if done.returncode == 0:
        return Finding(name, "ok", found)
    words = (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[-1]
    hint = _ABOVE if explain_import(ImportError(words)) else hint.format(name)
    return Finding(name, state, f"{found} cannot be imported: {words}", cost, hint)


def _gpu() -> Iterator[Finding]:
    import torch

    from faceswap.runtime import choose_device, has_bf16

    device = choose_device("auto")
    if device.type == "cuda":
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield Finding(f"GPU {index}", "ok", f"{name}, {gib(free)} of {gib(total)} free")
        return
    if device.type == "mps":
        yield Finding("GPU", "ok", "Apple's, through Metal")
        return
    arithmetic = "bf16" if has_bf16(device) else "float32"
    there = shutil.which("nvidia-smi") is not None
    hint = f"torch {torch.__version__} finds no driver that fits: update the driver" if there else ""
    cost = "training takes days where a GPU takes hours; everything else works"
    yield Finding(
        "GPU", "note", f"none that torch can use; the processor computes in {arithmetic}", cost, hint
    )


def _ffmpeg() -> Iterator[Finding]:
    from faceswap.media.codecs import CODECS
    from faceswap.media.encoders import choose_film
    from faceswap.media.ffmpeg import ffmpeg_binary

    binary = ffmpeg_binary()
    done = subprocess.run([binary, "-version"], capture_output=True, encoding="utf-8", errors="replace")
    yield Finding("ffmpeg", "ok", " ".join(done.stdout.split()[2:3]) + f", {binary}")
    for name in CODECS:
        try:
            choose_film(name, binary, bits="auto")
        except UserError as error:
            yield Finding(f"encoder of {name}", "note", error.found, f"encode --codec {name} will not work")
            continue
        film = choose_film(name, binary, bits="auto", hardware="auto")
        where = ", by the GPU" if film.coder not in CODECS[name].coders else ""
        yield Finding(f"encoder of {name}", "ok", f"{film.coder.name}{where}")


def _models() -> Iterator[Finding]:
    from faceswap.align.packs import BUNDLED, INSIGHTFACE_HOME, load_pack
    from faceswap.detector.network.files import load_detector
    from faceswap.masks.segmenter import bundled_folder, find_model
    from faceswap.train.base import base_names
    from faceswap.workspace import assets

    load_pack(BUNDLED, "cpu")
    more = sorted(path.name for path in (INSIGHTFACE_HOME / "models").glob("*") if path.is_dir())
    yield Finding("face models", "ok", ", ".join([BUNDLED, *more]))
    find_model(bundled_folder())
    yield Finding("mask model", "ok", "bundled")
    load_detector(assets() / "detector")
    yield Finding("detector", "ok", "bundled")
    yield Finding("models to start from (--base)", "ok", ", ".join(base_names()))


def _screen() -> Iterator[Finding]:
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in names):
        cost = "merge --interactive, mask_edit and preview need one; every stage works without a window"
        yield Finding("screen", "note", "none: neither DISPLAY nor WAYLAND_DISPLAY is set", cost)
    else:
        yield Finding("screen", "ok", "there is one")


def _disk(workspace: Path) -> Iterator[Finding]:
    existing = workspace.resolve()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    minutes = free / 2**30 / _MINUTE_GIB
    found = f"{gib(free)} free for {workspace}, about {minutes:.0f} minutes of 1080p at every stage"
    yield Finding(
        "disk", "ok" if minutes >= 1 else "note", found, "" if minutes >= 1 else "long clips will not fit"
    )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        hint = "choose a --workspace that you may write to"
        yield Finding("disk", "missing", f"{existing} cannot be written: {error.strerror}", "", hint)


def _memory() -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    enough = memory.total >= _MEMORY_GIB * 2**30
    cost = "" if enough else "train with --resolution 128 or less and --batch 4; train --plan tells what fits"
    found = f"{gib(memory.total)}, {gib(memory.available)} of it free"
    yield Finding("memory", "ok" if enough else "note", found, cost)
