"""A detector from a set: draw pairs, train, keep the best, calibrate, write it down."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from faceswap.console import progress, say
from faceswap.detector.data.fakes import MANIPULATIONS
from faceswap.detector.data.gather import FACE_TYPE
from faceswap.detector.data.manifest import (
    Item,
    difference_hash,
    manifest_hash,
    read_manifest,
    require_unchanged,
    to_text,
)
from faceswap.detector.data.samples import DetectorBatch, PairSource
from faceswap.detector.measures.evaluation import Calibrated, aucs, report, score
from faceswap.detector.network.files import Card, load_detector, save_detector, write_card
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import Detector, DetectorSpec, Shipped, build
from faceswap.detector.training.steps import DetectorStep, Recipe
from faceswap.detector.training.training import DetectorTraining, Schedule, Validation
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.io.images import as_uint8, read_image
from faceswap.runtime import keep_freed_memory

# Validation and exams draw from their own streams, whatever the training's seed.
VALIDATION_SEED, EXAM_SEED = 7_000, 8_000


@dataclass(frozen=True, eq=False)
class Material:
    """An opened set: who may be drawn from where. The test split is only handed out by `exam`."""

    folder: Path
    items: tuple[Item, ...]

    @classmethod
    def open(cls, folder: Path) -> "Material":
        """Raises UserError for a set that is missing, leaks people or whose files have changed."""
        items = read_manifest(folder)
        require_unchanged(folder, items)
        return cls(folder, tuple(items))

    @property
    def manipulations(self) -> tuple[str, ...]:
        """All that can be drawn: made on the fly, and stored in every split."""
        stored = {item.manipulation for item in self.items if item.is_fake}
        return (*MANIPULATIONS, *sorted(stored))

    def source(self, split: str, manipulations: tuple[str, ...], out_px: int) -> PairSource:
        """Pairs of one split; manipulations that the split has no stored swaps of are left out, and said."""
        items = [item for item in self.items if item.split == split]
        there = {*MANIPULATIONS, *(item.manipulation for item in items if item.is_fake)}
        missing = [name for name in manipulations if name not in there]
        if missing:
            say(f"no {', '.join(missing)} among the people of {split}")
        return PairSource(self.folder, items, tuple(n for n in manipulations if n in there), out_px)

    def seen(self) -> tuple[str, ...]:
        """The hashes of every real file of train and val; fakes are made of them."""
        reals = (item for item in self.items if not item.is_fake)
        return tuple(sorted(item.sha256 for item in reals if item.split != "test"))

    @cached_property
    def looks(self) -> tuple[str, ...]:
        """The difference hashes of the real crops of train and val."""
        files = [self.folder / i.file for i in self.items if i.split != "test" and not i.is_fake]
        shown = progress(files, "look at what is learnt from", "crops")
        return to_text(difference_hash(as_uint8(read_image(file))) for file in shown)


@dataclass(frozen=True)
class Fit:
    """How a detector is trained on a set. leave_out: a manipulation that training never sees."""

    spec: DetectorSpec
    recipe: Recipe
    schedule: Schedule
    exam_pairs: int = 200
    leave_out: str | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A finished training: the folder of the detector that was best on validation, and the last one itself.

    The control has no folder: it is compared with, never shipped.
    """

    best: Path
    last: Detector
    pictures: int
    seconds: float


def fit(material: Material, folder: Path, how: Fit, device: torch.device, dtype: torch.dtype) -> Fitted:
    """Train in `folder`, new or continued. UserError where nobody knows the manipulation to leave out."""
    kinds = tuple(name for name in material.manipulations if not belongs(name, how.leave_out))
    if how.leave_out is not None and len(kinds) == len(material.manipulations):
        known = ", ".join(material.manipulations)
        raise UserError(f"no manipulation {how.leave_out!r} to leave out", f"there are {known}")
    keep_freed_memory(device)
    train = material.source("train", kinds, how.spec.input_px)
    val = material.source("val", kinds, how.spec.input_px)
    step = DetectorStep(build(how.spec, how.seed), how.recipe, device, dtype, how.seed)
    best = folder / "best"

    def validate(step: DetectorStep) -> Validation:
        scored = score(Judge(step.mean, 1.0, device, dtype), val, how.exam_pairs, VALIDATION_SEED)
        figures = aucs(scored)

        def keep() -> None:
            calibrated = Calibrated.on(scored)
            card = Card(
                temperature=calibrated.temperature,
                thresholds=dict(calibrated.thresholds),
                face_type=str(FACE_TYPE),
                training=_provenance(material, how, training),
                figures={"validation": figures},
                seen=material.seen(),
                looks=material.looks,
            )
            if isinstance(step.mean, Shipped):
                save_detector(best, step.mean, card)
            else:
                write_json(folder / "control.json", asdict(card))

        return Validation(figures, keep)

    def make(index: int) -> DetectorBatch:
        return train.batch(how.recipe.pairs, how.seed, index, how.recipe.strength(index))

    training = DetectorTraining(folder, step, make, how.schedule, validate)
    training.run()
    pictures = training.iteration * 2 * how.recipe.pairs
    return Fitted(best, step.mean.eval(), pictures, training.seconds)


def belongs(manipulation: str, kind: str | None) -> bool:
    """Whether a manipulation is `kind` or a variety of it, as ae-early and ae-late are of ae."""
    return kind is not None and (manipulation == kind or manipulation.startswith(f"{kind}-"))


def recalibrate(
    material: Material, folder: Path, pairs: int, device: torch.device, dtype: torch.dtype
) -> Calibrated:
    """Fit the temperature and thresholds of the detector in `folder` anew, on the people of val."""
    detector, card = load_detector(folder)
    source = material.source("val", material.manipulations, detector.input_px)
    found = Calibrated.on(score(Judge(detector, 1.0, device, dtype), source, pairs, VALIDATION_SEED))
    write_card(folder, replace(card, temperature=found.temperature, thresholds=dict(found.thresholds)))
    return found


def evaluate(
    material: Material, folder: Path, split: str, pairs: int, device: torch.device, dtype: torch.dtype
) -> dict[str, Any]:
    """Examine the detector of `folder` on a split's people, with every manipulation; kept in its card."""
    detector, card = load_detector(folder)
    judge = Judge(detector, card.temperature, device, dtype)
    source = material.source(split, material.manipulations, detector.input_px)
    scored = score(judge, source, pairs, EXAM_SEED)
    found = report(scored, Calibrated(card.temperature, card.thresholds), EXAM_SEED)
    write_card(folder, replace(card, figures=card.figures | {split: found}))
    return found


def _provenance(material: Material, how: Fit, training: DetectorTraining) -> dict[str, Any]:
    sets = {item.dataset: item.licence for item in material.items if item.split == "train"}
    return {
        "recipe": asdict(how.recipe),
        "spec": asdict(how.spec),
        "left_out": how.leave_out,
        "manifest": manifest_hash(material.items),
        "data": sets,
        "iterations": training.iteration,
        "pictures": training.iteration * 2 * how.recipe.pairs,
        "seconds": round(training.seconds, 1),
        "seed": how.seed,
    }
