"""Whatever ends a save, a backup or a way back, at whichever write: what was saved before can be loaded."""

import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.learn import backups, checkpoint
from tests.faults import FAULT, faulty, in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed right after fork")
HOUR_S = 3600.0
EXPECTED = (OSError, UserError, checkpoint.DamagedError)


def save(run: Path, iteration: int) -> None:
    """A save as the trainer does it, an hour of training after the one before."""
    parts = {"weights": {"w": torch.full((64,), float(iteration))}, "optimizer": {"m": torch.zeros(64)}}
    checkpoint.save(run, parts, {"iteration": iteration, "elapsed_s": HOUR_S * iteration})
    backups.rotate(run, keep=2)


def save_best(run: Path) -> None:
    save(run, 4)
    backups.keep_best(run)


ACTIONS: dict[str, Callable[[Path], object]] = {
    "save": lambda run: save(run, 4),
    "save the same again": lambda run: save(run, 3),
    "save the best": save_best,
    "restore": lambda run: backups.restore(run, 2),
}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Three saves, two of which are checkpoints and two of which are backups still."""
    run = tmp_path / "prepared"
    for iteration in (1, 2, 3):
        save(run, iteration)
    (run / "history.jsonl").write_text("three\n")
    return run


def another(prepared: Path, name: object) -> Path:
    """The prepared run again, with its links; nothing writes into a file that is there."""
    return Path(shutil.copytree(prepared, prepared.with_name(str(name)), copy_function=os.link))


@pytest.fixture(autouse=True)
def counted_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", FAULT.fsync)


def assert_nothing_is_lost(run: Path, action: str) -> None:
    """The model is what it was or is to be; all backups are whole; going on works."""
    loaded = checkpoint.load(run)
    assert loaded.rejected == ()
    assert loaded.iteration in {"save": {3, 4}, "save the best": {3, 4}, "restore": {2, 3}}.get(action, {3})
    assert loaded.tensors["weights"]["w"].unique().item() == loaded.iteration
    kept = {checkpoint.read(backup.path).iteration for backup in backups.list_backups(run)}
    found = kept | {checkpoint.read(path).iteration for path in checkpoint.saved(run)}
    assert 3 in found, "the model from before is never the price"
    assert (run / "history.jsonl").read_text() == "three\n"
    ACTIONS[action](run)
    save(run, 5)
    assert checkpoint.load(run).iteration == 5
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("action", "kill"), [("save", False), ("restore", False), *((action, True) for action in ACTIONS)]
)
def test_ended_at_any_operation(prepared: Path, action: str, kill: bool) -> None:
    for operation in range(400):
        run = another(prepared, operation)
        through = faulty(partial(ACTIONS[action], run), operation, kill, EXPECTED)
        assert_nothing_is_lost(run, action)
        if through:
            break
    assert 20 < operation < 399, "the fault was injected where it should be"


def sizes(run: Path) -> Iterator[int]:
    """Every few bytes up to the size of the largest file."""
    largest = max(path.stat().st_size for path in run.rglob("*") if path.is_file())
    return iter(range(0, largest + 1, 149))


@pytest.mark.parametrize("kill", [False, True], ids=["full disk", "kill"])
def test_ended_in_the_middle_of_a_write(prepared: Path, kill: bool) -> None:
    codes = set()
    for size in sizes(prepared):
        run = another(prepared, size)

        def work(size: int = size, run: Path = run) -> None:
            # The system itself ends the write that would make a file larger than this.
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if kill else signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            save(run, 4)

        codes.add(in_child(work))
        assert_nothing_is_lost(run, "save")
    assert codes >= {-signal.SIGXFSZ if kill else 1}
