"""Does a detector catch a forgery of a kind it has never seen? Arms × manipulations × seeds, one table.

Every cell trains on all manipulations but one and is examined on that one, on people of the test split.
Cells are kept as JSON, so that a stopped cross-validation continues.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, cast

import torch

from faceswap.console import say
from faceswap.detector.evaluation import Calibrated, report, score
from faceswap.detector.fit import EXAM_SEED, VALIDATION_SEED, Fit, Material, fit
from faceswap.detector.judge import Judge
from faceswap.detector.model import DetectorSpec
from faceswap.detector.recipe import Arm
from faceswap.io import checkpoint
from faceswap.io.files import read_json, write_json
from faceswap.types import Json


@dataclass(frozen=True)
class ArmSpec:
    """One row of the table: a family, an arm, and whether patches are judged."""

    name: str
    family: str
    arm: Arm
    patches: bool

    @classmethod
    def parse(cls, name: str) -> "ArmSpec":
        """`ssat+patch`, `scratch`, `ssl+ft+patch`, `cvt+patch`, `cnn`; ValueError for others."""
        plain = name.removesuffix("+patch")
        known = {
            "scratch": ("vit", "scratch"), "ssl+ft": ("vit", "ssl+ft"), "ssat": ("vit", "ssat"),
            "cvt": ("cvt", "scratch"), "cnn": ("cnn", "scratch"),
        }  # fmt: skip
        if plain not in known:
            raise ValueError(f"no arm {name!r}: {', '.join(known)}, each also with +patch")
        family, arm = known[plain]
        return cls(name, family, cast(Arm, arm), name != plain)


def crossvalidate(
    material: Material,
    folder: Path,
    arms: Sequence[ArmSpec],
    seeds: Sequence[int],
    how: Fit,
    device: torch.device,
    dtype: torch.dtype,
) -> list[Json]:
    """All cells, each trained as `how` says; writes FOLDER/cells/*.json, table.md and table.json."""
    cells = []
    for held in material.manipulations:
        for arm in arms:
            for seed in seeds:
                path = folder / "cells" / f"{arm.name}_without_{held}_{seed}.json"
                if not path.is_file():
                    say(f"{arm.name} without {held}, seed {seed}")
                    run = folder / "runs" / path.stem
                    write_json(path, _cell(material, run, arm, held, seed, how, device, dtype))
                cells.append(read_json(path))
    write_json(folder / "table.json", cells)
    (folder / "table.md").write_text(table(cells), encoding="utf-8")
    return cells


def table(cells: Iterable[Json]) -> str:
    """Arms × held-out manipulations in Markdown: mean AUC over seeds, its range, and mean accuracy."""
    rows = list(cells)
    held = list(dict.fromkeys(cell["held_out"] for cell in rows))
    lines = ["| arm | pictures seen | " + " | ".join(held) + " | mean |", "|" + "---|" * (len(held) + 3)]
    for arm in dict.fromkeys(cell["arm"] for cell in rows):
        own = [cell for cell in rows if cell["arm"] == arm]
        columns = [_entry([cell for cell in own if cell["held_out"] == name]) for name in held]
        pictures = f"{mean(cell['pictures'] for cell in own) / 1000:.1f} k"
        overall = f"**{mean(cell['auc'] for cell in own):.3f}**"
        lines.append("| " + " | ".join([arm, pictures, *columns, overall]) + " |")
    return "\n".join(lines) + "\n"


def _entry(cells: Sequence[Json]) -> str:
    if not cells:
        return "–"
    aucs = [cell["auc"] for cell in cells]
    low, high = min(cell["low"] for cell in cells), max(cell["high"] for cell in cells)
    return f"{mean(aucs):.3f} [{low:.2f}, {high:.2f}], {100 * mean(cell['accuracy'] for cell in cells):.0f} %"


def _cell(
    material: Material, folder: Path, arm: ArmSpec, held: str, seed: int, how: Fit, device: Any, dtype: Any
) -> Json:
    spec = DetectorSpec(family=cast(Any, arm.family), input_px=how.spec.input_px)
    recipe = replace(how.recipe, arm=arm.arm, patches=arm.patches)
    one = replace(how, spec=spec, recipe=recipe, leave_out=held, seed=seed)
    last = fit(material, folder, one, device, dtype).last
    judge = Judge(last, 1.0, device, dtype)
    kinds = tuple(name for name in material.manipulations if name != held)
    validation = score(judge, material.source("val", kinds, spec.input_px), how.exam_pairs, VALIDATION_SEED)
    exam = score(judge, material.source("test", (held,), spec.input_px), how.exam_pairs, EXAM_SEED)
    found = report(exam, Calibrated.on(validation), EXAM_SEED)["all"]
    span = found["auc_interval"]
    return {
        "arm": arm.name, "held_out": held, "seed": seed, "auc": found["auc"], "low": span["low"],
        "high": span["high"], "accuracy": found["accuracy"], "pictures": _pictures(folder, one),
    }  # fmt: skip


def _pictures(folder: Path, how: Fit) -> int:
    return checkpoint.load(folder, []).iteration * 2 * how.recipe.pairs
