"""What a system refuses or memory cannot hold ends in a sentence; our own mistakes do not."""

import errno
import os
import sys
from pathlib import Path

import pytest

from faceswap.config import StageSettings, option, run_stage
from faceswap.errors import UserError, explained
from faceswap.io.files import list_images


class Settings(StageSettings):
    """A stage that reads what it is given."""

    input: Path | None = option(None, "a file")


def ended(argv: list[str], main: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", *argv])
    with pytest.raises(SystemExit) as end:
        run_stage(Settings, main, "")  # type: ignore[arg-type]
    assert end.value.code == 2


@pytest.mark.parametrize("number", errno.errorcode)
def test_every_error_of_a_system_is_a_sentence_with_what_to_do(number: int) -> None:
    told = explained(OSError(number, os.strerror(number), "clip.mp4"))
    assert "clip.mp4" in told.what
    assert os.strerror(number) in told.found
    assert told.hint


def test_an_error_that_a_library_made_up_is_a_sentence_too() -> None:
    assert explained(OSError("no such codec")).found == "no such codec"


@pytest.mark.parametrize(("name", "what"), [
    ("x" * 300, "File name too long"), ("folder", "Is a directory"), ("file/below", "Not a directory"),
    ("loop", "symbolic link"), ("gone", "No such file"),
])  # fmt: skip
def test_paths_that_cannot_be_read_end_a_stage_in_a_sentence(
    tmp_path: Path, name: str, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    def main(cfg: Settings) -> None:
        assert cfg.input is not None
        cfg.input.read_bytes()

    ended(["--input", str(tmp_path / name)], main, monkeypatch)
    told = capsys.readouterr().err
    assert told.startswith("error: the system refused")
    assert what in told and name in told


def test_too_little_memory_and_names_that_are_no_unicode_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (MemoryError("1 TiB"), UnicodeEncodeError("utf-8", "a\udce9b", 1, 2, "surrogates")):

        def main(_: Settings, error: Exception = error) -> None:
            raise error

        ended([], main, monkeypatch)
    told = capsys.readouterr().err
    assert "memory does not suffice" in told
    assert "no Unicode" in told


def test_our_own_mistakes_still_show_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(_: Settings) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(AttributeError):
        run_stage(Settings, main, "")


@pytest.mark.parametrize("text", ["[" * 500 + "]" * 500, '{"input": "a\\u0000b"}', '"\\ud800"', "NaN", ""])
def test_a_hostile_config_file_ends_a_stage_in_a_sentence(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.json").write_text(text)
    ended(["--config", str(tmp_path / "c.json")], lambda _: None, monkeypatch)
    assert "c.json is not valid JSON" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_pictures_that_cannot_be_named_or_followed_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.png").touch()
    (tmp_path / "2.png").symlink_to("2.png")
    (tmp_path / "folder.png").mkdir()
    os.close(os.open(os.fsencode(tmp_path) + b"/3\xe9.png", os.O_CREAT))
    assert [path.name for path in list_images(tmp_path)] == ["1.png"]
    told = capsys.readouterr().err
    assert "3\\udce9.png is left out" in told
    assert "2.png is left out" in told


def test_a_user_error_is_no_os_error() -> None:
    assert not issubclass(UserError, OSError)
