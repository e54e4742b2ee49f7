"""history.jsonl has one line an iteration whatever happened to the process in between."""

import json
import math
from pathlib import Path

import pytest

from faceswap.train.log import History


def write(path: Path, first: int, last: int, loss: float = 0.5) -> None:
    with History(path, first - 1) as history:
        for iteration in range(first, last + 1):
            history.append(iteration, loss, loss / 2, 12.3456789)


def iterations(path: Path) -> list[int]:
    return [json.loads(line)["iteration"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_can_be_followed_while_training_runs(tmp_path: Path) -> None:
    path = tmp_path / "run" / "history.jsonl"
    with History(path, 0) as history:
        history.append(1, 0.1, 0.2, 12.3456789)
        assert json.loads(path.read_text(encoding="utf-8")) == {
            "iteration": 1, "src": 0.1, "dst": 0.2, "ms": 12.3457,
        }  # fmt: skip


def test_what_a_killed_run_was_ahead_of_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    write(path, 1, 15)
    write(path, 11, 20, loss=0.25)
    assert iterations(path) == list(range(1, 21))
    with History(path, 20) as history:
        assert list(history.src) == [0.5] * 10 + [0.25] * 10
        assert list(history.dst) == [0.25] * 10 + [0.125] * 10


@pytest.mark.parametrize(
    "tail", [b'{"iteration": 3, "sr', b"\x00\x00\x00", b'{"iteration": 2, "src": 1, "dst": 1}\n']
)
def test_a_half_written_or_doubled_line_ends_what_is_believed(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "history.jsonl"
    write(path, 1, 2)
    path.write_bytes(path.read_bytes() + tail)
    write(path, 3, 4)
    assert iterations(path) == [1, 2, 3, 4]


def test_a_new_model_starts_with_an_empty_history(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    write(path, 1, 5)
    with History(path, 0) as history:
        assert len(history) == 0
    assert path.read_bytes() == b""


def test_the_mean_since_a_save_counts_only_later_iterations(tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl", 0) as history:
        for iteration, loss in enumerate((8.0, 1.0, 3.0), start=1):
            history.append(iteration, loss, 2 * loss, 1.0)
        assert history.mean_since(1) == (2.0, 4.0)
        assert all(math.isnan(value) for value in history.mean_since(3))
