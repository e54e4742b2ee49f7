"""`stages.model` as a user types it: nothing is lost without being asked for."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceswap.config import StageSettings
from faceswap.errors import UserError
from faceswap.io.lock import FolderLock
from faceswap.learn import checkpoint
from stages.model import ACTIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for iteration in (10, 20):
        save(tmp_path / "model" / "new", iteration)
    return tmp_path / "model" / "new"


def save(folder: Path, iteration: int) -> None:
    state = {
        "iteration": iteration, "elapsed_s": 5400.0, "spec": {"arch": "DF-UD", "resolution": 128},
    }  # fmt: skip
    checkpoint.save(folder, {"weights": {"w": torch.ones(4)}}, state)


def act(folder: Path, word: str, *words: str) -> None:
    settings, main = ACTIONS[word]
    assert issubclass(settings, StageSettings)
    main(settings.parse([*words, "--workspace", str(folder.parents[1])]))


def test_a_backup_is_made_listed_and_restored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    act(folder, "backup", "new")
    save(folder, 30)
    act(folder, "list")
    listed = capsys.readouterr().out
    assert "hand-00000020" in listed and "DF-UD 128" in listed and "1.5 h" in listed
    act(folder, "restore", "new")
    assert checkpoint.load(folder).iteration == 20
    act(folder, "restore", "new", "--iteration", "30")
    assert checkpoint.load(folder).iteration == 30, "what was newer is a backup"


def test_a_deleted_model_comes_back(folder: Path) -> None:
    act(folder, "delete", "new")
    assert not folder.exists()
    save(folder, 1)
    act(folder, "delete", "new")
    with pytest.raises(UserError, match="no model 'new'"):
        act(folder, "backup", "new")
    act(folder, "restore", "new")
    assert checkpoint.load(folder).iteration == 1, "the one deleted last"


def test_a_model_in_training_is_neither_deleted_nor_restored(folder: Path) -> None:
    act(folder, "backup", "new")
    save(folder, 30)
    with FolderLock(folder):
        for word in ("delete", "restore"):
            with pytest.raises(UserError, match="another process"):
                act(folder, word, "new")
        act(folder, "backup", "new")
    assert checkpoint.load(folder).iteration == 30


def test_a_damaged_checkpoint_is_listed_as_such(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "checkpoints" / "00000020" / "state.json").write_text("{")
    act(folder, "list", "new")
    assert "00000020" in (out := capsys.readouterr().out) and "damaged" in out


def test_words_that_make_no_sense_end_with_2(
    folder: Path, run_stage: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    place = ("--workspace", folder.parents[1])
    for words in (("burn", "new"), ("restore", "nobody", *place), ("restore", "new", *place)):
        done = run_stage("model", *words)
        assert done.returncode == 2 and "Traceback" not in done.stderr, words
