"""A fine-tuning from a user's folder to a finished model: read, prepare, divide, train, judge, write down.

OUTPUT/config.json, model.safetensors, preprocessor_config.json    AutoModelForImageClassification opens them
OUTPUT/detector.json, patch_head.safetensors    only where stages.detector predict reads pictures alike
OUTPUT/README.md, metrics.json, confusion.png, curves.png, log.jsonl    what it is worth, how it came about
OUTPUT/predictions.csv, skipped.csv             file by file
OUTPUT/training/                                checkpoints and cut faces; only needed to go on
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.console import say, warn
from faceswap.detector.data.gather import FACE_TYPE
from faceswap.detector.finetune.bases import RANDOM, open_base
from faceswap.detector.finetune.division import Division, divide, groups_of, labels_of
from faceswap.detector.finetune.files import card_of, write_model
from faceswap.detector.finetune.folders import TEST, TRAIN, VALIDATION, read_folder
from faceswap.detector.finetune.modelcard import model_card
from faceswap.detector.finetune.pictures import began_to_overfit, confusion_picture, curves_picture
from faceswap.detector.finetune.prepare import Cutter, Picture, Prepared, prepare, read_square
from faceswap.detector.finetune.recipe import FolderRecipe
from faceswap.detector.finetune.training import FineTuning
from faceswap.detector.measures.calibration import apply_temperature
from faceswap.detector.measures.intervals import cluster_interval
from faceswap.detector.measures.metrics import Figures, auc, confusion
from faceswap.detector.measures.probes import LIMIT, run_probes
from faceswap.detector.network.model import FAKE, LABELS
from faceswap.io.files import write_bytes, write_json
from faceswap.io.images import write_image
from faceswap.types import Json

SCHEMA = 1
WORK = "training"
# Pictures of each class that the shortcut probes look at.
PROBED = 200
# Below this rate random weights hardly move.
_TIMID = 1e-5


@dataclass(frozen=True)
class FineTune:
    """What a user asks for.

    base: None takes the bundled detector. frames: of a clip. whole: pictures are faces already, and are not
    cut. minutes: of training in this run.
    """

    recipe: FolderRecipe
    base: Path | None = None
    frames: int = 16
    whole: bool = False
    minutes: float | None = None
    face_models: str = "bundled"
    seed: int = 83


def finetune(data: Path, output: Path, how: FineTune, device: torch.device, dtype: torch.dtype) -> Json:
    """Fine-tune on the folder `data` and fill `output`; returns the metrics that are written there.

    A training that was stopped goes on; one whose time is up is judged as far as it came, and says so.
    """
    entries, base = read_folder(data), open_base(how.base, how.seed)
    analyst = None if how.whole else FaceAnalyzer(load_pack(how.face_models, threads=1), max_faces=1)
    cutter = Cutter(output / WORK, analyst, how.frames, base.size_px, how.face_models)
    prepared = prepare(entries, cutter)
    lost = ([item.entry.file, LABELS[item.entry.label], item.reason] for item in prepared.skipped)
    _write_table(output / "skipped.csv", ["file", "label", "reason"], lost)
    division = divide(prepared.pictures, how.recipe, how.seed)
    if base.identity == RANDOM and how.recipe.learning_rate < _TIMID:
        warn(f"random weights learn next to nothing at a rate of {how.recipe.learning_rate:g}")
    same = {"base": base.identity, "data": division.hash, "pictures": cutter.how}
    tuning = FineTuning(
        output / WORK, base, how.recipe, division.of(TRAIN), division.of(VALIDATION), device, dtype,
        how.seed, same,
    )  # fmt: skip
    tuning.run(how.minutes)
    tuning.take_best()
    metrics, scores = _judge(tuning, division, how, prepared)
    reals = division.rows(VALIDATION)[labels_of(division.of(VALIDATION)) != FAKE]
    card = card_of(tuning, division, scores[reals], metrics)
    write_model(output, output / WORK / "model", tuning, how.whole, card)
    _write_table(output / "predictions.csv", *_predictions(division, scores))
    _draw(output, tuning, metrics)
    lines = (json.dumps(evaluation._asdict()) + "\n" for evaluation in tuning.evaluations)
    write_bytes(output / "log.jsonl", "".join(lines).encode())
    write_bytes(output / "README.md", model_card(output.name, metrics).encode())
    write_json(output / "metrics.json", metrics)
    _tell(metrics)
    return metrics


def _judge(
    tuning: FineTuning, division: Division, how: FineTune, prepared: Prepared
) -> tuple[Json, NDArray[np.float64]]:
    """Metrics, on the test side, which chose nothing, and P(fake) of each picture (N,), NaN = not asked."""
    scores = np.full(len(division.pictures), np.nan)
    for side in (VALIDATION, TEST):
        logits = tuning.logits(division.of(side))
        scores[division.rows(side)] = apply_temperature(logits[:, FAKE] - logits[:, 1 - FAKE])
    overfit, done = began_to_overfit(tuning.evaluations), tuning.progress >= 1
    metrics = {
        "schema": SCHEMA,
        "state": "finished" if done else f"stopped at {100 * tuning.progress:.0f} %",
        "progress": round(tuning.progress, 4),
        "recipe": asdict(how.recipe) | {"seed": how.seed},
        "base": {"name": tuning.base.name, "identity": tuning.base.identity},
        "pictures": "whole" if how.whole else f"faces cut out ({FACE_TYPE})",
        "input_px": tuning.base.size_px,
        "counts": division.counts,
        "faceless": {name: prepared.faceless(label) for label, name in LABELS.items()},
        "damaged": sum(bool(skipped.damaged) for skipped in prepared.skipped),
        "kept": tuning.best._asdict(),
        "overfitting": None if overfit is None else overfit._asdict(),
        "shortcuts": _shortcuts(division.of(TRAIN), tuning.base.size_px, how.seed),
        "test": _figures(scores[division.rows(TEST)], division.of(TEST)),
    }
    return metrics, scores


def _figures(scores: NDArray[np.float64], pictures: Sequence[Picture]) -> Json:
    labels, rng = labels_of(pictures), np.random.default_rng(0)
    found = Figures.of(scores, labels).to_json() | {"confusion": confusion(scores, labels).tolist()}
    try:
        interval = cluster_interval(auc, scores, labels, groups_of(pictures), rng).to_json()
    except ValueError:
        # One person or clip of a class is no sample that an interval could be drawn from.
        interval = None
    return found | {"auc_interval": interval}


def _shortcuts(train: Sequence[Picture], size_px: int, seed: int) -> dict[str, float]:
    """The AUC of the shortcut probes on training pictures; empty where there are too few groups."""
    rng, labels = np.random.default_rng(seed), labels_of(train)
    rows = np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:PROBED] for label in LABELS])
    chosen = [train[row] for row in rows]
    try:
        crops = (read_square(picture.path, size_px) for picture in chosen)
        return run_probes(crops, labels[rows], groups_of(chosen), rng)
    except ValueError:
        return {}


def _predictions(
    division: Division, scores: NDArray[np.float64]
) -> tuple[list[str], Iterable[Sequence[object]]]:
    """The columns and rows of the table; training pictures have a side but no score."""
    rows = (
        [
            entry.file,
            "" if frame is None else frame,
            LABELS[entry.label],
            "" if np.isnan(p) else f"{p:.6f}",
            side,
        ]
        for (_, entry, frame), p, side in zip(division.pictures, scores, division.sides, strict=True)
    )
    return ["file", "frame", "label", "score", "split"], rows


def _draw(output: Path, tuning: FineTuning, metrics: Json) -> None:
    overfit = metrics["overfitting"] and metrics["overfitting"]["iteration"]
    write_image(output / "curves.png", curves_picture(tuning.evaluations, tuning.best.iteration, overfit))
    test = metrics["test"]
    title = f"test side, {metrics['state']}: accuracy {test['accuracy']:.3f}"
    table = confusion_picture(np.array(test["confusion"]), list(LABELS.values()), title)
    write_image(output / "confusion.png", table)


def _tell(metrics: Json) -> None:
    test = metrics["test"]
    again = "" if metrics["progress"] >= 1 else " (the same command continues)"
    say(
        f"{metrics['state']}{again}; on {test['reals']} real and {test['fakes']} fake test pictures: "
        f"AUC {test['auc']:.3f}, accuracy {test['accuracy']:.3f}, macro F1 {test['macro_f1']:.3f}"
    )
    for name, value in metrics["shortcuts"].items():
        if value > LIMIT:
            warn(
                f"{name} alone tells the classes apart (AUC {value:.2f}): perhaps how the files were made "
                "has been learned, not the forgery"
            )


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    write_bytes(path, text.getvalue().encode())
