"""A session is kept at every step, and is nobody else's."""

import json
from pathlib import Path

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.images import write_image
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import MergeSettings

BASE = MergeSettings(blur=33)


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    return make_frames(tmp_path / "frames", 0)


def make_frames(folder: Path, seed: int, count: int = 6) -> list[Path]:
    rng = np.random.default_rng(seed)
    paths = [folder / f"{number:05d}.png" for number in range(1, count + 1)]
    folder.mkdir(parents=True)
    for path in paths:
        write_image(path, rng.integers(0, 256, (8, 8, 3), np.uint8))
    return paths


def opened(folder: Path, frames: list[Path], how: str = "resume") -> Session:
    return Session.open(folder / NAME, Clip.of(frames), BASE, how)  # type: ignore[arg-type]


def test_every_change_is_on_disk_at_once_and_read_again_the_same(tmp_path: Path, frames: list[Path]) -> None:
    session = opened(tmp_path, frames)
    looks = session.looks.key({"erode": 5}, 1).key({"erode": 9}, 4).act(2, "leave", 3).set({"blur": 1}, 2, 3)
    session.at = 4
    assert session.change(looks)
    again = opened(tmp_path, frames)
    assert again.looks == looks and again.at == 4


def test_all_steps_can_be_undone_and_done_again(tmp_path: Path, frames: list[Path]) -> None:
    session = opened(tmp_path, frames)
    steps = [session.looks]
    for number in range(50):
        session.change(session.looks.set({"erode": number + 1}, number % 6, number % 6))
        steps.append(session.looks)
    for looks in reversed(steps[:-1]):
        assert session.undo() and session.looks == looks
    assert not session.undo()
    for looks in steps[1:]:
        assert session.redo() and session.looks == looks
    assert not session.redo()
    kept = opened(tmp_path, frames).looks
    assert [kept.at(frame) for frame in range(6)] == [steps[-1].at(frame) for frame in range(6)]


def test_a_moving_slider_is_one_step(tmp_path: Path, frames: list[Path]) -> None:
    session = opened(tmp_path, frames)
    before = session.looks
    session.change(before.set({"erode": 1}, 0))
    for value in (2, 3, 4):
        session.amend(before.set({"erode": value}, 0))
    session.save()
    assert opened(tmp_path, frames).looks.at(5).settings.erode == session.looks.at(5).settings.erode == 4
    session.undo()
    assert session.looks == before


def test_a_change_after_undoing_forgets_what_was_undone(tmp_path: Path, frames: list[Path]) -> None:
    session = opened(tmp_path, frames)
    session.change(session.looks.everywhere({"erode": 1}))
    session.undo()
    session.change(session.looks.everywhere({"erode": 2}))
    assert not session.can_redo


def test_the_users_upscaler_is_kept_and_sessions_of_before_name_none(
    tmp_path: Path, frames: list[Path]
) -> None:
    session = opened(tmp_path, frames)
    session.upscaler = tmp_path / "ü.onnx"
    session.save()
    assert opened(tmp_path, frames).upscaler == tmp_path / "ü.onnx"
    stored = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    del stored["upscaler"]
    (tmp_path / NAME).write_text(json.dumps(stored))
    assert opened(tmp_path, frames).upscaler is None


def test_the_session_of_another_clip_is_refused_kept_aside_or_adopted(
    tmp_path: Path, frames: list[Path]
) -> None:
    session = opened(tmp_path, frames)
    session.change(session.looks.set({"erode": 8}, 2, 2))
    others = make_frames(tmp_path / "others", 1)
    with pytest.raises(UserError, match="other frames") as refused:
        opened(tmp_path, others)
    assert "--session new" in refused.value.hint and "--session adopt" in refused.value.hint
    assert opened(tmp_path, others, "adopt").looks == session.looks
    text = (tmp_path / NAME).read_bytes()
    fresh = opened(tmp_path, others, "new")
    assert fresh.looks == Keyframes(BASE)
    assert [path.read_bytes() for path in tmp_path.glob("merge_session.*.json")] == [text]


def test_a_frame_missing_from_the_middle_moves_no_other_setting(tmp_path: Path, frames: list[Path]) -> None:
    session = opened(tmp_path, frames)
    session.change(session.looks.set({"erode": 8}, 2, 2).set({"blur": 3}, 4, 4))
    there = opened(tmp_path, [path for path in frames if path.stem != "00003"]).looks
    assert [there.at(frame).settings.blur for frame in range(5)] == [33, 33, 33, 3, 33]
    # The frame with its own setting is gone, and so is the setting.
    assert [there.at(frame).settings.erode for frame in range(5)] == [BASE.erode] * 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"schema": 1', '"schema": 9'),
        lambda text: text.replace('"base"', '"basis"'),
        lambda text: text.replace("8", "8000"),
        lambda text: text.replace('"erode"', '"errode"'),
    ],
)
def test_a_damaged_session_is_named_and_left_where_it_is(tmp_path: Path, frames: list[Path], damage) -> None:  # type: ignore[no-untyped-def]
    session = opened(tmp_path, frames)
    session.change(Keyframes(BASE).set({"erode": 8}, 2, 2))
    text = json.dumps(json.loads((tmp_path / NAME).read_text()))
    (tmp_path / NAME).write_text(damage(text))
    with pytest.raises(UserError, match="session") as refused:
        opened(tmp_path, frames)
    assert "--session new" in refused.value.hint
    assert (tmp_path / NAME).read_text() == damage(text)
    opened(tmp_path, frames, "new")


def test_nothing_is_written_before_anything_is_changed(tmp_path: Path, frames: list[Path]) -> None:
    opened(tmp_path, frames)
    assert not (tmp_path / NAME).exists()
