"""The mask stages as a user types them, with a real, if untrained, network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, rewrite_meta
from faceswap.faceset.stored_masks import STORED_PX
from faceswap.io.documents import read_json
from faceswap.io.images import read_mask
from faceswap.types import Side
from tests.conftest import MakeFaces, RunStage
from tests.toy_masks import save_network


@pytest.fixture
def workspace(tmp_path: Path, make_faces: MakeFaces) -> Path:
    """Six faces of each side, the first of dst with a drawn mask, and a mask model `mine`."""
    place = tmp_path / "w"
    for side in Side:
        make_faces(place / f"data_{side}" / "aligned", 6, side)
    face = Faceset.open(place / "data_dst" / "aligned").faces[0]
    triangle = np.array([(10, 10), (80, 10), (40, 80)], np.float32)
    rewrite_meta(face.path, replace(face.meta, polygons=polygons_to_json([Polygon("include", triangle)])))
    save_network(place / "model" / "mine")
    return place


def test_masks_are_made_smoothed_kept_and_told(workspace: Path, run_stage: RunStage) -> None:
    arguments = ("mask_apply", "--workspace", workspace, "--model", "mine", "--device", "cpu", "--smooth")
    first = run_stage(*arguments, check=True)
    assert "src: 6 masks made" in first.stdout and "masks: 6 stored" in first.stdout
    assert "masks: 1 drawn, 5 stored" in first.stdout and "masks flicker by" in first.stdout
    report = read_json(workspace / "data_dst" / "aligned" / "masks" / "apply.json")
    assert report["flicker"]["pairs"] == 5 and report["model"].startswith("mine-")
    masks = sorted((workspace / "data_src" / "aligned" / "masks").glob("*.png"))
    assert len(masks) == 6 and read_mask(masks[0]).shape == (STORED_PX, STORED_PX)
    before = [path.read_bytes() for path in masks]
    again = run_stage(*arguments[:-1], check=True)
    assert "src: 0 masks made, 6 were there" in again.stdout and "masks flicker by" in again.stdout
    assert [path.read_bytes() for path in masks] == before
    back = run_stage(*arguments[:-1], "--no-smooth", "--side", "src", check=True)
    assert "src: 6 masks are as the model gave them again" in back.stdout and "dst" not in back.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "other"), "no model 'other'"),
        (("--side", "left"), "--side"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    workspace: Path, run_stage: RunStage, arguments: tuple[str, str], said: str
) -> None:
    done = run_stage("mask_apply", "--workspace", workspace, *arguments)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_a_workspace_without_faces_is_a_sentence(tmp_path: Path, run_stage: RunStage) -> None:
    (tmp_path / "nothing").mkdir()
    for stage in ("mask_apply", "mask_remove", "mask_fetch", "mask_export"):
        done = run_stage(stage, "--workspace", tmp_path / "nothing")
        assert done.returncode == 2 and "stages.align_src" in done.stderr


def test_one_aligned_side_is_enough(workspace: Path, run_stage: RunStage) -> None:
    for path in (workspace / "data_src/aligned").iterdir():
        path.unlink()
    made = run_stage("mask_apply", "--workspace", workspace, "--model", "mine", "--device", "cpu", check=True)
    assert "src: no faces yet, left out" in made.stdout and "dst: 6 masks made" in made.stdout


def test_masks_are_removed_put_back_exported_and_fetched(workspace: Path, run_stage: RunStage) -> None:
    run_stage("mask_apply", "--workspace", workspace, "--model", "mine", "--device", "cpu", check=True)
    dst = ("--workspace", workspace, "--side", "dst")
    removed = run_stage("mask_remove", *dst, check=True)
    assert "6 stored masks are in" in removed.stdout and "--restore" in removed.stdout
    assert "no face has a stored mask" in run_stage("mask_remove", *dst, check=True).stdout
    assert "6 stored and 0 drawn" in run_stage("mask_remove", *dst, "--restore", check=True).stdout
    exported = run_stage("mask_export", *dst, check=True)
    assert "6 masks in" in exported.stdout and "1 drawn, 5 stored" in exported.stdout
    assert len(list((workspace / "data_dst" / "aligned_masks_png").glob("*.png"))) == 6
    no_frames = run_stage("mask_export", *dst, "--space", "frame")
    assert no_frames.returncode == 2 and "no frames in" in no_frames.stderr
    assert "1 faces copied" in run_stage("mask_fetch", *dst, check=True).stdout
    assert len(Faceset.open(workspace / "data_dst" / "aligned_masks").faces) == 1
