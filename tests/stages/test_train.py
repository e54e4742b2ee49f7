"""`stages.train` as a user types it: what goes wrong is a sentence, what continues is remembered."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.io.lock import FolderLock
from faceswap.types import FaceType, Side
from tests.stages.training import SIZES, train

REPOSITORY = Path(__file__).parents[2]
TINY = ["--arch", "DF-UD", *SIZES.split(), "--batch-size", "2", "--device", "cpu"]


def settings(workspace: Path, model: str = "new") -> dict[str, object]:
    return json.loads((workspace / "model" / model / "train.json").read_text(encoding="utf-8"))["settings"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--arch", "LIAE-XQ"], "no letter"),
        (["--arch", "DF-UD", "--resolution", "80"], "--resolution 64 or --resolution 96"),
        (["--base", "nobody"], "no base model"),
        (["--learning-rate", "5"], "less than or equal"),
        (["--src", "nowhere"], "no folder"),
        (["--model", "a/b"], "cannot be a model name"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    workspace: Path, words: list[str], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        train(workspace, *words)
    assert not (workspace / "model").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
def test_cuda_asked_for_and_absent(workspace: Path) -> None:
    with pytest.raises(UserError, match="--device cpu"):
        train(workspace, "--device", "cuda")


def test_an_empty_faceset_names_the_command_that_fills_it(workspace: Path) -> None:
    for path in (workspace / "data_dst" / "aligned").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"stages\.align_dst"):
        train(workspace, *TINY)


def test_a_faceset_of_a_smaller_face_type(tmp_path: Path, make_faces: Callable[..., None]) -> None:
    make_faces(tmp_path / "data_src" / "aligned", 1, Side.SRC)
    make_faces(tmp_path / "data_dst" / "aligned", 1, Side.DST, FaceType.HALF)
    with pytest.raises(UserError, match="align_dst --face-type whole") as caught:
        train(tmp_path, *TINY)
    assert "--face-type half" in str(caught.value)
    assert not (tmp_path / "model" / "new" / "cache").exists()


def test_two_models_and_none_named(workspace: Path) -> None:
    for name in ("one", "two"):
        (workspace / "model" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="one, two"):
        train(workspace, *TINY)


def test_a_user_error_has_exit_code_2_and_no_traceback(
    workspace: Path, run_stage: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    done = run_stage("train", "--workspace", workspace, "--arch", "LIAE-XQ")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: unknown architecture 'LIAE-XQ'")


def test_a_trained_model_continues_with_what_was_typed_before(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(workspace, *TINY, "--iterations", "2", "--learning-rate", "1e-4", "--no-random-warp")
    first = settings(workspace)
    assert (first["arch"], first["face_type"], first["batch_size"]) == ("DF-UD", "whole", 2)
    train(workspace, "--iterations", "3", "--random-dst-flip", "--device", "cpu")
    again = settings(workspace)
    assert (again["learning_rate"], again["random_warp"], again["batch_size"]) == (1e-4, False, 2)
    assert (again["iterations"], again["resolution"]) == (3, 64)
    train(workspace, "--iterations", "3")
    assert "already at iteration 3" in capsys.readouterr().out
    with pytest.raises(UserError, match="--resolution 64"):
        train(workspace, "--resolution", "128")


def test_a_model_that_another_process_trains_keeps_its_settings_and_faces(workspace: Path) -> None:
    train(workspace, *TINY, "--iterations", "1")
    folder = workspace / "model" / "new"
    before = {path: path.read_bytes() for path in (folder / "train.json", *(folder / "cache").iterdir())}
    crop = next((workspace / "data_src" / "aligned").glob("*_0.*"))
    crop.rename(crop.with_name(f"renamed{crop.suffix}"))
    with FolderLock(folder), pytest.raises(UserError, match="another process"):
        train(workspace, "--iterations", "2", "--learning-rate", "1e-4")
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_settings_file_of_a_model_that_was_edited_wrongly_is_named(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(workspace, *TINY, "--iterations", "1")
    path = workspace / "model" / "new" / "train.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["settings"] |= {"gan_power": 99, "colour": "red"}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"train\.json holds what cannot be used\n.*--gan-power 99"):
        train(workspace, "--iterations", "2", "--device", "cpu")
    assert "train.json sets what there is not, which is left out: colour" in capsys.readouterr().err
    train(workspace, "--iterations", "2", "--device", "cpu", "--gan-power", "0")
    assert settings(workspace)["gan_power"] == 0 and "colour" not in settings(workspace)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(UserError, match=r"train\.json is no settings file"):
        train(workspace, "--iterations", "3", "--device", "cpu")


def test_the_saved_settings_replay_the_training(workspace: Path) -> None:
    train(workspace, *TINY, "--iterations", "1", "--seed", "3")
    train(workspace, "--config", str(workspace / "model" / "new" / "train.json"), "--model", "again")
    first, again = settings(workspace), settings(workspace, "again")
    assert first | {"model": "again"} == again
    weights = [
        workspace / "model" / name / "checkpoints" / "00000001" / "weights.safetensors"
        for name in ("new", "again")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_ctrl_c_and_sigterm_save_and_have_their_exit_codes(workspace: Path, number: int, code: int) -> None:
    words = [sys.executable, "-m", "stages.train", "--workspace", str(workspace), *TINY]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    log = workspace / "model" / "new" / "history.jsonl"
    while not log.is_file() or log.read_bytes().count(b"\n") < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == code and "Traceback" not in errors
    assert "the same command continues" in errors
    newest = sorted((workspace / "model" / "new" / "checkpoints").iterdir())[-1]
    assert int(newest.name) == log.read_bytes().count(b"\n") >= 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_while_libraries_load_is_a_sentence() -> None:
    # A job in a shell's background, as this test may be, does not hear Ctrl-C.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = f"import os, signal, stages; {heard}; os.kill(os.getpid(), signal.SIGINT)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", command], env=environment, stderr=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGINT and done.stderr == "\ninterrupted; nothing was begun yet\n"
