"""A folder of toy pictures, a tiny base, and a fine-tuning of it."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from faceswap.detector.finetune.bases import open_base
from faceswap.detector.finetune.division import Division, divide
from faceswap.detector.finetune.folders import TRAIN, VALIDATION, read_folder
from faceswap.detector.finetune.pictures import Evaluation
from faceswap.detector.finetune.prepare import Picture
from faceswap.detector.finetune.recipe import RECIPES, FolderRecipe
from faceswap.detector.finetune.training import FineTuning

CPU, FLOAT = torch.device("cpu"), torch.float32
TINY = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
QUICK = replace(RECIPES["virtus"], learning_rate=5e-3, batch=8, epochs=4, warm_up=2)


def toy(number: int, fake: bool) -> np.ndarray:
    """Noise, in fakes with a bright middle."""
    picture = np.random.default_rng((number, int(fake))).integers(40, 160, (32, 32, 3), dtype=np.uint8)
    if fake:
        picture[8:24, 8:24] += 80
    return picture


def save_base(folder: Path, model: Any, mean: float = 0.5) -> Path:
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    ViTImageProcessor(size=size, image_mean=[mean] * 3, image_std=[0.25] * 3).save_pretrained(folder)
    return folder


def a_vit(**more: Any) -> ViTForImageClassification:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return ViTForImageClassification(ViTConfig(**TINY | more))


def division_of(data: Path, recipe: FolderRecipe = QUICK) -> Division:
    return divide([Picture(entry.path, entry) for entry in read_folder(data)], recipe, 83)


def tuning_of(folder: Path, toys: Path, base: Path, recipe: FolderRecipe = QUICK, **more: Any) -> FineTuning:
    division = division_of(toys, recipe)
    kind = more.pop("kind", FineTuning)
    data = more.pop("data", "these")
    train, validation = division.of(TRAIN), division.of(VALIDATION)
    return kind(folder, open_base(base, 83), recipe, train, validation, CPU, FLOAT, 83, {"data": data})


class Interrupted(FineTuning):
    """Ctrl-C while the tenth batch is made."""

    def batch(self, iteration: int) -> Any:
        if iteration == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return super().batch(iteration)


def log(train: list[float | None], validation: list[float]) -> list[Evaluation]:
    rows = zip(train, validation, strict=True)
    return [Evaluation(10 * n, n / 2, loss, judged, 0.9, 0.0) for n, (loss, judged) in enumerate(rows)]
