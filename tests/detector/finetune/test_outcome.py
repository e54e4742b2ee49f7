"""From a folder to a model that others can open, with figures that are those of its own table."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification, ViTImageProcessor

from faceswap.detector.finetune.bases import open_base
from faceswap.detector.finetune.files import write_model
from faceswap.detector.finetune.folders import TRAIN, VALIDATION
from faceswap.detector.finetune.modelcard import model_card
from faceswap.detector.finetune.outcome import FineTune, finetune
from faceswap.detector.finetune.prepare import read_square
from faceswap.detector.network.files import Card, load_detector, save_detector
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import build
from faceswap.io.files import sha256
from faceswap.io.images import read_image, write_image
from tests.detector.toy_set import SPEC, actor_frames
from tests.detector.toy_tuning import CPU, FLOAT, QUICK, Interrupted, a_vit, division_of, save_base, tuning_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, toys: Path, tiny: Path) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("made") / "model"
    recipe = replace(QUICK, augment=False, epochs=8)
    return output, finetune(toys, output, FineTune(recipe, tiny, whole=True), CPU, FLOAT)


def predictions(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_planted_forgery_is_learned_and_the_figures_are_those_of_the_table(
    made: tuple[Path, dict[str, Any]],
) -> None:
    folder, metrics = made
    test = [row for row in predictions(folder) if row["split"] == "test"]
    table = np.zeros((2, 2), int)
    for row in test:
        table[int(row["label"] == "Fake"), int(float(row["score"]) > 0.5)] += 1
    assert metrics["test"]["confusion"] == table.tolist()
    assert metrics["test"]["accuracy"] == pytest.approx(table.trace() / len(test))
    ranks = [
        (float(fake["score"]) > float(real["score"])) + 0.5 * (fake["score"] == real["score"])
        for fake in test if fake["label"] == "Fake"
        for real in test if real["label"] == "Real"
    ]  # fmt: skip
    assert metrics["test"]["auc"] == pytest.approx(np.mean(ranks), abs=1e-6)
    assert metrics["test"]["auc"] > 0.9
    assert (metrics["test"]["reals"], metrics["test"]["fakes"]) == (6, 4)
    assert json.loads((folder / "metrics.json").read_text())["test"] == metrics["test"]
    assert metrics["state"] == "finished"


def test_automodel_gives_the_scores_of_the_table(made: tuple[Path, dict[str, Any]], toys: Path) -> None:
    folder, _ = made
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    assert model.config.id2label == {0: "Real", 1: "Fake"}
    processor = ViTImageProcessor.from_pretrained(folder)
    for row in predictions(folder):
        if not row["score"]:
            assert row["split"] == "train"
            continue
        # At the model's own size the processor only rescales.
        inputs = processor(Image.open(toys / row["file"]), return_tensors="pt")
        with torch.inference_mode():
            score = model(**inputs).logits.softmax(1)[0, 1]
        assert float(score) == pytest.approx(float(row["score"]), abs=2e-6)


def test_everything_a_reader_needs_lies_beside_the_weights(made: tuple[Path, dict[str, Any]]) -> None:
    folder, metrics = made
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    best = min(lines, key=lambda line: line["validation_loss"])
    assert best["iteration"] == metrics["kept"]["iteration"]
    for name in ("confusion.png", "curves.png"):
        assert read_image(folder / name).std() > 5
    card = (folder / "README.md").read_text()
    for told in (
        "forensic research model",
        "no evidence",
        "balanced",
        "finished",
    ):
        assert told in card
    assert "license: other" in card
    assert (folder / "skipped.csv").read_text().splitlines() == ["file,label,reason"]
    for part in folder.glob("*.safetensors"):
        assert part.stat().st_mode & 0o044


def test_a_training_cut_short_is_judged_and_says_so_and_then_finishes(
    tmp_path: Path, toys: Path, tiny: Path, made: tuple[Path, dict[str, Any]]
) -> None:
    recipe = replace(QUICK, augment=False, epochs=8)
    how, output = FineTune(recipe, tiny, whole=True), tmp_path / "model"
    short = finetune(toys, output, replace(how, minutes=0), CPU, FLOAT)
    assert (short["state"], short["progress"]) == ("stopped at 0 %", 0)
    with pytest.raises(KeyboardInterrupt):
        division = division_of(toys, recipe)
        state = {
            "base": open_base(tiny, 83).identity,
            "data": division.hash,
            "pictures": "whole 32, 16 frames",
        }
        Interrupted(
            output / "training", open_base(tiny, 83), recipe, division.of(TRAIN), division.of(VALIDATION),
            CPU, FLOAT, 83, state,
        ).run()  # fmt: skip
    salvaged = finetune(toys, output, replace(how, minutes=0), CPU, FLOAT)
    share = 100 * salvaged["progress"]
    assert 10 < share < 60
    assert salvaged["state"] == f"stopped at {share:.0f} %"
    assert f"stopped at {share:.0f} %" in (output / "README.md").read_text()
    assert json.loads((output / "metrics.json").read_text())["state"] == salvaged["state"]
    finished = finetune(toys, output, how, CPU, FLOAT)
    assert finished["state"] == "finished"
    straight, stopped = (load_file(path / "model.safetensors") for path in (made[0], output))
    assert all(torch.equal(value, stopped[name]) for name, value in straight.items())


def test_a_model_that_reads_pictures_as_predict_does_is_a_detector_with_the_same_scores(
    tmp_path: Path, toys: Path
) -> None:
    base = tmp_path / "base"
    spec = SPEC
    save_detector(base, build(spec, 5), Card(thresholds={"0.05": 0.5}), half=False)
    tuning = tuning_of(tmp_path / "work", toys, base)
    tuning.run()
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model", tmp_path / "staging", tuning, False, Card(thresholds={"0.05": 0.7}))
    detector, card = load_detector(tmp_path / "model")
    assert card.thresholds == {"0.05": 0.7}
    assert torch.equal(detector.patch_head.weight, load_detector(base)[0].patch_head.weight)
    squares = [read_square(picture.path, 32) for picture in tuning.validation]
    margins = [verdict.logit for verdict in Judge(detector)(squares)]
    logits = tuning.logits(tuning.validation)
    assert margins == pytest.approx((logits[:, 1] - logits[:, 0]).tolist(), abs=1e-5)


def test_cut_faces_make_a_detector_that_knows_what_it_and_its_base_have_seen(tmp_path: Path) -> None:
    for name, which in (("real", "a"), ("fake", "b")):
        (tmp_path / name).mkdir()
        for number, (frame, _) in enumerate(actor_frames(which, 5)):
            write_image(tmp_path / name / f"{number}.jpg", frame)
    spec = SPEC
    save_detector(tmp_path / "base", build(spec, 5), Card(seen=("older",)), half=False)
    how = FineTune(QUICK, tmp_path / "base", minutes=0)
    metrics = finetune(tmp_path, tmp_path / "model", how, CPU, FLOAT)
    assert metrics["pictures"].startswith("faces")
    _, card = load_detector(tmp_path / "model")
    sides = {row["file"]: row["split"] for row in predictions(tmp_path / "model")}
    seen = {sha256(tmp_path / file) for file, side in sides.items() if side != "test"}
    assert set(card.seen) == seen | {"older"}
    assert set(card.thresholds) == {"0.01", "0.05"}
    assert len(seen) == 8


def test_a_leak_in_how_the_files_were_made_is_told(tmp_path: Path, capsys) -> None:
    # The fakes were saved as coarse JPEGs once, which says nothing of any forgery.
    rng = np.random.default_rng(0)
    for name, quality in (("Real", 98), ("Fake", 20)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(40):
            soft = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            grain = rng.integers(-20, 20, (64, 64, 3))
            picture = np.clip(soft + grain, 0, 255).astype(np.uint8)
            write_image(tmp_path / "data" / name / f"{number}.jpg", picture, quality)
    base = save_base(tmp_path / "base", a_vit(image_size=64))
    how = FineTune(QUICK, base, whole=True, minutes=0)
    metrics = finetune(tmp_path / "data", tmp_path / "model", how, CPU, FLOAT)
    assert max(metrics["shortcuts"].values()) > 0.9
    assert "perhaps how the files were made" in capsys.readouterr().err
    assert "**Warning.**" in model_card("m", metrics)
