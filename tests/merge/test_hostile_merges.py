"""What a merge finds on disk may be damaged or made to harm: a sentence, or frames that can be merged."""

import os
from pathlib import Path

import pytest

from faceswap.errors import UserError
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.record import RECORD_NAME, Record
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import MergeSettings
from tests.hostile import attacked, documents

FRAMES = [Path(f"{number:05d}.png") for number in range(1, 7)]
CLIP = Clip.of(FRAMES)


def a_session(folder: Path) -> Session:
    looks = Keyframes(MergeSettings(blur=33)).key({"erode": 5}, 1).key({"erode": 9}, 4)
    return Session(folder / NAME, CLIP, looks.act(2, "leave", 3).set({"mode": "seamless"}, 2, 3), 4)


VALID = a_session(Path())._to_json()


@attacked(documents(VALID))
def test_a_hostile_session_is_refused_by_name_or_gives_a_look_for_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: bytes
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    path = tmp_path / NAME
    path.write_bytes(hostile)
    try:
        session = Session.open(path, CLIP, MergeSettings(), "adopt")
    except UserError as error:
        assert str(path) in str(error)
        return
    for frame in range(len(FRAMES)):
        look = session.looks.at(frame)
        MergeSettings.model_validate(look.settings.model_dump())
        look.action(0)
    session.looks.set({"erode": 7}, 1, 3)
    assert session._to_json()["clip"]["frames"] == len(FRAMES)


@attacked(documents({"frame": "00001", "mark": "x"}))
def test_a_hostile_line_of_the_record_costs_itself_alone(tmp_path: Path, hostile: bytes) -> None:
    line = b'{"frame": "00002", "mark": "y"}\n'
    (tmp_path / RECORD_NAME).write_bytes(b"\n".join([line, hostile, b"\xff{", line]))
    assert "00002" in Record(tmp_path, tmp_path)._made
