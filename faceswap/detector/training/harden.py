"""Hardening: a detector learns the user's own swaps, and is kept only if it forgets nothing for them.

The swaps of a finished workspace become a manipulation of their own; half of all batches are old material
(rehearsal). Early frames train and late ones examine, with a gap between; the people are the same in both,
so the figure says "of this film", and the older manipulations are examined on people of another split.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from faceswap.console import say
from faceswap.detector.data.gather import CROP_PX, FACE_TYPE
from faceswap.detector.data.manifest import Hashes, difference_hash, to_text
from faceswap.detector.data.pairs import Finished, Pair
from faceswap.detector.data.samples import Crop, DetectorBatch, DrawnPair, KeptPairs, Pairs
from faceswap.detector.measures.calibration import apply_temperature
from faceswap.detector.measures.evaluation import Calibrated, Scored, auc_of, score
from faceswap.detector.measures.metrics import rates_at
from faceswap.detector.network.files import HEADLINE_FPR, Card, load_detector, save_detector
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import Shipped
from faceswap.detector.training.fit import VALIDATION_SEED, Material
from faceswap.detector.training.steps import DetectorStep, Recipe
from faceswap.detector.training.training import DetectorTraining, Schedule, Validation
from faceswap.errors import UserError
from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.types import Json

# An old manipulation may lose so much AUC, and false positives may rise by so much (detection.md §4.8).
MOST_LOST = MOST_MORE_FALSE = 0.02
NEW = "own"
# Of the film's frames: the first part trains, the last examines.
_TRAIN_UNTIL, _EXAM_FROM = 0.6, 0.7
_MOST_PAIRS = 600
_FEWEST_PAIRS = 20


@dataclass(frozen=True)
class Outcome:
    """What hardening changed: AUC by manipulation, and false positives at the frozen threshold by material.

    Of the false positives, "set" are the people of the set and NEW the film's own untouched frames.
    """

    before: dict[str, float]
    after: dict[str, float]
    false_before: dict[str, float]
    false_after: dict[str, float]

    @property
    def objections(self) -> list[str]:
        """Why the hardened detector is not taken; empty when it is."""
        found = [
            f"{name} fell from AUC {self.before[name]:.3f} to {value:.3f}"
            for name, value in self.after.items()
            if name != NEW and value < self.before[name] - MOST_LOST
        ]
        found += [
            f"false positives on {name} rose from {self.false_before[name]:.3f} to {value:.3f}"
            for name, value in self.false_after.items()
            if value > self.false_before[name] + MOST_MORE_FALSE
        ]
        # A detector that misses none of them already cannot gain, and is no worse for having learnt more.
        if self.after[NEW] < self.before[NEW]:
            found.append(f"the own swaps fell from AUC {self.before[NEW]:.3f} to {self.after[NEW]:.3f}")
        return found

    def to_json(self) -> Json:
        """The figures and the decision."""
        return asdict(self) | {"accepted": not self.objections, "objections": self.objections}


def harden(
    material: Material,
    finished: Finished,
    base: Path,
    folder: Path,
    schedule: Schedule,
    device: torch.device,
    dtype: torch.dtype,
    exam_pairs: int = 200,
    seed: int = 0,
) -> Outcome:
    """Go on training the detector of `base` in `folder` on a film's swaps beside all of a set's material.

    The result is written to FOLDER/hardened, with the exams before and after in its card, where nothing older
    got worse than the bounds; else nothing is written. Raises UserError for a film with too few swaps.
    """
    detector, card = load_detector(base)
    own, exam = own_pairs(finished, detector.input_px)
    recipe = Recipe(arm="scratch", learning_rate=1e-4)
    rehearsal = material.source("train", material.manipulations, detector.input_px)
    older = material.source("val", material.manipulations, detector.input_px)

    def examined(one: Shipped, *exams: Pairs) -> list[Scored]:
        judge = Judge(one, 1.0, device, dtype)
        return [score(judge, pairs, exam_pairs, VALIDATION_SEED) for pairs in exams]

    def made(iteration: int) -> DetectorBatch:
        source = own if iteration % 2 else rehearsal
        return source.batch(recipe.pairs, seed, iteration)

    before = examined(detector, older, exam)
    step = DetectorStep(detector, recipe, device, dtype, seed)

    def validate(step: DetectorStep) -> Validation:
        # Shown on the way; what is kept is decided once, at the end.
        return Validation({"mean_auc": auc_of(*examined(_shipped(step), exam))}, lambda: None)

    DetectorTraining(folder, step, made, schedule, validate).run()
    hardened = _shipped(step)
    after = examined(hardened, older, exam)
    calibrated = Calibrated.on(after[0])
    outcome = Outcome(
        _aucs(*before),
        _aucs(*after),
        _false(before, card.temperature, card.threshold),
        _false(after, calibrated.temperature, calibrated.thresholds[HEADLINE_FPR]),
    )
    if not outcome.objections:
        save_detector(folder / "hardened", hardened.eval(), _card(card, calibrated, outcome, material, own))
    return outcome


def own_pairs(finished: Finished, out_px: int) -> tuple[KeptPairs, KeptPairs]:
    """The film's pairs to train on and, later in the film, to be examined on."""
    stems = list(finished.merged)
    every = max(1, len(stems) // _MOST_PAIRS)
    kept = [_drawn(pair) for pair in finished.pairs(every) if pair.mask.any()]
    train, exam = kept[: int(_TRAIN_UNTIL * len(kept))], kept[int(_EXAM_FROM * len(kept)) :]
    if min(len(train), len(exam)) < _FEWEST_PAIRS:
        found = f"{len(kept)} swapped faces"
        raise UserError("this film has too few swaps to harden with", found, "merge a longer one")
    return KeptPairs(train, out_px), KeptPairs(exam, out_px)


def tell(outcome: Outcome) -> None:
    """Say what changed and what was decided."""
    for name, value in outcome.after.items():
        say(f"{name:<10} AUC {outcome.before[name]:.3f} -> {value:.3f}")
    for name, value in outcome.false_after.items():
        say(f"false positives on {name} {outcome.false_before[name]:.3f} -> {value:.3f}")
    say("accepted" if not outcome.objections else "not accepted: " + "; ".join(outcome.objections))


def _drawn(pair: Pair) -> DrawnPair:
    to_crop = crop_transform(pair.landmarks, CROP_PX, FACE_TYPE)
    landmarks = apply_transform(to_crop, pair.landmarks).astype(np.float32)
    return DrawnPair(Crop(pair.real, landmarks), pair.fake, pair.mask, NEW, pair.frame)


def _aucs(older: Scored, own: Scored) -> dict[str, float]:
    return {kind: auc_of(older.of(kind)) for kind in older.manipulations} | {NEW: auc_of(own)}


def _false(exams: Sequence[Scored], temperature: float, threshold: float) -> dict[str, float]:
    rates = (rates_at(apply_temperature(one.margins, temperature), one.labels, threshold) for one in exams)
    return dict(zip(("set", NEW), (rate.fpr for rate in rates), strict=True))


def _card(card: Card, calibrated: Calibrated, outcome: Outcome, material: Material, own: KeptPairs) -> Card:
    return replace(
        card,
        temperature=calibrated.temperature,
        thresholds=dict(calibrated.thresholds),
        training=card.training | {"hardened": outcome.to_json()},
        seen=tuple(sorted({*card.seen, *material.seen()})),
        looks=tuple(sorted({*card.looks, *material.looks, *to_text(_looks(own))})),
    )


def _looks(own: KeptPairs) -> Iterator[Hashes]:
    return (difference_hash(pair.real.picture) for pair in own.kept)


def _shipped(step: DetectorStep) -> Shipped:
    mean = step.mean
    assert isinstance(mean, Shipped)
    return mean
