"""However training ends, what is on disk is a whole checkpoint, a history without doubles, and pictures."""

import json
import math
import os
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.errors import Stopped, UserError
from faceswap.io.images import read_image
from faceswap.learn import checkpoint
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batches
from faceswap.train.data.samples import SampleStore
from faceswap.train.run import Run
from faceswap.train.trainer import Schedule, Trainer
from faceswap.train.update.steps import StepOptions, TrainStep
from faceswap.types import FaceType


def store(count: int) -> SampleStore:
    pixels = np.random.default_rng(count).integers(0, 256, (count, 64, 64, 4), np.uint8)
    return SampleStore(pixels, tuple(map(str, range(count))), {})


def trainer(folder: Path, schedule: Schedule, learning_rate: float = 5e-5) -> Trainer:
    spec = ModelSpec(Arch.parse("DF-UD"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
    run = Run(folder, build(spec), FaceType.WHOLE, seed=1)
    step = TrainStep(run.model, StepOptions(learning_rate=learning_rate), torch.device("cpu"))
    return Trainer(run, step, Batches(store(5), store(3), 2, run.seed), schedule)


def saved(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def iterations(folder: Path) -> list[int]:
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["iteration"] for line in lines]


def send(number: int, folder: Path, after: int, times: int = 1) -> threading.Thread:
    """Send this process a signal once its history has `after` lines."""

    def wait_and_send() -> None:
        while not (folder / "history.jsonl").is_file() or len(iterations(folder)) < after:
            time.sleep(0.02)
        for _ in range(times):
            os.kill(os.getpid(), number)
            time.sleep(0.05)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    return thread


def last_line(folder: Path) -> str:
    return (folder / "log.txt").read_text(encoding="utf-8").splitlines()[-1].partition("  ")[2]


def test_a_new_model_is_saved_at_its_first_iteration_and_at_the_target(tmp_path: Path) -> None:
    training = trainer(tmp_path, Schedule(iterations=3))
    training.train()
    assert saved(tmp_path) == ["00000001", "00000003"]
    assert iterations(tmp_path) == [1, 2, 3]
    state = checkpoint.load(tmp_path, ["weights", "optimizer"]).state
    assert (state["iteration"], state["samples"], state["face_type"]) == (3, 6, "whole")
    assert ModelSpec.from_json(state["spec"]) == training.run.model.spec
    assert re.fullmatch(r"ended at iteration 3, loss src [\d.]+ dst [\d.]+: all .* done", last_line(tmp_path))


def test_the_pictures_are_there_and_can_be_read(tmp_path: Path) -> None:
    trainer(tmp_path, Schedule(iterations=1)).train()
    assert read_image(tmp_path / "preview.png").shape[0] == 2 * (192 // 5) + 3 * 196, (
        "a row a face, as many as both sides have"
    )
    assert read_image(tmp_path / "loss.png").ndim == 3


def test_saving_as_often_as_possible_keeps_two(tmp_path: Path) -> None:
    trainer(tmp_path, Schedule(iterations=3, save_minutes=0, preview_seconds=1e9)).train()
    assert saved(tmp_path) == ["00000002", "00000003"]


def test_no_time_left_trains_nothing_and_saves_nothing(tmp_path: Path) -> None:
    trainer(tmp_path, Schedule(minutes=0)).train()
    assert not (tmp_path / "checkpoints").exists()
    assert last_line(tmp_path) == "ended at iteration 0: the time is over"


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Stopped)], ids=["int", "term"]
)
def test_a_signal_ends_after_a_whole_iteration_and_saves_it(
    tmp_path: Path, number: int, raised: type[BaseException]
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    training = trainer(tmp_path, Schedule(iterations=10_000))
    sender = send(number, tmp_path, after=2)
    with pytest.raises(raised) as caught:
        training.train()
    sender.join()
    assert caught.type is raised
    assert saved(tmp_path)[-1] == f"{training.run.iteration:08d}"
    assert iterations(tmp_path) == list(range(1, training.run.iteration + 1))
    weights = checkpoint.load(tmp_path, ["weights"]).tensors["weights"]
    assert all(torch.equal(weights[name], value) for name, value in training.run.model.state_dict().items())
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert last_line(tmp_path).startswith(f"ended at iteration {training.run.iteration}, loss src ")
    assert last_line(tmp_path).endswith("by a signal")


def test_two_signals_leave_a_whole_checkpoint(tmp_path: Path) -> None:
    training = trainer(tmp_path, Schedule(iterations=10_000))
    sender = send(signal.SIGINT, tmp_path, after=2, times=2)
    with pytest.raises(KeyboardInterrupt):
        training.train()
        time.sleep(10)  # where the save was faster than the second signal
    sender.join()
    assert checkpoint.load(tmp_path, ["weights", "optimizer"]).rejected == ()


def test_weights_broken_by_an_update_are_never_saved(tmp_path: Path) -> None:
    training = trainer(tmp_path, Schedule(iterations=5))
    training.run.step_factor = math.inf
    with pytest.raises(UserError, match="no numbers"):
        training.train()
    assert not (tmp_path / "checkpoints").exists()
    assert "no numbers" in last_line(tmp_path) and last_line(tmp_path).endswith("saved is iteration 0")
