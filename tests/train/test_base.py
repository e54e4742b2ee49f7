"""A base keeps what another model can start from, in half the space."""

from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.io import checkpoint
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.build import build
from faceswap.train.base import WEIGHTS, adopt, export_base

SPEC = ModelSpec(Arch.parse("DF-UD"), 64, 32, 16, 16, 16)


def trained(folder: Path, spec: ModelSpec) -> dict[str, torch.Tensor]:
    weights = build(spec, seed=5).state_dict()
    state = {
        "iteration": 7,
        "samples": 28,
        "seed": 5,
        "spec": spec.to_json(),
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


def test_a_liae_base_keeps_every_tensor(tmp_path: Path) -> None:
    spec = ModelSpec(Arch.parse("LIAE-UD"), 64, 32, 16, 16, 16)
    weights = trained(tmp_path / "run", spec)
    export_base(tmp_path / "run", tmp_path / "base")
    assert set(checkpoint.read(tmp_path / "base", [WEIGHTS]).tensors[WEIGHTS]) == set(weights)


def test_an_existing_folder_is_never_replaced(tmp_path: Path) -> None:
    trained(tmp_path / "run", SPEC)
    (tmp_path / "base").mkdir()
    with pytest.raises(UserError, match="already exists"):
        export_base(tmp_path / "run", tmp_path / "base")
    assert not list((tmp_path / "base").iterdir())
