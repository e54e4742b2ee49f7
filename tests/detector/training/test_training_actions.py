"""Fine-tuning as a sub-command."""

import json
from pathlib import Path

import pytest

from faceswap.errors import UserError
from stages.detector import training as training_actions
from stages.detector.training import FinetuneSettings


def stage(*words: object) -> None:
    training_actions.finetune(FinetuneSettings.parse([str(word) for word in words]))


def test_the_stage_tunes_and_a_second_run_only_judges(toys: Path, tiny: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "m"
    words = ("--data", toys, "--base", tiny, "--output", output, "--whole-image", "--device", "cpu")
    stage(*words, "--epochs", 1, "--no-balance")
    assert "finished; on 6 real and 4 fake test pictures" in capsys.readouterr().out
    saved = json.loads((output / "finetune.json").read_text())["settings"]
    assert (saved["epochs"], saved["balance"]) == (1, False)
    weights = (output / "model.safetensors").read_bytes()
    stage("--config", output / "finetune.json")
    assert "100 %" in capsys.readouterr().out
    assert (output / "model.safetensors").read_bytes() == weights


def test_what_the_tutorial_fixes_and_what_is_missing_is_said(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--test-size"):
        stage("--data", toys, "--output", tmp_path, "--recipe", "tutorial", "--test-size", 0.3)
    with pytest.raises(UserError, match="--data DIR"):
        stage("--output", tmp_path)
