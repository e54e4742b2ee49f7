"""What a run folder tells: never more than is true, whoever writes it and however."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from faceswap.gui.keys import by_key
from faceswap.gui.preview_window.commands import BY_KEY, COMMANDS
from faceswap.train.log import Journal
from faceswap.train.quality import Figures, Track
from faceswap.train.watch import requests
from faceswap.train.watch.curves import CAPACITY, Curves
from faceswap.train.watch.folder import RunFolder, Tail, timelapse_picture
from faceswap.train.watch.panels import FIGURES, figures, panels, ticks


def lines(first: int, last: int) -> list[bytes]:
    return [
        json.dumps({"iteration": n, "src": 1 / n, "dst": 2 / n, "ms": 100}).encode()
        for n in range(first, last)
    ]


def text(first: int, last: int) -> bytes:
    return b"".join(line + b"\n" for line in lines(first, last))


# -- lines ----------------------------------------------------------------------------------------


def test_only_whole_lines_are_read_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    tail = Tail(path)
    assert tail.read() == ([], False)
    path.write_bytes(b"one\ntw")
    assert tail.read() == ([b"one"], False)
    assert tail.read() == ([], False)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert tail.read() == ([b"two", b"three"], False)


def test_a_file_is_read_a_piece_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    tail = Tail(path)
    read = []
    for _ in range(9):
        read += tail.read(most=6)[0]
    assert read == [b"one", b"two", b"three"] and not tail.behind


@pytest.mark.parametrize("now", [b"one\n", b"one\nzwei\nthree\nfour\n", b"", None])
def test_a_file_that_was_cut_replaced_or_deleted_is_read_anew(tmp_path: Path, now: bytes | None) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    tail = Tail(path)
    tail.read()
    path.unlink()
    if now is not None:
        path.write_bytes(now)
    assert tail.read() == ((now or b"").splitlines(), True)


def test_a_copy_that_another_machine_makes_again_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(text(1, 100))
    tail = Tail(path)
    tail.read()
    path.unlink()
    path.write_bytes(text(1, 102))
    assert tail.read() == (lines(100, 102), False)


def test_rubbish_without_an_end_is_passed(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\0" * 64 + b"\nend\n")
    tail = Tail(path)
    read = []
    for _ in range(9):
        read += tail.read(most=16)[0]
    assert read[-1] == b"end"


# -- curves ---------------------------------------------------------------------------------------


def test_groups_hold_least_greatest_and_mean_of_every_iteration_in_flat_memory() -> None:
    curves, count = Curves(), 5 * CAPACITY // 2
    numbers = np.arange(1, count + 1)
    values = np.sin(numbers) + 2
    for start in range(0, count, 50_000):
        part = zip(numbers[start : start + 50_000], values[start : start + 50_000], strict=True)
        curves.add(b'{"iteration": %d, "src": %.17g}' % pair for pair in part)
    curve = curves.curves()["src"]
    assert CAPACITY / 2 < len(curve.at) <= CAPACITY
    assert curve.weight.sum() == count
    assert np.array_equal(curve.low, np.minimum.reduceat(values, np.arange(0, count, 4)))
    assert np.array_equal(curve.high, np.maximum.reduceat(values, np.arange(0, count, 4)))
    assert np.average(curve.mean, weights=curve.weight) == pytest.approx(values.mean())
    assert np.array_equal(curve.at[:2], [2.5, 6.5])


@pytest.mark.parametrize("step", [1, 3, 7])
def test_the_pieces_that_lines_come_in_change_nothing(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceswap.train.watch.curves.CAPACITY", 16)
    whole, pieces = Curves(), Curves()
    whole.add(lines(1, 100))
    for start in range(1, 100, step):
        pieces.add(lines(start, min(100, start + step)))
    for name, curve in whole.curves().items():
        for mine, other in zip(curve, pieces.curves()[name], strict=True):
            np.testing.assert_allclose(mine, other)


def test_damaged_lines_and_what_is_no_number_are_passed() -> None:
    curves = Curves()
    rubbish = [b'{"iter', b"[]", b"7", b"\0\0", b'{"src": 1}', b'{"iteration": "x"}', b"[" * 100_000, b"\xff"]
    rubbish += [b'{"iteration": %d}' % 10**400, b'{"iteration": 3, "src": null, "dst": 1e400, "ms": NaN}']
    curves.add([*lines(1, 3), *rubbish, *lines(2, 6), b'{"iteration": 6, "gan": 1}'])
    known = curves.curves()
    assert known["src"].at.tolist() == [1, 2, 4, 5]
    assert np.isfinite(known["dst"].high).all()
    assert known["gan"].at.tolist() == [6], "what is only sometimes known"


# -- the folder -----------------------------------------------------------------------------------


def make_run(folder: Path, iterations: int = 20) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.jsonl").write_bytes(text(1, iterations + 1))
    for number in (5, 10):
        timelapse_picture(folder, number).parent.mkdir(exist_ok=True)
        timelapse_picture(folder, number).touch()
    (folder / "checkpoints" / "00000015").mkdir(parents=True)
    (folder / "checkpoints" / "00000015" / "state.json").touch()
    (folder / "checkpoints" / ".00000019.tmp").mkdir()
    (folder / "log.txt").write_text("12:00  begun\n12:01  saved at iteration 15\n", encoding="utf-8")
    (folder / "train.json").write_text('{"settings": {"arch": "DF-UD", "resolution": 96}}', encoding="utf-8")
    track = Track(folder / "quality.jsonl", 0)
    track.add(Figures(10, 20.0, 0.5, 0.2))
    track.add(Figures(20, 25.0, 0.75, 0.1, 0.6, 0.3))


def test_a_report_tells_how_a_run_stands(tmp_path: Path) -> None:
    make_run(tmp_path / "mine")
    report = RunFolder(tmp_path / "mine").look()
    assert (report.state, report.iteration, report.saved_iteration) == ("training", 20, 15)
    assert report.timelapse == (5, 10) and report.log.endswith("iteration 15")
    told = figures(report)
    assert list(told) == [name for name in FIGURES if name != "waiting for faces"]
    assert told["SSIM"] == "0.7500" and told["an iteration"] == "100 ms · 10/s"
    names = [panel.title for panel in panels(report)]
    assert names[0] == "loss" and names[-1] == "ms an iteration" and len(names) == 6
    assert [panel.best for panel in panels(report)[1:5]] == [25.0, 0.75, 0.1, None]


def test_a_folder_may_come_late_and_go(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "mine")
    assert run.look().state == "missing"
    (tmp_path / "mine").mkdir()
    assert run.look().state == "empty"
    (tmp_path / "mine").rmdir()
    make_run(tmp_path / "mine")
    assert run.look().iteration == 20
    (tmp_path / "mine").rename(tmp_path / "other")
    assert run.look().state == "missing" and not run.look().curves
    make_run(tmp_path / "mine", 7)
    assert run.look().iteration == 7


def test_nothing_written_for_long_is_no_training_and_the_next_line_is_one(tmp_path: Path) -> None:
    make_run(tmp_path)
    long_ago = time.time() - 3600
    for path in tmp_path.iterdir():
        os.utime(path, (long_ago, long_ago))
    run = RunFolder(tmp_path)
    report = run.look()
    assert report.state == "quiet" and report.quiet_s == pytest.approx(3600, abs=60)
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(text(21, 22))
    assert run.look().state == "training"


def test_a_training_that_said_it_has_ended_has_until_another_begins(tmp_path: Path) -> None:
    make_run(tmp_path)
    journal, run = Journal(tmp_path), RunFolder(tmp_path)
    journal.say("ended at iteration 20, loss src 0.5000 dst 0.4000: by a signal")
    assert run.look().state == "ended"
    journal.say("training from iteration 20 on")
    assert run.look().state == "training"


def test_a_slow_model_is_given_its_time(tmp_path: Path) -> None:
    tmp_path.joinpath("history.jsonl").write_bytes(b'{"iteration": 1, "src": 1, "dst": 1, "ms": 60000}\n')
    some_minutes_ago = time.time() - 600
    os.utime(tmp_path / "history.jsonl", (some_minutes_ago, some_minutes_ago))
    assert RunFolder(tmp_path).look().state == "training"


def test_what_was_asked_for_is_seen_until_it_is_taken(tmp_path: Path) -> None:
    make_run(tmp_path / "mine")
    run = RunFolder(tmp_path / "mine")
    requests.ask(tmp_path / "mine", "backup")
    assert run.look().asked == {"backup"}
    requests.take(tmp_path / "mine")
    assert not run.look().asked


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7), (0.1183, 0.1187), (99_000, 1_000_000)])
def test_ticks_are_few_round_numbers_inside(low: float, high: float) -> None:
    for most in (2, 5, 9):
        marks = ticks(low, high, most)
        assert 1 <= len(marks) <= most + 1
        assert all(low <= mark <= high + 1e-9 for mark in marks)


def test_no_key_stands_for_two_things() -> None:
    assert sum(len(command.keys) for command in COMMANDS) == len(by_key(COMMANDS)) == len(BY_KEY)


def test_deepfacelabs_keys_do_what_they_do_there() -> None:
    # deepfacelab.md §8.6
    expected = {"Return": "stop", "s": "save", "b": "backup", "p": "samples", "Space": "page", "l": "range"}
    assert {key: BY_KEY[key].action for key in expected} == expected


def test_a_window_needs_no_torch() -> None:
    code = "import sys, stages.preview, faceswap.train.watch.panels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
