"""Training mask networks: continuing equals never having stopped, and it ends when it should."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, read_face, write_face
from faceswap.faceset.stored_masks import write_mask
from faceswap.learn import checkpoint
from faceswap.learn.loop import Schedule, train
from faceswap.masks.segmenter import load_segmenter
from faceswap.masks.train.augment import Augmenter, AugmentSettings
from faceswap.masks.train.data import Labels, collect_labels
from faceswap.masks.train.generic import ship
from faceswap.masks.train.run import MaskRun, open_run, preview_sheet, tint_outside
from faceswap.masks.train.train import MaskTask, RunCheckpointer
from faceswap.types import FaceType, Side
from faceswap.workspace import MASK_SETTINGS, Workspace

ASKED = {"arch": "xseg", "base_dims": 2, "input_px": 64}
CPU = torch.device("cpu")


@pytest.fixture
def facesets(tmp_path: Path, make_faces) -> list[Faceset]:
    """Twelve faces of each side; all of dst's are marked by a square."""
    folders = [tmp_path / side for side in Side]
    for folder, side in zip(folders, Side, strict=True):
        make_faces(folder, 12, side, size_px=64)
    for path in folders[1].glob("*.png"):
        mark(path)
    return [Faceset.open(folder) for folder in folders]


def mark(path: Path) -> None:
    crop, meta = read_face(path)
    square = np.array([(16, 16), (48, 16), (48, 48), (16, 48)], np.float32)
    write_face(path, crop, with_polygons(meta, (Polygon("include", square),)))


def with_polygons(meta: FaceMeta, polygons: tuple[Polygon, ...]) -> FaceMeta:
    return replace(meta, polygons=polygons_to_json(polygons))


def labels_of(facesets: list[Faceset], folder: Path, for_aim: bool = True) -> Labels:
    return collect_labels(facesets, FaceType.WHOLE, 64, folder / "cache", for_aim)


def keep(folder: Path, labels: Labels, **more: float) -> tuple[MaskRun, RunCheckpointer, MaskTask]:
    run = open_run(folder, ASKED, 7)
    augmenter = Augmenter(labels.samples, AugmentSettings(), 64, seed=run.seed)
    task = MaskTask(run.network, augmenter, 2, run.rate, CPU, torch.float32)
    return run, RunCheckpointer(run, task, labels.samples, labels.held_out, CPU, torch.float32, **more), task


def trained(folder: Path, labels: Labels, steps: int, **more: float) -> RunCheckpointer:
    _, keeper, task = keep(folder, labels, **more)
    train(task, keeper, Schedule(steps, seed=7, annealed=False, workers=2))
    return keeper


def test_a_training_continued_equals_one_that_never_stopped(facesets: list[Faceset], tmp_path: Path) -> None:
    labels = labels_of(facesets, tmp_path)
    trained(tmp_path / "whole", labels, 5)
    trained(tmp_path / "parts", labels, 2)
    trained(tmp_path / "parts", labels, 5)
    parts = ("weights", "network", "optimizer")
    whole, both = (checkpoint.load(tmp_path / name, parts) for name in ("whole", "parts"))
    assert whole.iteration == both.iteration == 5
    assert whole.state["loss"] == both.state["loss"]
    for part in parts:
        assert whole.tensors[part].keys() == both.tensors[part].keys()
        for name, value in whole.tensors[part].items():
            assert torch.equal(value, both.tensors[part][name]), f"{part}/{name}"


