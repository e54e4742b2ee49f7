"""AMP, Quick96 and the letter C train, continue, start from one another and merge like DF and LIAE."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faceswap.errors import UserError
from faceswap.io.images import read_image
from faceswap.learn import checkpoint
from faceswap.merge.predict import load_predictor
from faceswap.types import Side
from stages.train import Settings
from tests.stages.training import SIZES, train

REPOSITORY = Path(__file__).parents[2]
AMP = ["--arch", "AMP", *SIZES.split(), "--inter-dims", "128", "--morph-factor", "0.3"]
SOON = ["--batch-size", "2", "--device", "cpu"]


def state(workspace: Path, model: str = "new") -> dict[str, Any]:
    return checkpoint.load(workspace / "model" / model, ["weights"]).state


def iterations(workspace: Path) -> list[int]:
    lines = (workspace / "model" / "new" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["iteration"] for line in lines]


def test_amp_trains_continues_shows_its_morphs_and_merges(workspace: Path) -> None:
    train(workspace, *AMP, *SOON, "--iterations", "1")
    train(workspace, *SOON, "--iterations", "2")
    spec = state(workspace)["spec"]
    assert (spec["arch"], spec["inter_dims"], spec["morph_factor"]) == ("AMP", 128, 0.3)
    assert iterations(workspace) == [1, 2]
    # src, src > src, dst, dst > dst, four morphs, swap, swap in place: 64 px shown at 192, 4 px between.
    assert read_image(workspace / "model" / "new" / "preview.png").shape[1] == 10 * 196 - 4
    predictor = load_predictor(workspace / "model" / "new", torch.device("cpu"), torch.float32)
    crop = np.random.default_rng(0).random((64, 64, 3), np.float32)
    dst, src = predictor([crop, crop], [0.0, 1.0])
    assert predictor.morphs and not np.allclose(dst.face, src.face)


def test_amp_s_settings_cannot_change_any_more(workspace: Path) -> None:
    train(workspace, *AMP, *SOON, "--iterations", "1")
    with pytest.raises(UserError, match=r"was made with --morph-factor 0\.3"):
        train(workspace, *SOON, "--morph-factor", "0.5", "--iterations", "2")


@pytest.mark.parametrize("flag", ["--morph-factor 0.3", "--inter-dims 64"])
def test_amp_s_flags_are_refused_for_new_and_for_continued_df_and_liae_models(
    workspace: Path, flag: str
) -> None:
    with pytest.raises(UserError, match=f"{flag.split()[0]} is for AMP models"):
        train(workspace, "--arch", "DF-UD", *SIZES.split(), *SOON, *flag.split())
    assert not (workspace / "model").exists()
    train(workspace, "--arch", "LIAE-UD", *SIZES.split(), *SOON, "--iterations", "1")
    with pytest.raises(UserError, match="is for AMP models"):
        train(workspace, *SOON, *flag.split(), "--iterations", "2")


def test_a_morph_factor_out_of_range_is_refused(workspace: Path) -> None:
    with pytest.raises(UserError, match="--morph-factor"):
        train(workspace, *AMP[:-1], "0.6")


def test_quick96_is_its_preset_without_being_asked(tmp_path: Path, make_faces: Callable[..., None]) -> None:
    make_faces(tmp_path / "data_src" / "aligned", 4, Side.SRC)
    make_faces(tmp_path / "data_dst" / "aligned", 3, Side.DST)
    dims = ["--encoder-dims", "16", "--decoder-dims", "16"]
    train(tmp_path, "--arch", "quick96", *dims, "--iterations", "2", "--device", "cpu")
    made = json.loads((tmp_path / "model" / "new" / "train.json").read_text(encoding="utf-8"))["settings"]
    # deepfacelab.md §10.4.
    wanted = {
        "arch": "QUICK96", "face_type": "full", "resolution": 96, "ae_dims": 128, "mask_dims": 16,
        "batch_size": 4, "optimizer": "rmsprop", "learning_rate": 2e-4, "lr_dropout": True,
        "lr_cosine": False, "random_src_flip": False, "random_dst_flip": False, "random_warp": True,
    }  # fmt: skip
    assert {name: made[name] for name in wanted} == wanted
    preset = json.loads((REPOSITORY / "assets" / "presets" / "quick96.json").read_text(encoding="utf-8"))
    Settings.of(preset["settings"])
    train(tmp_path, "--iterations", "3", "--device", "cpu")
    assert iterations(tmp_path) == [1, 2, 3]


def test_the_letter_c_is_a_family_like_the_others(workspace: Path) -> None:
    train(workspace, "--arch", "LIAE-CDU", *SIZES.split(), *SOON, "--iterations", "2")
    assert state(workspace)["spec"]["arch"] == "LIAE-UDC"
    load_predictor(workspace / "model" / "new", torch.device("cpu"), torch.float32)


def test_amp_starts_from_what_fits_of_another_family(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A code of LIAE has 4 · ae channels, as many as AMP's where inter_dims is that.
    train(workspace, "--arch", "LIAE-UDT", *SIZES.split(), *SOON, "--model", "old", "--iterations", "1")
    base = str(workspace / "model" / "old")
    amp = ["--arch", "AMP", "--model", "new", "--inter-dims", "128"]
    train(workspace, *amp, "--base", base, *SOON, "--iterations", "1")
    said = capsys.readouterr().out
    assert "starting from the base" in said and "from random weights: encoder.dense1, inter_dst" in said
    spec = state(workspace)["spec"]
    assert (spec["resolution"], spec["ae_dims"], spec["morph_factor"]) == (64, 32, 0.5)


@pytest.mark.slow
def test_under_torchrun_one_process_writes_and_speaks(workspace: Path) -> None:
    words = ["--workspace", workspace, *AMP, *SOON, "--iterations", "3", "--precision", "float32"]
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            "-m", "stages.train", *map(str, words),
        ],
        cwd=REPOSITORY, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, encoding="utf-8",
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("new model new") == done.stdout.count("trained to iteration 3") == 1
    together = (workspace / "model" / "new" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    train(workspace, *AMP, *SOON, "--model", "alone", "--iterations", "3", "--precision", "float32")
    alone = (workspace / "model" / "alone" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    for a, b in zip(map(json.loads, together), map(json.loads, alone), strict=True):
        assert (a["src"], a["dst"]) == pytest.approx((b["src"], b["dst"]), abs=1e-4)
