"""A model is new, from a base, or continued, and what was typed never silently contradicts it."""

from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.run import open_run
from faceswap.types import FaceType

TINY = {
    "arch": "df-du",
    "resolution": 64,
    "ae_dims": 32,
    "encoder_dims": 16,
    "decoder_dims": 16,
    "mask_dims": 16,
}


def saved(folder: Path, **changes: object) -> torch.Tensor:
    """Save a tiny model at iteration 12; returns one of its weights."""
    run = open_run(folder, TINY | changes, seed=5, base=None)
    run.iteration, run.samples = 12, 48
    run.save({"optimizer": {"mean/x": torch.ones(3)}})
    return weight(run.model)


def weight(model: torch.nn.Module) -> torch.Tensor:
    return model.get_parameter("decoder_src.face.0.conv1.weight").detach().clone()


def test_defaults_are_the_documented_ones_and_mask_dims_follow_the_decoder(tmp_path: Path) -> None:
    run = open_run(tmp_path / "new", {"ae_dims": 32, "encoder_dims": 16, "decoder_dims": 48}, 0, None)
    assert run.model.spec == ModelSpec(Arch.parse("LIAE-UD"), 128, 32, 16, 48, 16)
    assert run.face_type is FaceType.WHOLE and run.iteration == 0
    assert not (tmp_path / "new").exists(), "nothing is written before training starts"


def test_a_continued_model_needs_nothing_typed(tmp_path: Path) -> None:
    before = saved(tmp_path / "new", face_type=FaceType.FULL)
    run = open_run(tmp_path / "new", {}, seed=99, base=None)
    assert torch.equal(weight(run.model), before)
    assert (run.iteration, run.samples, run.seed, run.face_type) == (12, 48, 5, FaceType.FULL)
    assert run.tensors["optimizer"].keys() == {"mean/x"}


def test_typing_what_the_model_has_is_fine_in_any_spelling(tmp_path: Path) -> None:
    saved(tmp_path / "new")
    assert open_run(tmp_path / "new", TINY | {"arch": "DF-UD", "face_type": "whole"}, 0, None).iteration == 12


@pytest.mark.parametrize(
    ("name", "value"), [("arch", "LIAE-UD"), ("resolution", 96), ("face_type", FaceType.HEAD)]
)
def test_contradicting_the_model_names_both_values_and_the_way_out(
    tmp_path: Path, name: str, value: object
) -> None:
    saved(tmp_path / "new")
    with pytest.raises(UserError, match="--model NAME") as caught:
        open_run(tmp_path / "new", {name: value}, 0, None)
    assert f"--{name.replace('_', '-')} {value}" in str(caught.value)


def test_the_previous_checkpoint_is_used_when_the_newest_is_damaged_and_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    saved(folder)
    run = open_run(folder, {}, 0, None)
    run.iteration = 20
    path = run.save({}) / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    again = open_run(folder, {}, 0, None)
    assert again.iteration == 12 and "00000020 is damaged" in again.notes[0]
    assert open_run(folder, {}, 0, None).notes[0].startswith("continuing"), "said once"


def test_a_base_gives_its_weights_and_its_sizes(tmp_path: Path) -> None:
    before = saved(tmp_path / "base", face_type=FaceType.FULL)
    run = open_run(tmp_path / "new", {}, seed=1, base=str(tmp_path / "base"))
    assert torch.equal(weight(run.model), before)
    assert (run.iteration, run.samples, run.face_type, run.tensors) == (0, 0, FaceType.FULL, {})


def test_a_base_of_other_sizes_gives_what_fits_and_names_the_rest(tmp_path: Path) -> None:
    saved(tmp_path / "base")
    run = open_run(tmp_path / "new", {"decoder_dims": 32}, seed=1, base=str(tmp_path / "base"))
    base = checkpoint.load(tmp_path / "base", ["weights"]).tensors["weights"]
    fresh = build(run.model.spec, seed=1).state_dict()
    for name, tensor in run.model.state_dict().items():
        taken = name in base and base[name].shape == tensor.shape
        assert torch.equal(tensor, base[name] if taken else fresh[name])
    assert "decoder_src.face" in run.notes[-1] and "encoder" not in run.notes[-1]


def test_a_base_that_fits_nowhere_and_one_that_is_missing_are_sentences(tmp_path: Path) -> None:
    saved(tmp_path / "base")
    wide = {"arch": "LIAE-T", "encoder_dims": 48, "decoder_dims": 32, "ae_dims": 64, "mask_dims": 32}
    with pytest.raises(UserError, match=r"no base model 'nobody'.*\n.*bundled"):
        open_run(tmp_path / "new", {}, 0, base="nobody")
    with pytest.raises(UserError, match="fits this model"):
        open_run(tmp_path / "new", wide, 0, base=str(tmp_path / "base"))


def test_what_cannot_be_exact_under_other_conditions_is_said_once(tmp_path: Path) -> None:
    saved(tmp_path / "new")
    run = open_run(tmp_path / "new", {}, 0, None)
    first = {"batch_size": 4, "device": "cpu", "precision": "float32", "src_faces": 9, "dst_faces": 9}
    assert run.under(first) == (), "an older checkpoint does not know its conditions"
    run.iteration = 13
    run.save({})
    again = open_run(tmp_path / "new", {}, 0, None)
    notes = again.under(first | {"batch_size": 8, "device": "cuda"})
    assert [note.partition(":")[0] for note in notes] == [
        "batch size was 4 and is 8", "device was cpu and is cuda",
    ]  # fmt: skip
    assert again.under(again.conditions) == ()
