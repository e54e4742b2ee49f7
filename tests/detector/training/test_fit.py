"""From a set to a calibrated detector and its figures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.detector.data.manifest import read_manifest
from faceswap.detector.measures.evaluation import Calibrated, aucs, score
from faceswap.detector.measures.metrics import auc, rates_at
from faceswap.detector.network.files import Card, load_detector, save_detector
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import build
from faceswap.detector.training.fit import Fit, Material, evaluate, fit, recalibrate
from faceswap.detector.training.steps import Recipe
from faceswap.detector.training.training import Schedule
from faceswap.errors import UserError
from tests.detector.toy_set import SPEC

CPU, F32 = torch.device("cpu"), torch.float32
QUICK = Fit(SPEC, Recipe(arm="ssat", pairs=2), Schedule(iterations=3), exam_pairs=10)


def test_a_set_becomes_a_detector_with_calibration_and_provenance(toy_set: Path, tmp_path: Path) -> None:
    material = Material.open(toy_set)
    best = fit(material, tmp_path / "run", QUICK, CPU, F32).best
    detector, card = load_detector(best)
    assert detector.input_px == 32
    assert card.temperature > 0
    assert set(card.thresholds) == {"0.01", "0.05"}
    assert card.training["pictures"] == 3 * 2 * 2
    assert card.training["data"] == {"toy": "user's own"}
    # What training may look at, and nothing of the test split.
    assert set(card.seen) == {item.sha256 for item in material.items if item.split != "test"}


def test_an_exam_gives_figures_for_every_manipulation_and_keeps_them(toy_set: Path, tmp_path: Path) -> None:
    material = Material.open(toy_set)
    best = fit(material, tmp_path / "run", QUICK, CPU, F32).best
    found = evaluate(material, best, "test", 10, CPU, F32)
    assert set(found) == {"all", "sbi", "affine", "seamless", "part"}
    assert all(table["reals"] == table["fakes"] == 10 for name, table in found.items() if name != "all")
    assert all(
        table["auc_interval"]["low"] <= table["auc"] <= table["auc_interval"]["high"]
        for table in found.values()
    )
    assert load_detector(best)[1].figures["test"] == json.loads(json.dumps(found))


def test_the_control_is_measured_and_never_made_a_detector_of(toy_set: Path, tmp_path: Path) -> None:
    how = replace(QUICK, spec=replace(SPEC, family="cnn"), recipe=Recipe(arm="scratch", pairs=2))
    best = fit(Material.open(toy_set), tmp_path / "run", how, CPU, F32).best
    assert not best.exists()
    assert "mean_auc" in json.loads((tmp_path / "run" / "control.json").read_text())["figures"]["validation"]


def test_reconstruction_with_the_control_is_refused(toy_set: Path, tmp_path: Path) -> None:
    how = replace(QUICK, spec=replace(SPEC, family="cnn"))
    with pytest.raises(UserError, match="control has none"):
        fit(Material.open(toy_set), tmp_path / "run", how, CPU, F32)


def test_a_left_out_manipulation_is_in_no_training_and_no_validation(toy_set: Path, tmp_path: Path) -> None:
    how = replace(QUICK, leave_out="sbi")
    best = fit(Material.open(toy_set), tmp_path / "run", how, CPU, F32).best
    card = load_detector(best)[1]
    assert card.training["left_out"] == "sbi"
    assert set(card.figures["validation"]) == {"mean_auc", "affine", "seamless", "part"}
    with pytest.raises(UserError, match="leave out"):
        fit(Material.open(toy_set), tmp_path / "other", replace(QUICK, leave_out="sib"), CPU, F32)


def test_a_set_whose_file_changed_is_refused(toy_set: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "set"
    shutil.copytree(toy_set, copy)
    (copy / read_manifest(copy)[0].file).write_bytes(b"other")
    with pytest.raises(UserError, match="not what"):
        Material.open(copy)


def test_an_exam_is_the_same_every_time_and_its_mean_is_that_of_its_parts(toy_set: Path) -> None:
    source = Material.open(toy_set).source("val", ("sbi", "part"), 32)
    judge = Judge(build(SPEC, 0))
    first, second = score(judge, source, 10, seed=3), score(judge, source, 10, seed=3)
    assert first.margins.tolist() == second.margins.tolist()
    found = aucs(first)
    assert found["mean_auc"] == pytest.approx((found["sbi"] + found["part"]) / 2)
    part = first.of("part")
    assert found["part"] == pytest.approx(auc(1 / (1 + 2.718281828**-part.margins), part.labels))


def test_thresholds_keep_their_promise_on_the_reals_they_were_made_from(toy_set: Path) -> None:
    source = Material.open(toy_set).source("val", ("sbi", "part"), 32)
    scored = score(Judge(build(SPEC, 0)), source, 30, seed=3)
    calibrated = Calibrated.on(scored)
    scores = 1 / (1 + 2.718281828 ** (-scored.margins / calibrated.temperature))
    sets = np.array([name.partition("/")[0] for name in scored.people])
    for promised, threshold in calibrated.thresholds.items():
        rates = [
            rates_at(scores[sets == name], scored.labels[sets == name], threshold + 1e-9).fpr
            for name in dict.fromkeys(sets)
        ]
        assert np.mean(rates) <= float(promised) + 1e-9


def test_recalibrating_changes_what_the_numbers_mean_and_not_how_faces_are_ranked(
    toy_set: Path, tmp_path: Path
) -> None:
    save_detector(tmp_path, build(SPEC, 0), Card(temperature=3.0, thresholds={"0.05": 0.1, "0.01": 0.2}))
    material = Material.open(toy_set)
    before = evaluate(material, tmp_path, "val", 10, CPU, F32)
    found = recalibrate(material, tmp_path, 10, CPU, F32)
    card = load_detector(tmp_path)[1]
    assert (card.temperature, card.thresholds) == (found.temperature, dict(found.thresholds))
    after = evaluate(material, tmp_path, "val", 10, CPU, F32)
    assert after["all"]["auc"] == before["all"]["auc"]
    assert after["all"]["at_threshold"]["0.05"]["fpr"] <= before["all"]["at_threshold"]["0.05"]["fpr"]
