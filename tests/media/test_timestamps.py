import json
from pathlib import Path

import pytest

from faceswap.errors import UserError
from faceswap.media.probe.video import Clip
from faceswap.media.timestamps import NAME, Choice, FrameTime, Timestamps, read_timestamps, write_timestamps

CLIP = Clip(
    path=Path("w/кот 🙂.mp4"), fingerprint="ab", width=4, height=2, fps=29.97, frames=3, counted=True,
    duration_s=0.1, sample_aspect=(15, 16), audio_codec="aac", audio_start_s=0.02,
)  # fmt: skip
FRAMES = (FrameTime(name="00001.png", time_s=0.033), FrameTime(name="00002.png", time_s=0.066667))
RECORD = Timestamps(complete=True, choice=Choice(), clips=(CLIP,), frames=FRAMES)


def test_what_is_written_is_read_back(tmp_path):
    assert read_timestamps(tmp_path) is None
    write_timestamps(tmp_path, RECORD)
    assert read_timestamps(tmp_path) == RECORD
    content = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    assert content["schema"] == 1 and content["frames"][1] == {
        "name": "00002.png",
        "time_s": 0.066667,
        "clip": 0,
    }


def test_keys_of_later_versions_do_no_harm(tmp_path):
    write_timestamps(tmp_path, RECORD)
    content = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    content["later"] = content["clips"][0]["later"] = 1
    (tmp_path / NAME).write_text(json.dumps(content), encoding="utf-8")
    assert read_timestamps(tmp_path) == RECORD


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": 1, "frames": "no"}'])
def test_damage_and_later_schemas_are_refused_with_the_path(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(UserError, match=NAME):
        read_timestamps(tmp_path)


def test_only_what_changes_the_frames_counts_as_a_difference():
    def other(**changes):
        return RECORD.model_copy(update=changes)

    moved = other(clips=(CLIP.model_copy(update={"path": Path("elsewhere.mp4")}),), complete=False)
    assert RECORD.differences(moved) == RECORD.differences(other(choice=Choice(quality=50))) == []
    assert RECORD.differences(other(choice=Choice(fps=5))) == ["fps 0.0 instead of 5.0"]
    assert RECORD.differences(other(clips=(CLIP.model_copy(update={"fingerprint": "cd"}),)))
    jpgs = other(choice=Choice(format="jpg", quality=50))
    assert jpgs.differences(other(choice=Choice(format="jpg"))) == ["quality 50 instead of 95"]
