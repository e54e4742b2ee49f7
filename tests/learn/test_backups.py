"""Backups: as many as asked for, of every age, and each of them a way back from which nothing is lost."""

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceswap.errors import UserError
from faceswap.learn import backups, checkpoint

HOUR_S, DAY_S = 3600.0, 86400.0


def save(run: Path, iteration: int, hours: float = 0.0, value: float | None = None) -> Path:
    weights = torch.full((8,), float(iteration if value is None else value))
    state = {"iteration": iteration, "elapsed_s": HOUR_S * hours}
    return checkpoint.save(run, {"weights": {"w": weights}}, state)


def names(run: Path) -> list[str]:
    return sorted(backup.path.name for backup in backups.list_backups(run))


@given(st.lists(st.floats(0, 30 * DAY_S), min_size=1, max_size=80), st.integers(1, 5))
def test_thinning_keeps_the_newest_and_few_of_every_age(times: list[float], keep: int) -> None:
    newest_first = sorted(times, reverse=True)
    kept = backups.thin(newest_first, keep)
    assert 0 in kept and len(kept) <= 2 * keep
    hours = {int(newest_first[number] // HOUR_S) for number in kept}
    assert hours >= set(sorted({int(at // HOUR_S) for at in newest_first})[-keep:])
    days = {int(newest_first[number] // DAY_S) for number in kept}
    assert days >= set(sorted({int(at // DAY_S) for at in newest_first})[-keep:])


def test_a_week_of_saves_leaves_the_last_hours_and_days(tmp_path: Path) -> None:
    for hour in range(0, 7 * 24, 4):
        save(tmp_path, hour + 1, hours=hour)
        backups.rotate(tmp_path, keep=2)
    kept = [backup.iteration - 1 for backup in backups.list_backups(tmp_path)]
    assert kept == [164, 160, 140], "the last two that came an hour apart, and the last of the day before"


def test_within_an_hour_of_training_there_is_one_automatic_backup(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path, number + 1, hours=0.2 * number)
        backups.rotate(tmp_path, keep=3)
    assert names(tmp_path) == ["auto-00000001"]


def test_none_are_made_where_none_are_asked_for(tmp_path: Path) -> None:
    save(tmp_path, 1)
    assert backups.rotate(tmp_path, keep=0) is None and names(tmp_path) == []


def test_a_backup_outlives_the_checkpoint_and_needs_no_room(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    made = backups.back_up(tmp_path, "hand")
    assert (made.path / "weights.safetensors").samefile(path / "weights.safetensors")
    shutil.rmtree(path)
    assert checkpoint.read(made.path).tensors["weights"]["w"][0] == 1


def test_there_is_one_best(tmp_path: Path) -> None:
    for iteration in (1, 2):
        save(tmp_path, iteration)
        backups.keep_best(tmp_path)
    assert names(tmp_path) == ["best-00000002"]


def test_going_back_puts_what_is_newer_aside_with_its_records(tmp_path: Path) -> None:
    save(tmp_path, 1)
    backups.back_up(tmp_path, "hand")
    for iteration in (2, 3):
        save(tmp_path, iteration)
    (tmp_path / "history.jsonl").write_text("up to three")
    assert backups.restore(tmp_path).iteration == 1
    assert checkpoint.load(tmp_path).iteration == 1
    assert names(tmp_path) == ["before-00000002", "before-00000003", "hand-00000001"]
    (tmp_path / "history.jsonl").write_text("another three")
    save(tmp_path, 3, value=33.0)
    assert backups.restore(tmp_path, 3).iteration == 3
    assert checkpoint.load(tmp_path).tensors["weights"]["w"][0] == 3, "the one that was put aside"
    assert (tmp_path / "history.jsonl").read_text() == "up to three"
    values = [checkpoint.read(path).tensors["weights"]["w"][0] for path in (tmp_path / "backups").iterdir()]
    assert 33 in values, "the one it replaced is kept, too"


def test_a_damaged_model_is_mended_from_a_backup(tmp_path: Path) -> None:
    save(tmp_path, 1)
    made = backups.back_up(tmp_path, "hand")
    kept = tmp_path / "kept"
    shutil.copytree(made.path, kept)  # on another disk, as it were: not the same bytes
    path = tmp_path / "checkpoints" / "00000001" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    shutil.rmtree(made.path)
    shutil.copytree(kept, made.path)
    with pytest.raises(UserError, match="no intact"):
        checkpoint.load(tmp_path)
    backups.restore(tmp_path, 1)
    assert checkpoint.load(tmp_path).tensors["weights"]["w"][0] == 1


def test_what_cannot_be_restored_is_a_sentence(tmp_path: Path) -> None:
    save(tmp_path, 5)
    with pytest.raises(UserError, match="no backup older"):
        backups.restore(tmp_path)
    made = backups.back_up(tmp_path, "hand")
    with pytest.raises(UserError, match=r"no backup of iteration 4\n.*there are: 5"):
        backups.restore(tmp_path, 4)
    save(tmp_path, 6)
    (made.path / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="damaged"):
        backups.restore(tmp_path, 5)
    assert checkpoint.load(tmp_path).iteration == 6
