"""Fine-tuning on a folder: honest sides, both recipes, any stop survived, a model that others can open."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageClassification,
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from faceswap.detector.bases import open_base
from faceswap.detector.division import Division, divide
from faceswap.detector.files import Card, load_detector, save_detector
from faceswap.detector.finetune import FineTuning
from faceswap.detector.finetuned import write_model
from faceswap.detector.folder_recipe import RECIPES, FolderRecipe, augment, epoch_order, rate
from faceswap.detector.folders import TEST, TRAIN, VALIDATION, read_folder
from faceswap.detector.judge import Judge
from faceswap.detector.model import build
from faceswap.detector.modelcard import model_card
from faceswap.detector.outcome import FineTune, finetune
from faceswap.detector.overfitting import Evaluation, began_to_overfit
from faceswap.detector.pictures import confusion_picture, curves_picture
from faceswap.detector.prepare import Picture, read_square
from faceswap.errors import UserError
from faceswap.io.files import sha256
from faceswap.io.images import read_image, write_image
from stages import detector
from tests.detector.conftest import SPEC, actor_frames

CPU, FLOAT = torch.device("cpu"), torch.float32
TINY = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
QUICK = replace(RECIPES["virtus"], learning_rate=5e-3, batch=8, epochs=4, warm_up=2)


def toy(number: int, fake: bool) -> np.ndarray:
    """Noise, in fakes with a bright middle."""
    picture = np.random.default_rng((number, int(fake))).integers(40, 160, (32, 32, 3), dtype=np.uint8)
    if fake:
        picture[8:24, 8:24] += 80
    return picture


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 reals and 20 fakes; tests must not write to it."""
    data = tmp_path_factory.mktemp("toys")
    for name, count in (("Real", 30), ("Fake", 20)):
        (data / name).mkdir()
        for number in range(count):
            write_image(data / name / f"{number:02d}.png", toy(number, name == "Fake"))
    return data


def save_base(folder: Path, model: Any, mean: float = 0.5) -> Path:
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    ViTImageProcessor(size=size, image_mean=[mean] * 3, image_std=[0.25] * 3).save_pretrained(folder)
    return folder


