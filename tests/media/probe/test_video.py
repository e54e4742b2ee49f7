import os
from pathlib import Path

import pytest

from faceswap.errors import UserError
from faceswap.media.probe.video import fingerprint, probe


def test_facts_of_a_clip_are_read(toy_clip, tmp_path):
    clip = probe(toy_clip.make(tmp_path / "a.mp4", [40 * i for i in range(25)], sound="aac"))
    assert (clip.width, clip.height, clip.frames, clip.counted) == (64, 48, 25, True)
    assert clip.fps == pytest.approx(25, rel=0.05) and clip.duration_s == pytest.approx(1, abs=0.05)
    assert (clip.codec, clip.audio_codec, clip.has_audio) == ("h264", "aac", True)
    assert (clip.bit_depth, clip.rotation_deg, clip.sample_aspect) == (8, 0, (1, 1))
    assert not probe(toy_clip.make(tmp_path / "b.mp4")).has_audio


def test_a_turned_clip_has_the_size_it_is_shown_at(toy_clip, tmp_path):
    flat = toy_clip.make(tmp_path / "a.mp4")
    turned = probe(toy_clip.rewrap(flat, tmp_path / "b.mov", display_rotation=-90))
    assert (turned.width, turned.height, turned.rotation_deg) == (48, 64, 270)


def test_a_late_picture_is_known_by_its_time_from_the_start(toy_clip, tmp_path):
    clip = probe(toy_clip.make(tmp_path / "a.mp4", (120, 160, 200), sound="aac"))
    assert clip.start_s == pytest.approx(0.12, abs=0.001) and clip.audio_start_s == pytest.approx(
        0, abs=0.001
    )


def test_untagged_high_definition_is_bt709_and_smaller_bt601(toy_clip, tmp_path):
    small = probe(toy_clip.make(tmp_path / "a.mp4", (0,)))
    large = probe(toy_clip.make(tmp_path / "b.mp4", (0,), size=(1280, 720)))
    assert (small.color.matrix, large.color.matrix) == ("smpte170m", "bt709")


def test_ten_bit_clips_and_rgb_clips_are_known(toy_clip, tmp_path):
    deep = toy_clip.make(tmp_path / "a.mkv", (0,), codec="ffv1", pix_fmt="yuv422p10le")
    assert probe(deep).bit_depth == 10
    assert probe(toy_clip.make(tmp_path / "b.mkv", (0,), codec="ffv1", pix_fmt="bgr0")).color.matrix == ""


@pytest.mark.parametrize(
    "name", ["it's.mp4", 'two "quotes".mp4', "кот 🙂 猫.mp4", "data:x,y [1].mp4", "-i.mp4"]
)
def test_any_file_name_is_read(toy_clip, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    toy_clip.make(tmp_path / "a.mp4").rename(tmp_path / name)
    assert probe(Path(name)).frames == 7


def test_what_is_no_clip_is_told_apart(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "folder.mp4").mkdir()
    for name, words in (("gone.mp4", "no file"), ("folder.mp4", "is a folder"), ("text.mp4", "is no video")):
        with pytest.raises(UserError, match=words) as caught:
            probe(tmp_path / name)
        assert caught.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_pipe_is_refused_as_what_it_is_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "clip.mp4")
    with pytest.raises(UserError, match="no regular file"):
        probe(tmp_path / "clip.mp4")


def test_an_index_that_is_cut_off_is_said(toy_clip, tmp_path):
    whole = toy_clip.make(tmp_path / "a.mp4", range(0, 3000, 100)).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="index is cut off"):
        probe(tmp_path / "b.mp4")


def test_fingerprints_tell_files_apart_wherever_they_differ(tmp_path):
    data = bytearray(3 << 20)
    prints = set()
    for number, change in enumerate((None, 0, -1)):
        path = tmp_path / str(number)
        path.write_bytes(data if change is None else data[:change] + b"x" + data[change:])
        prints.add(fingerprint(path))
    assert len(prints) == 3
    (tmp_path / "copy").write_bytes(data)
    assert fingerprint(tmp_path / "copy") == fingerprint(tmp_path / "0")
