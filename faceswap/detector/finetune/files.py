"""The files of a fine-tuned model: transformers' own, and a detector's where predict reads pictures alike."""

import os
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import ViTImageProcessor

from faceswap.console import say
from faceswap.detector.data.gather import FACE_TYPE
from faceswap.detector.finetune.division import Division
from faceswap.detector.finetune.folders import TRAIN, VALIDATION
from faceswap.detector.finetune.training import FineTuning
from faceswap.detector.measures.evaluation import PROMISED
from faceswap.detector.measures.metrics import threshold_at_fpr
from faceswap.detector.network.files import Card, save_detector
from faceswap.detector.network.model import PIXEL_MEAN, PIXEL_STD, Config, from_config
from faceswap.io.files import share
from faceswap.types import Json


def write_model(output: Path, staging: Path, tuning: FineTuning, whole: bool, card: Card) -> None:
    """Write the model as it is now to `output`, file by file, beside what else is there.

    staging: a folder on the same disk, removed afterwards. whole: it has learned pictures that predict would
    cut faces from, so that predict cannot use it.
    """
    base, config = tuning.base, tuning.model.config
    alike = not whole and base.mean == (PIXEL_MEAN,) * 3 and base.std == (PIXEL_STD,) * 3
    if alike and isinstance(config, Config):
        detector = from_config(config)
        detector.classifier.load_state_dict(tuning.model.state_dict())
        untrained = {
            name: torch.zeros_like(value) for name, value in detector.patch_head.state_dict().items()
        }
        # A head that was never trained must draw no maps.
        detector.patch_head.load_state_dict(base.patch_head or untrained)
        save_detector(staging, detector, card, half=False)
    else:
        say("stages.detector predict reads pictures otherwise: open it with AutoModelForImageClassification")
        shutil.rmtree(staging, ignore_errors=True)
        size = {"height": base.size_px, "width": base.size_px}
        processor = ViTImageProcessor(size=size, image_mean=list(base.mean), image_std=list(base.std))
        for part in (tuning.model, processor):
            part.save_pretrained(staging)
    for file in sorted(staging.iterdir()):
        share(file)
        os.replace(file, output / file.name)
    staging.rmdir()


def card_of(
    tuning: FineTuning, division: Division, validated_reals: NDArray[np.float64], metrics: Json
) -> Card:
    """What detector.json says. validated_reals: scores of the validation side's reals, for the thresholds."""
    seen = {picture.entry.sha256 for side in (TRAIN, VALIDATION) for picture in division.of(side)}
    return Card(
        thresholds={f"{fpr:g}": threshold_at_fpr(validated_reals, fpr) for fpr in PROMISED},
        face_type=str(FACE_TYPE),
        training={
            "recipe": metrics["recipe"],
            "base": metrics["base"],
            "data": {"the user's own folder": "terms unknown"},
            "manifest": division.hash,
            "iterations": tuning.iteration,
            "state": metrics["state"],
            "seconds": round(tuning.seconds, 1),
            "patch_head": "the base's" if tuning.base.patch_head else "untrained: it says nothing",
        },
        figures={"test": {"all": metrics["test"]}},
        seen=tuple(sorted(seen.union(tuning.base.seen))),
    )
