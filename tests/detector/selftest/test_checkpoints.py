"""The same few frames with every checkpoint of a model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.detector.data.gather import cut
from faceswap.detector.data.pairs import untouched
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import build as build_detector
from faceswap.detector.selftest.checkpoints import judge_checkpoints, load_checkpoint, merged_look, take_shots
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.io.images import read_image
from faceswap.learn import checkpoint
from faceswap.merge.predict import load_predictor
from faceswap.merge.settings import MergeSettings
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.types import Side
from faceswap.workspace import Workspace
from tests.detector.toy_set import SPEC
from tests.detector.toy_workspace import toy_workspace

MODEL = ModelSpec(Arch.parse("LIAE"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
CPU, F32 = torch.device("cpu"), torch.float32
LOOK = MergeSettings(mask_mode="dst")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = toy_workspace(tmp_path_factory.mktemp("job") / "work", 6, side_px=128)
    for iteration in (30, 20):
        save(made.models / "new", iteration)
    return made


def save(run: Path, iteration: int) -> None:
    state = {"iteration": iteration, "spec": MODEL.to_json(), "face_type": "whole"}
    checkpoint.save(run, {"weights": build(MODEL, iteration).state_dict()}, state)


def judge() -> Judge:
    return Judge(build_detector(SPEC, 1))


def test_every_checkpoint_is_judged_by_iteration_on_the_same_frames(place: Workspace) -> None:
    shots = take_shots(*untouched(place), 3)
    found = list(judge_checkpoints(place.models / "new", shots, LOOK, judge(), F32))
    assert [one.iteration for one in found] == [20, 30]
    for one in found:
        # The middles of three equal stretches of six frames.
        assert one.places.tolist() == [1, 3, 5]
        assert one.real.tolist() == found[0].real.tolist()
        assert len(one.fake) == 3
    assert not np.allclose(found[0].fake, found[1].fake)


def test_a_merge_that_lays_nothing_over_the_frames_scores_as_they_do(place: Workspace) -> None:
    shots = take_shots(*untouched(place), 2)
    original = MergeSettings(mode="original")
    (first, _) = judge_checkpoints(place.models / "new", shots, original, judge(), F32)
    np.testing.assert_allclose(first.fake, first.real)


def test_the_newest_checkpoint_swaps_as_the_merge_does(place: Workspace) -> None:
    run = place.models / "new"
    crops = list(np.random.default_rng(0).random((2, 64, 64, 3), np.float32))
    ours = load_checkpoint(run / "checkpoints" / "00000030", CPU, F32)(crops)
    theirs = load_predictor(run, CPU, F32)(crops)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.face, other.face)


def test_shots_are_frames_with_a_face_spread_evenly(place: Workspace) -> None:
    frames, faces = untouched(place)
    some = {stem: found for stem, found in faces.items() if stem != "00001"}
    shots = take_shots(frames, some, 5)
    assert [shot.place for shot in shots] == [1, 2, 3, 4, 5]
    stem = shots[0].file.stem
    np.testing.assert_array_equal(shots[0].crops[0], cut(read_image(frames[stem]), faces[stem][0]))


def test_damaged_frames_and_checkpoints_are_passed_over_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = toy_workspace(tmp_path / "work", 3, side_px=128)
    for iteration in (20, 30):
        save(place.models / "new", iteration)
    (place.models / "new" / "checkpoints" / "00000020" / "weights.safetensors").write_bytes(b"cut")
    (place.frames(Side.DST) / "00002.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shots = take_shots(*untouched(place), 3)
    assert [shot.place for shot in shots] == [0, 2]
    found = list(judge_checkpoints(place.models / "new", shots, LOOK, judge(), F32))
    assert [one.iteration for one in found] == [30]
    warnings = capsys.readouterr().err
    assert "00000020 is damaged" in warnings and "00002.png is damaged" in warnings


def test_the_look_is_the_one_that_was_merged_with(tmp_path: Path) -> None:
    path = tmp_path / "merge.json"
    assert merged_look(path) == MergeSettings()
    chosen = MergeSettings(mask_mode="full", erode=7)
    write_json(path, {"stage": "stages.merge", "settings": chosen.model_dump() | {"batch_size": 8}})
    assert merged_look(path) == chosen
    # A merge by an earlier version knew fewer settings.
    write_json(path, {"settings": {"erode": 7}})
    assert merged_look(path) == MergeSettings(erode=7)
    for nonsense in ([], {"settings": chosen.model_dump() | {"erode": 10**6}}):
        write_json(path, nonsense)
        with pytest.raises(UserError, match="no settings"):
            merged_look(path)
