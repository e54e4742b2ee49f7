"""A training small enough for a test."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batches
from faceswap.train.data.samples import SampleStore
from faceswap.train.options import StepOptions
from faceswap.train.run import Run, open_run
from faceswap.train.schedule import LiveOptions, Schedule
from faceswap.train.trainer import Trainer
from faceswap.train.update.steps import TrainStep
from faceswap.types import FaceType

CPU = torch.device("cpu")


def store(count: int, side_px: int = 64) -> SampleStore:
    """Faces of smooth random colours, each with a full mask."""
    coarse = np.random.default_rng(count).integers(0, 256, (count, 4, 4, 4), np.uint8)
    pixels = coarse.repeat(side_px // 4, axis=1).repeat(side_px // 4, axis=2)
    pixels[..., 3] = 255
    return SampleStore(pixels, tuple(f"{number:05d}_0.jpg" for number in range(count)), {})


def new_run(folder: Path, arch: str = "DF-UD") -> Run:
    spec = ModelSpec(Arch.parse(arch), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
    return Run(folder, build(spec), FaceType.WHOLE, seed=1)


def trainer(
    folder: Path, schedule: Schedule, direct: Callable[[Run], LiveOptions] | None = None, **others: Any
) -> Trainer:
    """A trainer of the model in `folder`, continued where there is one; others: as Trainer's."""
    run = open_run(folder, {}, 1, None) if (folder / "checkpoints").exists() else new_run(folder)
    step = TrainStep(run.model, StepOptions(learning_rate=1e-4), CPU)
    step.load_tensors(run.tensors)
    live_options = direct(run) if direct else None
    batches = Batches(store(5), store(3), 2, run.seed)
    return Trainer(run, step, batches, schedule, live_options=live_options, **others)


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """store, new_run, trainer, lines: the functions of this file."""
    functions: dict[str, Callable[..., Any]] = {
        "store": store, "new_run": new_run, "trainer": trainer, "lines": lines,
    }  # fmt: skip
    return SimpleNamespace(**functions)