def test_it_ends_when_the_held_out_faces_are_met_well_enough(
    facesets: list[Faceset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswap.masks.train.train._CHECK_STEPS", 2)
    keeper = trained(tmp_path / "masks", labels_of(facesets, tmp_path), 100, until_iou=0.0)
    assert keeper.reached
    loaded = checkpoint.load(tmp_path / "masks", ["weights"])
    assert loaded.iteration == 2
    assert [check["iteration"] for check in loaded.state["checks"]] == [2]
    assert (tmp_path / "masks" / "preview.png").is_file()


def test_it_ends_after_its_minutes(facesets: list[Faceset], tmp_path: Path) -> None:
    trained(tmp_path / "masks", labels_of(facesets, tmp_path), 10**9, minutes=1e-6)
    assert checkpoint.load(tmp_path / "masks", ["weights"]).iteration == 1


def test_a_broken_loss_ends_it_without_overwriting_what_was_saved(
    facesets: list[Faceset], tmp_path: Path
) -> None:
    labels = labels_of(facesets, tmp_path)
    trained(tmp_path / "masks", labels, 2)
    _, keeper, task = keep(tmp_path / "masks", labels)
    task.loss = lambda batch: next(task.network.parameters()).sum() * float("nan")
    with pytest.raises(UserError, match="no number"):
        train(task, keeper, Schedule(9, annealed=False))
    assert checkpoint.load(tmp_path / "masks", ["weights"]).iteration == 2


def test_polygons_are_trained_on_and_a_tenth_is_held_out_for_an_aim(
    facesets: list[Faceset], tmp_path: Path
) -> None:
    labels = labels_of(facesets, tmp_path)
    assert (len(labels.samples), len(labels.held_out)) == (10, 2)
    assert "12 faces with polygons" in labels.origin
    names = [{tag.name for tag in kept.tags} for kept in (labels.samples, labels.held_out)]
    assert not names[0] & names[1]
    mask = labels.samples[0].layers[..., 0]
    assert mask[32, 32] == 255 and mask[5, 5] == 0
    few = labels_of(facesets, tmp_path, for_aim=False)
    assert (len(few.samples), len(few.held_out)) == (12, 0)


def test_stored_masks_train_only_where_nothing_is_marked(tmp_path: Path, make_faces) -> None:
    make_faces(tmp_path / "stored", 4, Side.SRC, size_px=64)
    stored = Faceset.open(tmp_path / "stored")
    mask = np.zeros((256, 256), np.float32)
    mask[:128] = 1
    for face in stored.faces[:3]:
        write_mask(face, mask, "model")
    labels = labels_of([stored], tmp_path, for_aim=False)
    assert "no polygons, so 3 of 3 faces with stored masks" in labels.origin
    kept = labels.samples[2].layers[..., 0]
    assert kept[10, 30] == 255 and kept[50, 30] == 0
    mark(stored.faces[3].path)
    labels = labels_of([Faceset.open(tmp_path / "stored")], tmp_path, for_aim=False)
    assert [tag.name for tag in labels.samples.tags] == [stored.faces[3].path.name]


def test_the_preview_shows_truth_prediction_and_half_green_around_them() -> None:
    image, truth, predicted = (np.full((64, 64, 3), 0.5, np.float32), *np.zeros((2, 64, 64), np.float32))
    truth[:32], predicted[:] = 1, 1
    sheet = preview_sheet([image] * 3, [truth] * 3, [predicted] * 3, "title")
    assert tint_outside(image, truth)[40, 5].tolist() == [0.25, 0.75, 0.25]
    # Two faces to a row, each of three cells, four pixels apart, below two lines of text.
    assert sheet.shape == (52 + 2 * 68, 6 * 68 - 4, 3)
    assert sheet[52 + 40, 5].tolist() == [64, 191, 64]
    assert sheet[52 + 40, 68 + 5].tolist() == [255, 255, 255]
    assert sheet[52 + 40, 136 + 5].tolist() == [128, 128, 128]


@pytest.mark.parametrize("input_px", [128, 256, 384])
def test_captions_of_the_preview_are_read_in_a_window_too(input_px: int) -> None:
    image, mask = np.zeros((input_px, input_px, 3), np.float32), np.zeros((input_px, input_px), np.float32)
    sheet = preview_sheet([image] * 2, [mask] * 2, [mask] * 2, "masks  iteration 7")
    header = (sheet.shape[0] - input_px - 4) // 2
    for line in (sheet[:header], sheet[header : 2 * header]):
        rows = np.flatnonzero((line.max(axis=2) > 150).any(axis=1))
        height = rows[-1] - rows[0] + 1
        assert height * min(1, 1000 / sheet.shape[1]) >= 9, "in a window 1000 px wide"


def test_without_labels_it_says_how_to_make_some(tmp_path: Path, make_faces) -> None:
    make_faces(tmp_path / "plain", 3, Side.SRC, size_px=64)
    with pytest.raises(UserError, match="mask_edit"):
        labels_of([Faceset.open(tmp_path / "plain")], tmp_path)


def test_an_aim_needs_enough_labels_to_hold_some_out(tmp_path: Path, make_faces) -> None:
    make_faces(tmp_path / "few", 3, Side.DST, size_px=64)
    for path in (tmp_path / "few").glob("*.png"):
        mark(path)
    few = [Faceset.open(tmp_path / "few")]
    with pytest.raises(UserError, match="until-iou"):
        labels_of(few, tmp_path)
    assert len(labels_of(few, tmp_path, for_aim=False).samples) == 3


def test_what_ships_is_half_as_large_and_gives_the_same_masks(
    facesets: list[Faceset], tmp_path: Path
) -> None:
    trained(tmp_path / "masks", labels_of(facesets, tmp_path), 2)
    found = checkpoint.load(tmp_path / "masks", ["weights"])
    ship(found.path, tmp_path / "shipped")
    # Again, over what is there.
    ship(found.path, tmp_path / "shipped")
    image = np.random.default_rng(0).random((64, 64, 3), np.float32)
    full, half = (load_segmenter(tmp_path / name, CPU, torch.float32) for name in ("masks", "shipped"))
    mask = full([image])[0]
    assert mask.shape == (64, 64) and mask.dtype == np.float32 and 0 <= mask.min() <= mask.max() <= 1
    np.testing.assert_allclose(half([image])[0], mask, atol=0.02)
    assert full([]) == [] and len(full([image, image])) == 2
    assert full.face_type is FaceType.WHOLE and full.input_px == 64
    assert full.identity != half.identity
    # A new model may start from it.
    run = open_run(tmp_path / "tuned", {}, 0, str(tmp_path / "shipped"))
    assert run.iteration == 0 and run.rate < 1e-3 and run.spec.base_dims == 2
    with pytest.raises(UserError, match="--input-px 64"):
        open_run(tmp_path / "other", {"input_px": 128}, 0, str(tmp_path / "shipped"))


def test_a_mask_model_is_not_taken_for_the_only_model_of_faces(tmp_path: Path) -> None:
    for name in ("masks", "swap"):
        (tmp_path / "model" / name).mkdir(parents=True)
    (tmp_path / "model" / "masks" / MASK_SETTINGS).write_text("{}")
    assert Workspace(tmp_path).model(None).name == "swap"
    assert Workspace(tmp_path).model("masks").name == "masks"


def test_other_models_and_missing_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no mask model"):
        load_segmenter(tmp_path / "absent", CPU, torch.float32)
    checkpoint.save(tmp_path / "swap", {"weights": {"w": torch.zeros(1)}}, {"iteration": 1, "spec": {}})
    with pytest.raises(UserError, match="no mask model"):
        load_segmenter(tmp_path / "swap", CPU, torch.float32)


def test_the_stage_trains_continues_and_refuses(facesets: list[Faceset], tmp_path: Path, run_stage) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    words = ["--workspace", tmp_path / "w", "--src", tmp_path / "src", "--dst", tmp_path / "dst"]
    words += ["--base", "scratch", "--input-px", 64, "--batch-size", 2, "--device", "cpu"]
    done = run_stage("mask_train", *words, "--iterations", 1, check=True)
    assert "12 faces with polygons" in done.stdout and "mask_apply" in done.stdout
    done = run_stage("mask_train", *words, "--iterations", 2, check=True)
    assert "continuing masks at iteration 1" in done.stdout
    assert "already at iteration 2" in run_stage("mask_train", *words, "--iterations", 2, check=True).stdout
    done = run_stage("mask_train", *words, "--iterations", 3, "--encoder", "resnet18")
    assert done.returncode == 2 and "--encoder timm-regnety_002" in done.stderr
    done = run_stage("mask_train", *words, "--src", tmp_path / "nowhere")
    assert done.returncode == 2 and "Traceback" not in done.stderr
