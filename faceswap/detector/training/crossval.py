"""Does a detector catch a forgery of a kind it has never seen? Arms × manipulations × seeds, one table.

Every cell trains on all manipulations but one and is examined on that one, on people of the test split.
Cells are kept as JSON, so that a stopped cross-validation continues.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, cast, get_args

import torch

from faceswap.console import say
from faceswap.detector.measures.evaluation import accuracy_of, auc_interval_of, auc_of, score
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import DetectorSpec, Family
from faceswap.detector.training.fit import EXAM_SEED, Fit, Material, belongs, fit
from faceswap.detector.training.steps import Arm
from faceswap.io.documents import read_json
from faceswap.io.files import write_json
from faceswap.types import Json


@dataclass(frozen=True)
class ArmSpec:
    """One row of the table: a family, an arm, and whether patches are judged."""

    name: str
    family: str
    arm: Arm
    patches: bool

    @classmethod
    def parse(cls, name: str, family: str) -> "ArmSpec":
        """`ssat+patch` of `family`, `vit:scratch` of another, `cnn`; ValueError for what is no arm."""
        own, _, rest = name.rpartition(":")
        arm = rest.removesuffix("+patch")
        if arm == "cnn" and not own:
            own, arm = "cnn", "scratch"
        own = own or family
        if own not in get_args(Family) or arm not in get_args(Arm):
            arms, families = ", ".join(get_args(Arm)), ", ".join(get_args(Family))
            raise ValueError(
                f"no arm {name!r}: {arms}, also with +patch, after FAMILY: for one of {families}"
            )
        return cls(name, own, cast(Arm, arm), rest.endswith("+patch"))


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
    for held in dict.fromkeys(name.partition("-")[0] for name in material.manipulations):
        for arm in arms:
            for seed in seeds:
                path = folder / "cells" / f"{arm.name.replace(':', '-')}_without_{held}_{seed}.json"
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
    lines = ["| arm | pictures, minutes | " + " | ".join(held) + " | mean |", "|" + "---|" * (len(held) + 3)]
    for arm in dict.fromkeys(cell["arm"] for cell in rows):
        own = [cell for cell in rows if cell["arm"] == arm]
        columns = [_entry([cell for cell in own if cell["held_out"] == name]) for name in held]
        seen, minutes = (mean(cell[name] for cell in own) for name in ("pictures", "seconds"))
        pictures = f"{seen / 1000:.1f} k, {minutes / 60:.1f}"
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
    done = fit(material, folder, one, device, dtype)
    kinds = tuple(name for name in material.manipulations if belongs(name, held))
    source = material.source("test", kinds, spec.input_px)
    exam = score(Judge(done.last, 1.0, device, dtype), source, how.exam_pairs, EXAM_SEED)
    span = auc_interval_of(exam, EXAM_SEED)
    return {
        "arm": arm.name, "held_out": held, "seed": seed, "auc": auc_of(exam), "low": span.low,
        "high": span.high, "accuracy": accuracy_of(exam), "pictures": done.pictures, "seconds": done.seconds,
    }  # fmt: skip
