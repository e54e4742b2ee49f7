"""Options that change on a running model: edited in its settings file, or by the phases of a recipe."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.learn import checkpoint
from faceswap.train.log import Journal
from faceswap.train.options import StepOptions
from faceswap.train.run import Run
from faceswap.train.schedule import ActiveOptions, LiveOptions, Phase, Schedule
from faceswap.train.trainer import Trainer
from faceswap.types import Json

START: Json = {"random_warp": True, "gan_power": 0.0, "iterations": 12, "batch_size": 4}


def resolve(changes: Json, start: Json = START) -> ActiveOptions:
    """As the stage does it: all settings are checked together."""
    values = start | changes
    try:
        options = StepOptions(random_warp=values["random_warp"], gan_power=values["gan_power"])
    except ValidationError as error:
        raise UserError(str(error)) from None
    return ActiveOptions(options, Schedule(iterations=values["iterations"]))


def write(folder: Path, **changes: object) -> None:
    write_json(folder / "train.json", {"stage": "stages.train", "settings": START | changes})


def live_options(folder: Path, run: Run, *phases: Phase, **start: object) -> LiveOptions:
    write(folder, **start)
    live = {"random_warp", "gan_power", "iterations"}
    begin = partial(resolve, start=START | start)
    return LiveOptions(run, folder / "train.json", live, begin, phases, Journal(folder))


@pytest.fixture
def run(tmp_path: Path, small: SimpleNamespace) -> Run:
    return small.new_run(tmp_path)


def log(folder: Path) -> str:
    path = folder / "log.txt"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_a_changed_file_is_obeyed_once_and_said(tmp_path: Path, run: Run) -> None:
    told = live_options(tmp_path, run)
    assert told.reread() is None, "nothing has changed"
    write(tmp_path, random_warp=False, iterations=99)
    orders = told.reread()
    assert orders is not None and not orders.options.random_warp and orders.schedule.iterations == 99
    assert told.reread() is None and "random_warp False" in log(tmp_path)
    write(tmp_path)
    assert told.reread().options.random_warp, "and back again"  # type: ignore[union-attr]


def test_a_setting_that_there_is_not_is_said(tmp_path: Path, run: Run) -> None:
    told = live_options(tmp_path, run)
    write(tmp_path, random_wrap=False)
    told.reread()
    assert "train.json sets random_wrap, but there is no such setting" in log(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '{"settings": {"random_warp": fal',
        '{"settings": 3}',
        "[]",
        json.dumps({"settings": START | {"gan_power": 77}}),
        json.dumps({"settings": START | {"gan_power": "much"}}),
    ],
)
def test_what_cannot_be_used_is_said_and_changes_nothing(tmp_path: Path, run: Run, text: str) -> None:
    told = live_options(tmp_path, run)
    (tmp_path / "train.json").write_text(text)
    assert told.reread() is None and told.orders() == resolve({})
    assert "train.json was changed, but not to what can be used" in log(tmp_path)
    write(tmp_path, gan_power=0.5)
    assert told.reread().options.gan_power == 0.5, "mended"  # type: ignore[union-attr]


def test_a_file_that_is_gone_stops_nothing(tmp_path: Path, run: Run) -> None:
    told = live_options(tmp_path, run)
    (tmp_path / "train.json").unlink()
    assert told.reread() is None and told.reread() is None


def test_what_needs_a_new_start_is_said(tmp_path: Path, run: Run) -> None:
    told = live_options(tmp_path, run)
    write(tmp_path, batch_size=8)
    told.reread()
    assert "batch_size can only change when training is started anew" in log(tmp_path)


PHASES = (
    Phase(name="first", settings={"random_warp": True}, iterations=3),
    Phase(name="second", settings={"random_warp": False}, iterations=4),
)


def test_a_recipe_is_walked_and_a_phase_decides_over_the_file(tmp_path: Path, run: Run) -> None:
    told = live_options(tmp_path, run, *PHASES)
    write(tmp_path, random_warp=False, gan_power=0.1)
    orders = told.reread()
    assert orders is not None and orders.options.random_warp and orders.options.gan_power == 0.1
    assert "random_warp is decided by the phase 'first'" in log(tmp_path)
    run.iteration = 3
    orders = told.advance([], [])
    assert orders is not None and not orders.options.random_warp and orders.options.gan_power == 0.1
    assert (run.phase, run.phase_since) == (1, 3) and not told.over
    run.iteration = 7
    told.advance([], [])
    assert told.over and told.advance([], []) is None


def test_an_unattended_run_walks_its_phases_stops_inside_one_and_goes_on(
    tmp_path: Path, small: SimpleNamespace
) -> None:
    def begin(**start: object) -> Trainer:
        return small.trainer(tmp_path, Schedule(), lambda run: live_options(tmp_path, run, *PHASES, **start))

    first = begin(iterations=5)
    first.train()
    state = checkpoint.load(tmp_path).state
    assert (state["iteration"], state["phase"], state["phase_since"]) == (5, 1, 3)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["phase-00000003"]
    assert not first.step.options.random_warp
    again = begin()
    again.train()
    assert again.run.iteration == 7, "the second phase had two of its four left, then the recipe was over"
    assert "that was the recipe's last phase" in log(tmp_path)