def a_vit(**more: Any) -> ViTForImageClassification:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return ViTForImageClassification(ViTConfig(**TINY | more))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that knows five other classes, with dropout; tests must not write to it."""
    return save_base(tmp_path_factory.mktemp("base") / "tiny", a_vit(num_labels=5, hidden_dropout_prob=0.1))


def division_of(data: Path, recipe: FolderRecipe = QUICK) -> Division:
    return divide([Picture(entry.path, entry) for entry in read_folder(data)], recipe, 83)


def tuning_of(folder: Path, toys: Path, base: Path, recipe: FolderRecipe = QUICK, **more: Any) -> FineTuning:
    division = division_of(toys, recipe)
    kind = more.pop("kind", FineTuning)
    data = more.pop("data", "these")
    train, validation = division.of(TRAIN), division.of(VALIDATION)
    return kind(folder, open_base(base, 83), recipe, train, validation, CPU, FLOAT, 83, {"data": data})


# --- what an epoch shows ---------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_balance_shows_both_classes_equally_often_and_every_picture(
    reals: int, fakes: int, seed: int
) -> None:
    labels = np.array([0] * reals + [1] * fakes)
    plain = epoch_order(labels, False, np.random.default_rng(seed))
    assert sorted(plain) == list(range(reals + fakes))
    shown = np.bincount(epoch_order(labels, True, np.random.default_rng(seed)), minlength=len(labels))
    assert shown[labels == 0].sum() == shown[labels == 1].sum() == max(reals, fakes)
    for label in (0, 1):
        assert shown[labels == label].min() >= 1
        assert np.ptp(shown[labels == label]) <= 1


def test_balancing_a_rare_class_repeats_nothing_across_the_sides(tmp_path: Path) -> None:
    # Virtus repeats before it splits: with ten fakes among a hundred reals their copies are everywhere.
    for name, count in (("Real", 100), ("Fake", 10)):
        (tmp_path / name).mkdir()
        for number in range(count):
            write_image(tmp_path / name / f"{number}.png", toy(number, name == "Fake"))
    division = division_of(tmp_path)
    hashes = {side: {p.entry.sha256 for p in division.of(side)} for side in (TRAIN, VALIDATION, TEST)}
    assert division.counts == {
        "train": {"Real": 60, "Fake": 6},
        "validation": {"Real": 20, "Fake": 2},
        "test": {"Real": 20, "Fake": 2},
    }
    order = epoch_order(np.array([p.entry.label for p in division.of(TRAIN)]), True, np.random.default_rng(0))
    shown = {division.of(TRAIN)[row].entry.sha256 for row in order}
    assert shown == hashes[TRAIN]
    assert not shown & (hashes[VALIDATION] | hashes[TEST])


# --- Virtus's transforms ---------------------------------------------------------------------------------


def test_a_turned_picture_has_black_corners_and_an_unchanged_middle_colour() -> None:
    flat = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    corners = 0
    for seed in range(20):
        turned = augment(flat, np.random.default_rng(seed))
        assert turned.shape == flat.shape
        assert (turned[24:40, 24:40] == flat[0, 0]).all()
        corners += int((turned[0, 0] == 0).all())
    assert corners > 10


def test_pictures_are_turned_either_way_by_up_to_90_degrees() -> None:
    # A bright dot east of the centre says how far it went; counter-clockwise is up.
    picture = np.zeros((65, 65, 3), np.uint8)
    picture[30:35, 52:57] = 255
    angles = []
    for seed in range(200):
        rows, columns = np.nonzero(augment(picture, np.random.default_rng(seed))[..., 0] > 128)
        angles.append(np.degrees(np.arctan2(32 - rows.mean(), columns.mean() - 32)))
    assert -91 < min(angles) < -80
    assert 80 < max(angles) < 91
    assert np.mean(np.array(angles) > 0) == pytest.approx(0.5, abs=0.12)


def test_transforms_are_torchvisions() -> None:
    functional = pytest.importorskip("torchvision.transforms.functional")
    picture = toy(1, True)
    sharpened = 0
    for seed in range(12):
        angle = np.random.default_rng(seed).uniform(-90, 90)
        turned = functional.rotate(Image.fromarray(picture), angle)
        sharp = functional.adjust_sharpness(turned, 2)
        made = augment(picture, np.random.default_rng(seed))
        assert (made == np.array(turned)).all() or (made == np.array(sharp)).all()
        sharpened += int((made == np.array(sharp)).all())
    assert 0 < sharpened < 12


def test_the_rate_climbs_over_the_warm_up_and_falls_to_zero() -> None:
    recipe = replace(QUICK, learning_rate=1.0, warm_up=10)
    assert [rate(recipe, at, 110) for at in (0, 5, 10, 60, 109)] == pytest.approx([0, 0.5, 1, 0.5, 0.01])
    # A short training is not all warm-up.
    assert rate(recipe, 2, 20) == pytest.approx(1)
    assert rate(replace(recipe, warm_up=0), 0, 110) == 1


# --- over-fitting ----------------------------------------------------------------------------------------


def log(train: list[float | None], validation: list[float]) -> list[Evaluation]:
    rows = zip(train, validation, strict=True)
    return [Evaluation(10 * n, n / 2, loss, judged, 0.9, 0.0) for n, (loss, judged) in enumerate(rows)]


def test_over_fitting_is_told_with_the_evaluation_at_which_it_began() -> None:
    made_up = log([None, 0.60, 0.45, 0.30, 0.22, 0.15, 0.10], [0.70, 0.62, 0.50, 0.46, 0.50, 0.55, 0.63])
    began = began_to_overfit(made_up)
    assert began is not None
    assert began.iteration == 30
    # Two evaluations are no trend yet.
    assert began_to_overfit(made_up[:6]) is None


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ([None, 0.6, 0.5, 0.4, 0.3, 0.2], [0.7, 0.65, 0.55, 0.45, 0.40, 0.38]),
        # A plateau that trembles by two per cent.
        ([None, 0.6, 0.50, 0.48, 0.47, 0.46, 0.45], [0.7, 0.60, 0.500, 0.506, 0.503, 0.509, 0.502]),
        # The tutorial's dip, from which it recovers.
        ([None, 0.6, 0.4, 0.3, 0.25, 0.2], [0.7, 0.5, 0.40, 0.60, 0.52, 0.41]),
        # Both rise: a rate that is too high is no over-fitting.
        ([None, 0.6, 0.5, 0.7, 0.8, 0.9], [0.7, 0.6, 0.5, 0.7, 0.8, 0.9]),
        ([None], [0.7]),
    ],
)
def test_a_healthy_training_is_not_called_over_fitted(
    train: list[float | None], validation: list[float]
) -> None:
    assert began_to_overfit(log(train, validation)) is None


# --- what it starts from ---------------------------------------------------------------------------------


def test_a_head_for_other_classes_is_replaced_and_every_encoder_weight_kept(tiny: Path, capsys) -> None:
    base = open_base(tiny, 1)
    there, now = load_file(tiny / "model.safetensors"), base.model.state_dict()
    assert now["classifier.weight"].shape == (2, 24)
    assert "knows 5 other classes" in capsys.readouterr().out
    opened = ViTForImageClassification.from_pretrained(tiny)
    for name, value in opened.state_dict().items():
        if not name.startswith("classifier."):
            assert torch.equal(now[name], value), name
    assert sum(value.numel() for value in there.values()) == sum(
        v.numel() for v in opened.state_dict().values()
    )
    assert base.model.config.id2label == {0: "Real", 1: "Fake"}
    assert torch.equal(now["classifier.weight"], open_base(tiny, 1).model.state_dict()["classifier.weight"])


def test_pixels_are_scaled_as_the_bases_processor_says(tmp_path: Path) -> None:
    base = open_base(save_base(tmp_path / "b", a_vit(num_labels=5), mean=0.4), 0)
    picture = np.full((1, 32, 32, 3), 153, np.uint8)
    # (153 / 255 - 0.4) / 0.25
    assert base.pixels(torch.from_numpy(picture)).unique().tolist() == pytest.approx([0.8])


def test_a_head_with_our_labels_is_kept(tmp_path: Path) -> None:
    model = a_vit(id2label={0: "real", 1: "FAKE"}, label2id={"real": 0, "FAKE": 1})
    kept = open_base(save_base(tmp_path / "b", model), 0).model.state_dict()
    assert torch.equal(kept["classifier.weight"], model.state_dict()["classifier.weight"])


def test_a_distilled_deit_loads_whole_and_is_refused_where_it_would_lose_its_encoder(tmp_path: Path) -> None:
    model = DeiTForImageClassificationWithTeacher(DeiTConfig(**TINY, num_labels=5))
    folder = save_base(tmp_path / "deit", model)
    opened = open_base(folder, 0).model.state_dict()
    for name, value in model.state_dict().items():
        if "classifier" not in name:
            assert torch.equal(opened[name], value), name
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="holds a DeiT") as told:
        open_base(folder, 0)
    assert "model_type" in told.value.hint


def _without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if ".1." not in name},
        folder / "model.safetensors",
        {"format": "pt"},
    )


def _swapped(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "Fake", "1": "Real"}, "label2id": {"Fake": 0, "Real": 1}}
    (folder / "config.json").write_text(json.dumps(config))


def _unscaled(folder: Path) -> None:
    content = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(content | {"rescale_factor": 1.0}))


def _larger(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 48}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "lacks preprocessor_config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{}"), "cannot be opened"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"12345678"), "damaged"),
        (shutil.rmtree, "lacks config.json"),
        (_without_a_layer, "do not fit"),
        (_larger, "do not fit|cannot be opened"),
        (_swapped, "labels"),
        (_unscaled, "reads pictures"),
    ],
)
def test_a_base_that_would_start_half_random_is_refused(
    tiny: Path, tmp_path: Path, spoil: Callable[[Path], Any], told: str
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "base"))
    spoil(folder)
    with pytest.raises(UserError, match=told):
        open_base(folder, 0)


# --- the loop --------------------------------------------------------------------------------------------


class _Interrupted(FineTuning):
    """Ctrl-C while the tenth batch is made."""

    def batch(self, iteration: int) -> Any:
        if iteration == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return super().batch(iteration)


def test_a_training_that_was_stopped_ends_bit_for_bit_as_if_it_had_not_been(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    straight = tuning_of(tmp_path / "straight", toys, tiny)
    straight.run()
    with pytest.raises(KeyboardInterrupt):
        tuning_of(tmp_path / "stopped", toys, tiny, kind=_Interrupted).run()
    # Judged as far as it came, which must not change what follows.
    halfway = tuning_of(tmp_path / "stopped", toys, tiny)
    assert 0 < halfway.progress < 1
    halfway.run(minutes=0)
    assert halfway.evaluations[-1].iteration == halfway.iteration
    # Another process has drawn other numbers before; dropout must not depend on them.
    torch.manual_seed(99)
    rest = tuning_of(tmp_path / "stopped", toys, tiny)
    rest.run()
    assert rest.progress == 1
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name
    assert [e._replace(seconds=0) for e in rest.evaluations] == [
        e._replace(seconds=0) for e in straight.evaluations
    ]


def test_the_kept_weights_are_those_of_the_lowest_validation_loss(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    tuning = tuning_of(tmp_path, toys, tiny)
    # Judged by swapped labels it gets worse the more it learns.
    tuning.validation = [
        picture._replace(entry=replace(picture.entry, label=1 - picture.entry.label))
        for picture in tuning.validation
    ]
    tuning.run()
    losses = [evaluation.validation_loss for evaluation in tuning.evaluations]
    assert tuning.best.validation_loss == min(losses) < losses[-1]
    tuning.take_best()
    labels = torch.tensor([picture.entry.label for picture in tuning.validation])
    logits = torch.from_numpy(tuning.logits(tuning.validation))
    assert float(torch.nn.functional.cross_entropy(logits, labels)) == pytest.approx(min(losses), abs=1e-9)


def test_a_training_continued_another_way_is_refused(tmp_path: Path, toys: Path, tiny: Path) -> None:
    tuning_of(tmp_path, toys, tiny).run(minutes=0)
    with pytest.raises(UserError, match="learning_rate"):
        tuning_of(tmp_path, toys, tiny, replace(QUICK, learning_rate=1e-4))
    with pytest.raises(UserError, match="data these there, others now"):
        tuning_of(tmp_path, toys, tiny, data="others")


def test_the_tutorial_evaluates_every_ten_updates_and_virtus_every_epoch(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    # 50 pictures are 5 : 1 : 1, 36 of them in 9 batches of 4 an epoch.
    tutorial = tuning_of(tmp_path / "t", toys, tiny, replace(RECIPES["tutorial"], batch=4, epochs=3))
    tutorial.run()
    total = tutorial.iterations
    assert [e.iteration for e in tutorial.evaluations] == [*range(0, total, 10), total]
    virtus = tuning_of(tmp_path / "v", toys, tiny, replace(QUICK, epochs=2))
    virtus.run()
    assert [e.epoch for e in virtus.evaluations] == [0, 1, 2]


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    with pytest.raises(UserError, match="no number"):
        tuning_of(tmp_path, toys, tiny, replace(QUICK, learning_rate=1e30, warm_up=0, epochs=8)).run()


# --- from folder to model --------------------------------------------------------------------------------


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
        _Interrupted(
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


# --- pictures --------------------------------------------------------------------------------------------


def test_the_confusion_picture_is_brighter_where_more_of_a_row_lies() -> None:
    picture = confusion_picture(np.array([[90, 10], [30, 70]]), ["Real", "Fake"], "t").astype(int)
    real_real, real_fake, fake_real, fake_fake = (
        picture[84 + row * 170 + 6, 120 + column * 170 + 6] for row in (0, 1) for column in (0, 1)
    )
    assert real_real.max() > fake_fake.max()
    assert fake_real.max() > real_fake.max()
    # Right verdicts are green, wrong ones red.
    assert real_real.argmax() == fake_fake.argmax() == 1
    assert real_fake.argmax() == fake_real.argmax() == 0


def test_curves_fall_where_losses_fall_and_mark_what_is_kept() -> None:
    evaluations = log([None, 0.6, 0.5, 0.4], [0.8, 0.6, 0.4, 0.2])
    plain, marked = curves_picture(evaluations, 0), curves_picture(evaluations, 20)
    rows, columns = np.nonzero((plain[30:214] == (255, 200, 70)).all(axis=2))
    assert np.corrcoef(columns, rows)[0, 1] > 0.99
    changed = np.nonzero((plain != marked).any(axis=(0, 2)))[0]
    # Two thirds of the way, where iteration 20 of 30 is, and at 0.
    assert {int(x) for x in changed} == {64, 64 + round(820 * 20 / 30)}


# --- as a stage ------------------------------------------------------------------------------------------


def stage(*words: object) -> None:
    detector.finetune(detector.FinetuneSettings.parse([str(word) for word in words]))


def test_the_stage_tunes_and_a_second_run_only_judges(toys: Path, tiny: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "m"
    words = ("--data", toys, "--base", tiny, "--output", output, "--whole-image", "--device", "cpu")
    stage(*words, "--epochs", 1, "--no-balance")
    assert "finished; on 6 real and 4 fake test pictures" in capsys.readouterr().out
    saved = json.loads((output / "finetune.json").read_text())["settings"]
    assert (saved["epochs"], saved["balance"]) == (1, False)
    weights = (output / "model.safetensors").read_bytes()
    stage("--config", output / "finetune.json")
    assert "100 %" in capsys.readouterr().out
    assert (output / "model.safetensors").read_bytes() == weights


def test_what_the_tutorial_fixes_and_what_is_missing_is_said(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--test-size"):
        stage("--data", toys, "--output", tmp_path, "--recipe", "tutorial", "--test-size", 0.3)
    with pytest.raises(UserError, match="--data DIR"):
        stage("--output", tmp_path)
