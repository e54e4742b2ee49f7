"""The cross-validation's table and its cells."""

from pathlib import Path

import pytest
import torch

from faceswap.detector.network.model import DetectorSpec
from faceswap.detector.training.crossval import ArmSpec, crossvalidate, table
from faceswap.detector.training.fit import Fit, Material
from faceswap.detector.training.steps import Recipe
from faceswap.detector.training.training import Schedule


def cell(arm: str, held: str, seed: int, auc: float) -> dict[str, object]:
    spread = {"low": auc - 0.1, "high": auc + 0.1, "accuracy": 0.6, "pictures": 1500, "seconds": 90}
    return {"arm": arm, "held_out": held, "seed": seed, "auc": auc} | spread


def test_the_table_has_arms_as_rows_and_held_out_manipulations_as_columns_with_means_over_seeds() -> None:
    cells = [cell("ssat", "sbi", 0, 0.7), cell("ssat", "sbi", 1, 0.8), cell("ssat", "part", 0, 0.6)]
    lines = table([*cells, cell("cnn", "sbi", 0, 0.55)]).splitlines()
    assert lines[0] == "| arm | pictures, minutes | sbi | part | mean |"
    # Means 0.75 of sbi's seeds; 0.7 of all three cells.
    assert (
        lines[2] == "| ssat | 1.5 k, 1.5 | 0.750 [0.60, 0.90], 60 % | 0.600 [0.50, 0.70], 60 % | **0.700** |"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ssl+ft+patch", ("cvt", "ssl+ft", True)),
        ("ssat", ("cvt", "ssat", False)),
        ("vit:scratch+patch", ("vit", "scratch", True)),
        ("cnn", ("cnn", "scratch", False)),
        ("cnn+patch", ("cnn", "scratch", True)),
    ],
)
def test_an_arm_is_named_by_family_training_and_patches(name: str, expected: tuple[str, str, bool]) -> None:
    arm = ArmSpec.parse(name, "cvt")
    assert (arm.family, arm.arm, arm.patches) == expected


def test_an_unknown_arm_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="ssat"):
        ArmSpec.parse("dino", "cvt")


def test_every_cell_is_trained_once_and_continues(toy_set: Path, tmp_path: Path) -> None:
    how = Fit(DetectorSpec(input_px=32), Recipe(pairs=2), Schedule(iterations=1), exam_pairs=10)
    arms, cpu = [ArmSpec.parse("cnn+patch", "vit")], torch.device("cpu")
    material = Material.open(toy_set)
    first = crossvalidate(material, tmp_path, arms, [0], how, cpu, torch.float32)
    assert [c["held_out"] for c in first] == ["sbi", "affine", "seamless", "part"]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json") if "cells" in str(path)}
    assert crossvalidate(material, tmp_path, arms, [0], how, cpu, torch.float32) == first
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
