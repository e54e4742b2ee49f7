"""The judge on the command line, and the line between making and judging."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from faceswap.detector.network.files import CARD
from stages import demo, encode, merge, train
from tests.detector.toy_set import gather_toys

RunStage = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_set_is_trained_on_examined_and_answers_as_json(
    run_stage: RunStage, demo_clips: Path, tmp_path: Path
) -> None:
    gather_toys(tmp_path / "set")
    small = ("--set", "set", "--exam-pairs", "10")
    quick = ("--iterations", "1", "--pairs", "2", "--input-px", "32")
    run_stage("detector", "train", *small, *quick, "--output", "run", check=True)
    done = run_stage("detector", "evaluate", *small, "--detector", "run/best", "--split", "val", check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "all",
        "sbi",
        "affine",
        "seamless",
        "part",
    ]
    assert json.loads((tmp_path / "run" / "best" / CARD).read_text())["figures"]["val"]["all"]["fakes"] == 40
    said = run_stage(
        "detector", "predict", demo_clips / "demo.png", "--detector", "run/best", "--json", check=True
    )
    verdict = json.loads(said.stdout.splitlines()[0])
    assert verdict["label"] in ("Real", "Fake")
    assert len(verdict["faces"]) > 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("detector", "jugde"), "no action 'jugde'"),
        (("detector", "train", "--set", "nowhere", "--output", "x", "--iterations", "1"), "no manifest.csv"),
        (("detector", "train", "--set", "nowhere"), "--output FOLDER is needed"),
        (("detector", "predict", "nowhere.png", "--detector", "x"), "no file nowhere.png"),
        (("selftest", "--detector", "nowhere"), "no such folder"),
    ],
)
def test_a_mistake_ends_with_2_and_a_sentence(run_stage: RunStage, words: tuple[str, ...], told: str) -> None:
    done = run_stage(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stage", [train, merge, encode, demo])
def test_nothing_that_makes_swaps_has_a_setting_about_detection(stage: object) -> None:
    fields = stage.Settings.model_fields  # type: ignore[attr-defined]
    assert not [name for name in fields if "detect" in name or "evade" in name or "adv" in name]
