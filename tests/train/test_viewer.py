"""What is left to look at: a timelapse of bounded size, plots, TensorBoard, and answers to requests."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.io.images import read_image
from faceswap.learn import checkpoint
from faceswap.train.quality import Figures
from faceswap.train.schedule import Schedule
from faceswap.train.viewer import FOLDER, Board, quality_plot, thin_out
from faceswap.train.watch import requests
from faceswap.train.watch.folder import MASKED, PREVIEW, TIMELAPSE


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(1, 60), st.integers(1, 500))
def test_a_timelapse_keeps_its_ends_and_an_even_spread(
    tmp_path_factory: pytest.TempPathFactory, most: int, count: int, every: int
) -> None:
    folder = tmp_path_factory.mktemp("previews")
    for number in range(1, count + 1):
        (folder / f"{number * every:07d}.jpg").touch()
        thin_out(folder, most)
    left = sorted(int(path.stem) for path in folder.iterdir())
    assert len(left) == min(count, most)
    assert left[0] == every and left[-1] == count * every
    # In proportion: no step between kept pictures is much longer than an even spread of them would make it.
    if count > most > 3:
        ratios = np.array(left[1:]) / np.array(left[:-1])
        assert ratios.max() <= max(2.0, count ** (3 / (most - 1)))


def test_previews_of_what_was_lost_go(tmp_path: Path, small: SimpleNamespace) -> None:
    (tmp_path / TIMELAPSE).mkdir(parents=True)
    (tmp_path / TIMELAPSE / "0000900.jpg").touch()
    small.trainer(tmp_path, Schedule(iterations=2, timelapse=5, preview_seconds=0)).train()
    shown = [path.name for path in sorted((tmp_path / TIMELAPSE).iterdir())]
    assert shown == ["0000001.jpg", "0000002.jpg"]
    assert read_image(tmp_path / TIMELAPSE / shown[0]).ndim == 3


def test_faces_inside_their_masks_are_drawn_too(tmp_path: Path, small: SimpleNamespace) -> None:
    small.trainer(tmp_path, Schedule(iterations=1, preview_seconds=0)).train()
    whole, masked = read_image(tmp_path / PREVIEW), read_image(tmp_path / MASKED)
    assert masked.shape == whole.shape
    # The model's own mask of dst, at the start about a half, is the only one here that is not full.
    columns = [np.s_[60:200, number * 196 : number * 196 + 190] for number in range(4)]
    assert [np.array_equal(masked[column], whole[column]) for column in columns] == [True, True, True, False]
    assert (masked[columns[3]] <= whole[columns[3]]).all()


def test_a_figure_that_no_pack_tells_has_no_row() -> None:
    plot = quality_plot([Figures(10, 20.0, 0.5), Figures(20, 21.0, 0.6)])
    with_landmarks = quality_plot([Figures(10, 20.0, 0.5, 0.1), Figures(20, 21.0, 0.6, 0.05)])
    assert with_landmarks.shape[0] == plot.shape[0] * 3 // 2
    assert (plot > 200).any()


def test_tensorboard_gets_losses_speeds_pictures_and_figures(tmp_path: Path, small: SimpleNamespace) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = Board(tmp_path, 0)
    small.trainer(tmp_path, Schedule(iterations=3), board=board).train()
    board.figures(Figures(3, 20.0, 0.5))
    board.close()
    events = EventAccumulator(str(tmp_path / FOLDER)).Reload()
    lines = small.lines(tmp_path / "history.jsonl")
    assert [event.step for event in events.Scalars("loss/src")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("loss/src")] == pytest.approx(
        [line["src"] for line in lines], rel=1e-4
    )
    tags = set(events.Tags()["scalars"])
    assert {"speed/ms_per_iteration", "speed/samples_per_s", "quality/psnr", "quality/ssim"} <= tags
    assert "quality/landmarks" not in tags and events.Tags()["images"] == ["preview"]


def test_a_request_is_a_file_that_is_taken_once(tmp_path: Path) -> None:
    assert requests.take(tmp_path) == set()
    requests.ask(tmp_path, "save")
    requests.ask(tmp_path, "samples")
    assert requests.take(tmp_path) == {"save", "samples"}
    assert requests.take(tmp_path) == set()


def test_a_window_asks_for_a_backup_and_an_end(tmp_path: Path, small: SimpleNamespace) -> None:
    def ask() -> None:
        while not (tmp_path / "checkpoints").exists():
            time.sleep(0.02)
        requests.ask(tmp_path, "backup")
        requests.ask(tmp_path, "stop")

    training = small.trainer(tmp_path, Schedule(iterations=100_000))
    asking = threading.Thread(target=ask)
    asking.start()
    training.train()
    asking.join()
    assert checkpoint.load(tmp_path).iteration == training.run.iteration < 100_000
    assert [path.name.partition("-")[0] for path in (tmp_path / "backups").iterdir()] == ["hand"]
