"""Switching pretraining off starts the identities anew, whenever the process is killed."""

import shutil
from pathlib import Path

import pytest
import torch

from faceswap.learn import checkpoint
from faceswap.train import reset as pretraining
from faceswap.train.run import Run, open_run

TINY = {"resolution": 64, "ae_dims": 32, "encoder_dims": 16, "decoder_dims": 16, "mask_dims": 16}


def pretrained(folder: Path, arch: str = "LIAE-UD") -> Run:
    """Two checkpoints of a pretraining, the newer of iteration 40."""
    run = open_run(folder, TINY | {"arch": arch}, seed=5, base=None)
    run.pretraining = True
    for run.iteration in (20, 40):
        run.samples = 2 * run.iteration
        run.save({"optimizer": {"mean/x": torch.ones(3)}})
    return open_run(folder, {}, 0, None)


@pytest.mark.parametrize(
    ("arch", "inters"),
    [("DF", ["inter"]), ("LIAE-UD", ["inter_AB", "inter_B"]), ("AMP", ["inter_src", "inter_dst"])],
)
def test_the_inters_are_drawn_anew_and_all_else_stays(tmp_path: Path, arch: str, inters: list[str]) -> None:
    run = pretrained(tmp_path / "new", arch)
    assert run.pretraining and run.iteration == 40
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    text = pretraining.leave(run)
    after = open_run(tmp_path / "new", {}, 0, None)
    assert (after.iteration, after.samples, after.pretraining) == (0, 0, False)
    assert after.tensors["optimizer"].keys() == {"mean/x"}, "the optimiser's memory stays"
    changed = {
        name for name, value in after.model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert {name.partition(".")[0] for name in changed} == set(inters)
    assert all(name in text for name in inters)
    again = open_run(
        tmp_path / "other", {"arch": arch} | TINY, 1, str(tmp_path / "new/checkpoints/00000040.pretrained")
    )
    assert all(
        torch.equal(value, before[name])
        for name, value in again.model.state_dict().items()
        if not name.startswith("inter_AB.")
    )


def test_killed_between_saving_and_setting_aside_it_leaves_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pretrained(tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pretraining.leave(run)
    again = open_run(tmp_path / "new", {}, 0, None)
    assert again.pretraining and again.iteration == 40, "the pretrained one is still what is continued"
    pretraining.leave(again)
    assert not open_run(tmp_path / "new", {}, 0, None).pretraining
    assert [path.name for path in checkpoint.saved(tmp_path / "new")] == ["00000000"]


def test_another_process_changes_its_model_alike_and_no_file(tmp_path: Path) -> None:
    run = pretrained(tmp_path / "new")
    shutil.copytree(tmp_path / "new", tmp_path / "copy")
    other = open_run(tmp_path / "copy", {}, 0, None)
    pretraining.leave(run)
    pretraining.leave(other, write=False)
    assert [path.name for path in checkpoint.saved(tmp_path / "copy")] == ["00000040", "00000020"]
    states = run.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
