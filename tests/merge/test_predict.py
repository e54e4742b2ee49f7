"""Predictions are the model's own swap, in the arrays that compositing takes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.merge.predict import load_predictor
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.types import FaceType, Image

SPEC = ModelSpec(Arch.parse("LIAE"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
CPU = torch.device("cpu")


AMP = ModelSpec(Arch.parse("AMP"), 64, 32, 16, 16, 16, inter_dims=32, morph_factor=0.5)


def save_model(run: Path, seed: int = 0, iteration: int = 7, spec: ModelSpec = SPEC) -> None:
    state = {"iteration": iteration, "spec": spec.to_json(), "face_type": "whole"}
    checkpoint.save(run, {"weights": build(spec, seed).state_dict()}, state)


def crops(count: int) -> list[Image]:
    return list(np.random.default_rng(5).random((count, 64, 64, 3), np.float32))


def test_predictions_are_what_the_models_swap_gives(tmp_path: Path) -> None:
    save_model(tmp_path / "new")
    predictor = load_predictor(tmp_path / "new", CPU, torch.float32)
    assert (predictor.resolution, predictor.face_type) == (64, FaceType.WHOLE)
    got = predictor(crops(3))
    with torch.no_grad():
        swap = build(SPEC, 0).eval().swap(torch.from_numpy(np.stack(crops(3))).permute(0, 3, 1, 2))
    for index, prediction in enumerate(got):
        assert prediction.face.shape == (64, 64, 3) and prediction.face.dtype == np.float32
        np.testing.assert_allclose(prediction.face, swap.face[index].permute(1, 2, 0), atol=1e-5)
        np.testing.assert_allclose(prediction.mask_prd, swap.mask_prd[index, 0], atol=1e-5)
        np.testing.assert_allclose(prediction.mask_dst, swap.mask_dst[index, 0], atol=1e-5)


def test_a_face_is_swapped_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    save_model(tmp_path / "new")
    predictor = load_predictor(tmp_path / "new", CPU, torch.float32)
    together = predictor(crops(4))
    for crop, prediction in zip(crops(4), together, strict=True):
        np.testing.assert_allclose(predictor([crop])[0].face, prediction.face, atol=1e-5)


def test_an_amp_model_gives_each_crop_of_a_batch_its_own_morph(tmp_path: Path) -> None:
    save_model(tmp_path / "new", spec=AMP)
    predictor = load_predictor(tmp_path / "new", CPU, torch.float32)
    assert predictor.morphs
    morphs = [0.0, 0.29, 1.0]
    got = predictor(crops(3), morphs)
    faces = torch.from_numpy(np.stack(crops(3))).permute(0, 3, 1, 2)
    with torch.no_grad():
        for index, morph in enumerate(morphs):
            swap = build(AMP, 0).eval().swap(faces, morph)
            np.testing.assert_allclose(got[index].face, swap.face[index].permute(1, 2, 0), atol=1e-5)
    np.testing.assert_array_equal(predictor(crops(2))[0].face, predictor(crops(2), [1.0, 1.0])[0].face)
    assert not np.allclose(got[1].face, predictor([crops(3)[1]], [0.6])[0].face, atol=1e-4)


def test_other_models_do_not_morph(tmp_path: Path) -> None:
    save_model(tmp_path / "new")
    predictor = load_predictor(tmp_path / "new", CPU, torch.float32)
    assert not predictor.morphs
    np.testing.assert_array_equal(predictor(crops(1), [0.3])[0].face, predictor(crops(1))[0].face)


def test_the_identity_tells_models_and_iterations_apart(tmp_path: Path) -> None:
    for name, seed, iteration in (("a", 0, 7), ("b", 0, 8), ("c", 1, 7)):
        save_model(tmp_path / name / "new", seed, iteration)
    names = {load_predictor(tmp_path / name / "new", CPU, torch.float32).identity for name in "abc"}
    assert len(names) == 3


def test_a_damaged_newest_checkpoint_is_passed_over_aloud(tmp_path: Path, capsys) -> None:
    run = tmp_path / "new"
    save_model(run, iteration=7)
    save_model(run, iteration=8)
    weights = run / "checkpoints" / "00000008" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    assert "at 7" in load_predictor(run, CPU, torch.float32).identity
    assert "00000008 is damaged" in capsys.readouterr().err


def test_weights_that_do_not_fit_their_description_are_refused(tmp_path: Path) -> None:
    state = {"iteration": 1, "spec": SPEC.to_json(), "face_type": "whole"}
    checkpoint.save(tmp_path, {"weights": {"stray": torch.zeros(3)}}, state)
    with pytest.raises(UserError, match="do not fit its description"):
        load_predictor(tmp_path, CPU, torch.float32)
