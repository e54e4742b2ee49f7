"""A disk that fills while training: said, nothing lost, and tried again."""

import errno
import resource
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.train.log import History
from faceswap.train.memory import is_out_of_memory
from faceswap.train.run import Run
from faceswap.train.schedule import Schedule


class FullDisk:
    """While entered, no file can become larger than so many bytes: a real refusal by the system."""

    def __init__(self, largest: int = 4096) -> None:
        self._largest = largest

    def __enter__(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._largest, self._limits[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        signal.signal(signal.SIGXFSZ, self._handler)


def filling(step: object, between: tuple[int, int]) -> None:
    """Let the disk be full while the step does certain iterations and until the next after them."""
    # What pytest captures of the screen is a file, too.
    kind, disk = type(step), FullDisk(32_768)

    class Filling(kind):  # type: ignore[misc, valid-type]
        def __call__(self, batch: object, seed: int, iteration: int) -> object:
            if iteration == between[0]:
                disk.__enter__()
            if iteration == between[1]:
                disk.__exit__()
            return super().__call__(batch, seed, iteration)

    step.__class__ = Filling


def test_training_goes_on_keeps_the_older_checkpoint_and_saves_when_it_can(
    tmp_path: Path, small: SimpleNamespace
) -> None:
    training = small.trainer(tmp_path, Schedule(iterations=6, save_minutes=0, timelapse=9, keep=2))
    filling(training.step, (2, 5))
    training.train()
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert log.count("the checkpoint of iteration 2 is whole, training goes on") == 3
    assert checkpoint.load(tmp_path).iteration == 6
    assert [line["iteration"] for line in small.lines(tmp_path / "history.jsonl")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("first", [0, 3])
def test_the_first_and_the_last_save_say_it_by_ending(
    tmp_path: Path, small: SimpleNamespace, first: int
) -> None:
    training = small.trainer(tmp_path, Schedule(iterations=5, preview_seconds=1e9))
    filling(training.step, (first, 99))
    try:
        with pytest.raises(OSError) as caught:
            training.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    assert caught.value.errno == errno.EFBIG
    if first:
        assert checkpoint.load(tmp_path).iteration == 1


def test_the_history_catches_up_where_the_disk_has_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with History(path, 0) as history:
        for iteration in range(1, 201):
            if iteration == 20:
                disk = FullDisk()
                disk.__enter__()
            if iteration == 150:
                disk.__exit__()
            history.append(iteration, 0.5, 0.25, 1.0)
    with History(path, 200) as again:
        assert list(again.iterations) == list(range(1, 201))


def test_out_of_memory_saves_and_says_what_to_type(tmp_path: Path, small: SimpleNamespace) -> None:
    training = small.trainer(tmp_path, Schedule())
    kind = type(training.step)

    class Hungry(kind):  # type: ignore[misc, valid-type]
        def __call__(self, batch: object, seed: int, iteration: int) -> object:
            if iteration == 2:
                import torch

                torch.empty(2**60, dtype=torch.uint8)
            return super().__call__(batch, seed, iteration)

    training.step.__class__ = Hungry
    training.batches = replace(training.batches, batch_size=16)
    with pytest.raises(UserError, match="--batch-size 8 --accumulate 2 ") as caught:
        training.train()
    assert "the model of iteration 2 is saved" in str(caught.value) and "--plan" in str(caught.value)
    assert checkpoint.load(tmp_path).iteration == 2


@pytest.mark.parametrize(
    ("error", "known"),
    [(MemoryError(), True), (RuntimeError("CUDA out of memory"), True), (RuntimeError("bad shape"), False)],
)
def test_only_a_lack_of_memory_is_called_one(error: Exception, known: bool) -> None:
    assert is_out_of_memory(error) is known


def test_a_second_training_of_the_same_model_is_refused(tmp_path: Path, small: SimpleNamespace) -> None:
    run: Run = small.new_run(tmp_path)
    from faceswap.io.lock import FolderLock

    with FolderLock(run.folder), pytest.raises(UserError, match="another process"):
        small.trainer(tmp_path, Schedule(iterations=1)).train()
    small.trainer(tmp_path, Schedule(iterations=1)).train()
