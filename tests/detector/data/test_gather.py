"""Real crops on their way into a set."""

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from faceswap.detector.data.gather import Sighting, cut, store, without_twins
from faceswap.detector.data.manifest import leaked_people
from tests.detector.toy_set import actor_frames, people


def test_a_crop_that_shows_a_training_crop_again_is_in_no_other_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, points = actor_frames("b", 9)[0]
    train = store(
        tmp_path, "real/a.jpg", Sighting("a", cut(frame, points), points, people("train", 1)[0], "a", "toy")
    )
    # The same picture under another name, smaller, as collections hold it.
    small = cv2.resize(frame, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    moved = (points + 0.5) * 0.7 - 0.5
    again = Sighting("b", cut(small, moved), moved, people("test", 1)[0], "b", "toy")
    test = store(tmp_path, "real/b.jpg", again)
    fake = replace(test, file="fake/b.png", label="fake", twin=test.file)
    assert leaked_people([train, test, fake]) == set()
    assert without_twins(tmp_path, [train, test, fake]) == [train]
    assert "1 crops look like a training crop" in capsys.readouterr().out


def test_crops_within_a_split_may_look_alike(tmp_path: Path) -> None:
    frame, points = actor_frames("b", 9)[0]
    who = people("train", 2)
    rows = [
        store(tmp_path, f"real/{n}.jpg", Sighting(n, cut(frame, points), points, person, n, "toy"))
        for n, person in zip("ab", who, strict=True)
    ]
    assert without_twins(tmp_path, rows) == rows
