"""A base keeps what another model can start from, in half the space."""

from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.base import WEIGHTS, adopt, export_base, find_base
from faceswap.workspace import assets

SPEC = ModelSpec(Arch.parse("DF-UD"), 64, 32, 16, 16, 16)
LIAE = ModelSpec(Arch.parse("LIAE-UD"), 64, 32, 16, 16, 16)


def trained(folder: Path, spec: ModelSpec, pretraining: bool = False) -> dict[str, torch.Tensor]:
    weights = build(spec, seed=5).state_dict()
    state = {
        "iteration": 7,
        "samples": 28,
        "seed": 5,
        "spec": spec.to_json(),
        "pretraining": pretraining,
        "face_type": "full",
        "version": "0",
    }
    checkpoint.save(folder, {WEIGHTS: weights}, state)
    return weights


def test_a_df_base_starts_both_decoders_from_src_s_within_half_precision(tmp_path: Path) -> None:
    weights = trained(tmp_path / "run", SPEC)
    export_base(tmp_path / "run", tmp_path / "base")
    model = build(SPEC, seed=9)
    adopt(model, checkpoint.read(tmp_path / "base", [WEIGHTS]))
    started = model.state_dict()
    for name, value in started.items():
        wanted = weights[name.replace("decoder_dst.", "decoder_src.")]
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, wanted, rtol=2**-11, atol=1e-7)


def test_a_liae_base_keeps_all_but_what_has_merged_its_people(tmp_path: Path) -> None:
    weights = trained(tmp_path / "run", LIAE)
    export_base(tmp_path / "run", tmp_path / "base")
    kept = set(checkpoint.read(tmp_path / "base", [WEIGHTS]).tensors[WEIGHTS])
    assert kept == {name for name in weights if not name.startswith("inter_AB.")}


@pytest.mark.parametrize("pretraining", [False, True])
def test_of_a_pretrained_liae_model_inter_ab_is_not_taken_over(tmp_path: Path, pretraining: bool) -> None:
    """A model that has swapped, on the other hand, has learned its src there."""
    weights = trained(tmp_path / "run", LIAE, pretraining)
    model = build(LIAE, seed=9)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    notes = adopt(model, checkpoint.load(tmp_path / "run", [WEIGHTS]))
    for name, value in model.state_dict().items():
        anew = pretraining and name.startswith("inter_AB.")
        assert torch.equal(value, (fresh if anew else weights)[name]), name
    assert any("inter_AB" in note for note in notes) == pretraining


def test_an_existing_folder_is_never_replaced(tmp_path: Path) -> None:
    trained(tmp_path / "run", SPEC)
    (tmp_path / "base").mkdir()
    with pytest.raises(UserError, match="already exists"):
        export_base(tmp_path / "run", tmp_path / "base")
    assert not list((tmp_path / "base").iterdir())


@pytest.mark.parametrize("name", ["demo", "liae-ud", "df-ud"])
def test_a_bundled_base_is_small_and_gives_all_that_is_not_of_its_people(name: str) -> None:
    base = find_base(name)
    model = build(ModelSpec.from_json(base.state["spec"]), seed=9)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    adopt(model, base)
    for part, value in model.state_dict().items():
        assert value.isfinite().all()
        assert torch.equal(value, fresh[part]) == part.startswith("inter_AB."), part
    assert sum(path.stat().st_size for path in (assets() / "base" / name).iterdir()) <= 40e6
