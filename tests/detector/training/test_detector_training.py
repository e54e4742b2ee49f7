"""Training learns what it is shown, and stopping changes nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faceswap.detector.data.samples import DetectorBatch
from faceswap.detector.network.model import build
from faceswap.detector.training.steps import DetectorStep, Recipe, running_mean
from faceswap.detector.training.training import DetectorTraining, Schedule, Validation
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.learn import checkpoint
from tests.detector.toy_set import SPEC

CPU = torch.device("cpu")


def planted(iteration: int) -> DetectorBatch:
    """Noise, and in fakes a brighter square of one patch somewhere."""
    rng = np.random.default_rng((9, iteration))
    crops = rng.integers(60, 140, (16, 32, 32, 3)).astype(np.uint8)
    labels, masks = np.tile(np.array([0, 1], np.int64), 8), np.zeros((16, 32, 32), np.float32)
    for index in range(1, 16, 2):
        row, column = 8 * rng.integers(4, size=2)
        crops[index, row : row + 8, column : column + 8] += 60
        masks[index, row : row + 8, column : column + 8] = 1
    return DetectorBatch(crops, labels, masks, ("planted",) * 16, ("nobody",) * 16)


def training(folder: Path, schedule: Schedule, **recipe: Any) -> DetectorTraining:
    kept = folder / "kept.json"

    def validate(step: DetectorStep) -> Validation:
        batch = planted(10_000)
        pixels = torch.from_numpy(batch.crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            logits = step.mean(pixels).logits
        right = ((logits[:, 1] > logits[:, 0]) == torch.from_numpy(batch.labels == 1)).float().mean()
        figures = {"mean_auc": float(right)}
        return Validation(figures, lambda: write_json(kept, figures))

    step = DetectorStep(build(SPEC, 3), Recipe(**recipe), CPU, torch.float32, seed=3)
    return DetectorTraining(folder, step, planted, schedule, validate)


@pytest.mark.parametrize("arm", ["scratch", "ssat", "ssl+ft"])
def test_ten_iterations_and_ten_after_a_restart_are_twenty(tmp_path: Path, arm: str) -> None:
    straight = training(tmp_path / "straight", Schedule(iterations=20), arm=arm)
    straight.run()
    # A run that is stopped half-way has been on the way to the same 20 iterations.
    first = training(tmp_path / "halves", Schedule(iterations=20), arm=arm)
    for iteration in range(10):
        first.step(planted(iteration), iteration, iteration / 20)
        first.iteration += 1
    first.save()
    second = training(tmp_path / "halves", Schedule(iterations=20), arm=arm)
    assert second.iteration == 10
    second.run()
    for part, tensors in straight.step.tensors().items():
        for name, value in tensors.items():
            assert torch.equal(value, second.step.tensors()[part][name]), (part, name)


def test_a_planted_forgery_is_learned_and_located(tmp_path: Path) -> None:
    run = training(
        tmp_path, Schedule(iterations=200), arm="scratch", learning_rate=6e-3, ema=0.9, patch_weight=2.0
    )
    run.run()
    batch = planted(20_000)
    pixels = torch.from_numpy(batch.crops).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        judged = run.step.mean(pixels)
    hits = judged.patch_logits[1::2].flatten(1).argmax(1)
    wanted = torch.from_numpy(batch.masks[1::2, ::8, ::8]).flatten(1).argmax(1)
    assert (hits == wanted).float().mean() == 1.0
    assert run.best > 0.9


def test_the_loss_of_every_arm_falls(tmp_path: Path) -> None:
    for arm in ("ssat", "ssl+ft"):
        run = training(tmp_path / arm, Schedule(iterations=60), arm=arm, learning_rate=3e-3, ssl_share=0.5)
        losses = [run.step(planted(i), i, i / 60)["reconstruction"] for i in range(30)]
        assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5]), arm


def test_without_the_patch_loss_the_patch_head_stays_as_it_was(tmp_path: Path) -> None:
    run = training(tmp_path, Schedule(iterations=5), arm="scratch", patches=False)
    before = run.step.detector.patch_head.weight.clone()
    run.run()
    assert torch.equal(before, run.step.detector.patch_head.weight)


@pytest.mark.parametrize("minutes", [0.0, 100.0], ids=["on the way", "at the end"])
def test_who_is_killed_while_it_judges_has_saved_before(tmp_path: Path, minutes: float) -> None:
    run = training(tmp_path, Schedule(iterations=3, validate_minutes=minutes), arm="scratch")

    def killed(_: DetectorStep) -> Validation:
        raise KeyboardInterrupt

    run._validate = killed
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert checkpoint.load(tmp_path).iteration == run.iteration > 0


def test_a_training_continued_another_way_is_refused(tmp_path: Path) -> None:
    run = training(tmp_path, Schedule(iterations=4), arm="ssat")
    run.run()
    with pytest.raises(UserError, match="lambda_"):
        training(tmp_path, Schedule(iterations=8), arm="ssat", lambda_=0.5)


def test_a_training_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="never end"):
        training(tmp_path, Schedule(), arm="ssat")


def test_the_best_validation_is_kept_and_every_validation_logged(tmp_path: Path) -> None:
    run = training(tmp_path, Schedule(iterations=6, validate_minutes=1e-9), arm="scratch")
    run.run()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    figures = [line["validation"]["mean_auc"] for line in lines if "validation" in line]
    assert len(figures) >= 6
    assert json.loads((tmp_path / "kept.json").read_text())["mean_auc"] == max(figures)


def test_the_running_mean_forgets_the_random_weights_soon_and_then_remembers_long() -> None:
    update = running_mean(0.999)
    mean, weights = [torch.zeros(1)], [torch.ones(1)]
    share = 1.0
    for n in range(1, 200):
        update(mean, weights, torch.tensor(n))
        share *= min(0.999, (1 + n) / (10 + n))
    assert mean[0].item() == pytest.approx(1 - share, abs=1e-5)
    assert share < 1e-6
    before = mean[0].clone()
    update(mean, [torch.full((1,), 2.0)], torch.tensor(10_000_000))
    assert mean[0].item() == pytest.approx(0.999 * before.item() + 0.001 * 2)
