"""The options of training as a user types them: remembered, refused with a sentence, pretraining left."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.types import Side
from tests.stages.training import SIZES, train

TINY = ["--arch", "DF-UD", *SIZES.split(), "--batch-size", "2", "--device", "cpu"]
POWERS = "--true-face-power 0.01 --face-style-power 1 --bg-style-power 2 --gan-power 0.1 --gan-dims 8"
OTHERS = "--eyes-mouth-priority --uniform-yaw --blur-out-mask --lr-dropout --clip-gradients"
EVERYTHING = f"{POWERS} {OTHERS} --random-hsv-power 0.1 --color-transfer rct".split(" ")


def history(workspace: Path) -> list[dict[str, float]]:
    lines = (workspace / "model" / "new" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_everything_at_once_trains_is_reported_and_is_remembered(workspace: Path) -> None:
    train(workspace, *TINY, *EVERYTHING, "--iterations", "2")
    train(workspace, "--iterations", "3", "--device", "cpu")
    terms = {
        "eyes_mouth_src",
        "face_style",
        "bg_style",
        "true_face",
        "gan",
        "gan_critic",
        "smooth_background",
    }
    assert [entry["iteration"] for entry in history(workspace)] == [1, 2, 3]
    assert all(terms <= entry.keys() for entry in history(workspace))
    parts = checkpoint.load(workspace / "model" / "new").tensors
    assert int(parts["critics"]["gan/updates"]) == 3 and "true_face/updates" in parts["critics"]


def test_how_a_batch_is_computed_is_remembered_and_parts_make_it_larger(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(workspace, *TINY, "--accumulate", "2", "--checkpointing", "--iterations", "1")
    train(workspace, "--iterations", "2", "--device", "cpu")
    assert capsys.readouterr().out.count("batch size 4") == 2
    assert checkpoint.load(workspace / "model" / "new").state["samples"] == 8
    train(workspace, "--accumulate", "1", "--batch-size", "4", "--iterations", "3", "--device", "cpu")
    assert "not exactly" not in capsys.readouterr().out, "the same batch in another way"
    assert all(entry["wait_ms"] >= 0 for entry in history(workspace))


def test_another_patch_size_on_a_continued_model_says_that_the_critic_is_new(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(workspace, *TINY, "--gan-power", "0.1", "--gan-dims", "8", "--iterations", "1")
    train(workspace, "--gan-patch-size", "16", "--iterations", "2", "--device", "cpu")
    assert "patch size or dims now and starts anew" in capsys.readouterr().out
    parts = checkpoint.load(workspace / "model" / "new").tensors
    assert int(parts["critics"]["gan/updates"]) == 1


def test_pretraining_then_training(
    workspace: Path, tmp_path: Path, make_faces: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    make_faces(tmp_path / "people", 5, Side.SRC)
    with pytest.raises(UserError, match="--pretrain-faces"):
        train(workspace, *TINY, "--pretrain")
    train(workspace, *TINY, "--pretrain", "--pretrain-faces", str(tmp_path / "people"), "--iterations", "3")
    assert checkpoint.load(workspace / "model" / "new").state["pretraining"] is True
    train(workspace, "--iterations", "4", "--device", "cpu")
    assert checkpoint.load(workspace / "model" / "new").iteration == 4
    train(workspace, "--no-pretrain", "--iterations", "2", "--device", "cpu")
    assert "pretraining ends after 4 iterations: inter drawn anew" in capsys.readouterr().out
    loaded = checkpoint.load(workspace / "model" / "new")
    assert (loaded.iteration, loaded.state["pretraining"]) == (2, False)
    assert [entry["iteration"] for entry in history(workspace)] == [1, 2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--gan-power", "6"], "less than or equal to 5"),
        (["--random-hsv-power", "0.5"], "less than or equal to 0.3"),
        (["--color-transfer", "mix"], "'none', 'rct', 'lct', 'mkl', 'idt' or 'sot'"),
        (["--gan-power", "0.1", "--gan-patch-size", "512"], "nearest that work: --gan-patch-size"),
        (["--arch", "LIAE", "--true-face-power", "0.1"], "for DF models"),
    ],
)
def test_what_cannot_be_is_a_sentence(workspace: Path, words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        train(workspace, *TINY, *words)
    assert not (workspace / "model").exists()
