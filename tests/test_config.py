"""Settings come from defaults, files and flags in that order, are checked, saved and replayed."""

import importlib
import json
import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic_settings import CliPositionalArg

from faceswap.config import FaceTypeOption, StageSettings, option
from faceswap.errors import UserError
from faceswap.types import FaceType


class Example(StageSettings):
    rate_hz: float = option(20.0, "frames a second", unit="Hz", ge=0, le=240)
    sharp: bool = option(True, "keep it sharp")
    name: str | None = option(None, "a name")


def test_a_flag_wins_over_a_file_and_a_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_text(json.dumps({"settings": {"rate_hz": 5, "name": "file"}}))
    assert Example.parse([]).rate_hz == 20
    assert Example.parse(["--config", str(file)]).rate_hz == 5
    both = Example.parse(["--config", str(file), "--rate-hz", "7.5"])
    assert (both.rate_hz, both.name) == (7.5, "file")


def test_a_config_file_wins_over_a_preset_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswap.config.assets", lambda: tmp_path)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "calm.json").write_text('{"rate_hz": 1, "sharp": false}')
    file = tmp_path / "mine.json"
    file.write_text('{"rate_hz": 2}')
    chosen = Example.parse(["--config", str(file), "--preset", "calm"])
    assert (chosen.rate_hz, chosen.sharp) == (2, False)


def test_saved_settings_replay_to_the_same_settings(tmp_path: Path) -> None:
    first = Example.parse(["--rate-hz", "3", "--no-sharp", "--name", "x y"])
    first.save(tmp_path / "example.json")
    assert Example.parse(["--config", str(tmp_path / "example.json")]) == first


def test_a_value_outside_its_range_names_the_flag_and_what_was_found() -> None:
    with pytest.raises(UserError, match=r"--rate-hz '?500"):
        Example.parse(["--rate-hz", "500"])


@pytest.mark.parametrize(
    "words", [["--frobnicate"], ["--rate-hz"], ["--rate-hz", "fast"], ["stray"], ["--config"]]
)
def test_a_wrong_command_line_is_a_user_error(words: list[str]) -> None:
    with pytest.raises(UserError):
        Example.parse(words)


def test_a_file_with_unknown_names_is_refused_and_the_known_ones_are_listed(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"settings": {"speed": 1}}')
    with pytest.raises(UserError, match="rate_hz"):
        Example.parse(["--config", str(tmp_path / "odd.json")])


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_HZ", "99")
    assert Example.parse([]).rate_hz == 20


def test_every_shipped_preset_parses_for_its_stage() -> None:
    import importlib

    folder = Path(__file__).parent.parent / "assets" / "presets"
    for path in folder.glob("*.json"):
        stage = importlib.import_module(json.loads(path.read_text())["stage"])
        stage.Settings.parse(["--preset", path.stem])


def test_a_face_type_is_typed_and_listed_by_the_word_that_files_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Typed(StageSettings):
        face_type: FaceTypeOption = option(FaceType.WHOLE, "how much of the head")

    chosen = Typed.parse(["--face-type", "mid-full"])
    assert chosen.face_type is FaceType.MID_FULL
    assert chosen.model_dump(mode="json")["face_type"] == "mid-full"
    with pytest.raises(SystemExit):
        Typed.parse(["--help"])
    assert "mid-full" in capsys.readouterr().out


class Signed(Example):
    step: float = option(0.0, "a signed number")
    folder: Path | None = option(None, "a folder")
    kind: Literal["h264", "hevc", "png"] = option("h264", "a codec")
    base: str | None = option(None, "a name, or a folder")


@pytest.mark.parametrize("number", ["-1e-3", "-.5", "-1E3", "-2", "-1.5e+2", "-3."])
@pytest.mark.parametrize("form", ["--step {}", "--step={}", "--name x --step {} --sharp"])
def test_negative_numbers_are_values_however_they_are_written(number: str, form: str) -> None:
    assert Signed.parse(form.format(number).split()).step == float(number)


@pytest.mark.parametrize("number", ["-inf", "-Infinity", "-nan", "inf", "nan"])
def test_what_is_no_finite_number_is_refused_as_a_value_of_its_flag(number: str) -> None:
    with pytest.raises(UserError, match=rf"--step '{number}': Input should be a finite number"):
        Signed.parse(["--step", number])


def test_a_wrong_word_without_a_flag_is_named_as_it_is_typed() -> None:
    class Acting(StageSettings):
        action: CliPositionalArg[Literal["list", "show"]]

    with pytest.raises(UserError, match=r"  action 'lst': .*did you mean list\?"):
        Acting.parse(["lst"])
    with pytest.raises(UserError, match="unknown flag --action"):
        Acting.parse(["--action", "list"])
    assert Acting.parse(["show", "--workspace", "x"]).action == "show"


def test_underscores_in_flags_are_hyphens() -> None:
    assert Example.parse(["--rate_hz", "3", "--no-sharp"]).rate_hz == 3
    assert Example.parse(["--rate_hz=4", "--name", "a_b"]).name == "a_b"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--rate-hzz 3", "--rate-hz"), ("--nmae x", "--name"), ("--no-shrap", "--no-sharp"),
        ("-workspace x", "--workspace"), ("--workspce=x", "--workspace"), ("--confg x", "--config"),
        ("--kind h246", "h264"), ("--kind HEVC", "hevc"), ("--preset recpie", "recipe"),
    ],
)  # fmt: skip
def test_a_mistyped_word_gets_the_nearest_one(typed: str, meant: str) -> None:
    with pytest.raises(UserError, match=rf"did you mean {meant}\?"):
        Signed.parse(typed.split())


def test_a_home_folder_is_found_wherever_a_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.json").write_text('{"folder": "~/in file", "base": "~/base"}')
    flag = Signed.parse(["--folder=~/x", "--workspace", "~/w"])
    assert (flag.folder, flag.workspace) == (tmp_path / "x", tmp_path / "w")
    file = Signed.parse(["--config", "~/mine.json"])
    assert (file.folder, file.base) == (tmp_path / "in file", str(tmp_path / "base"))
    assert Signed.of({"folder": "~"}).folder == tmp_path
    assert Signed.parse(["--name", "~tilde", "--base", "a~b"]).name == "~tilde"
    with pytest.raises(UserError, match="no user 'nobody-of-that-name'"):
        Signed.parse(["--folder", "~nobody-of-that-name/x"])


def test_a_file_of_another_stage_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "merge.json").write_text('{"stage": "stages.merge", "settings": {"erode": 3}}')
    with pytest.raises(UserError, match=r"holds settings of stages\.merge"):
        Example.parse(["--config", str(tmp_path / "merge.json")])


@pytest.mark.parametrize("stage", ["train", "merge"])
def test_help_stands_under_headings_and_leaves_no_flag_out(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = importlib.import_module(f"stages.{stage}").Settings
    with pytest.raises(SystemExit) as end:
        settings.parse(["--help"])
    told = capsys.readouterr().out
    body = told[told.index("\noptions:") :]
    named = [name for names in settings.groups.values() for name in names]
    assert end.value.code == 0 and all(f"\n{title}:\n" in body for title in settings.groups)
    assert len(named) == len(set(named)) and set(named) <= set(settings.model_fields)
    # What stands in no group stands above them: a few only, which say what the stage does.
    assert len(set(settings.model_fields) - set(named)) <= 6
    for name in set(settings.model_fields) - {"phases"}:
        assert len(re.findall(rf"^  --{name.replace('_', '-')}[ ,\n]", body, re.MULTILINE)) == 1, name
