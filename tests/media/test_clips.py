from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswap.errors import UserError
from faceswap.media.clips import expected_frames, find_clips, frame_names
from faceswap.media.probe.video import Clip
from faceswap.media.timestamps import Choice


def clip(name, frames=100, fps=25.0):
    return Clip(
        path=Path(name), fingerprint=name, width=2, height=2, fps=fps, frames=frames, counted=True,
        duration_s=frames / fps,
    )  # fmt: skip


def test_one_clip_gives_the_names_of_deepfacelab():
    (pattern,) = frame_names([clip("data_dst.mp4")], Choice())
    assert pattern.format(1) == "00001.png"


def test_long_clips_get_more_digits_so_that_names_sort_like_time():
    (pattern,) = frame_names([clip("a.mp4", frames=120_000)], Choice())
    assert pattern.format(7) == "000007.png"


words = st.lists(st.text("aAbB1_-{}. é", min_size=1, max_size=6), min_size=2, max_size=6)


@given(words, st.sampled_from([".mp4", ".MOV"]))
def test_names_of_several_clips_never_meet_and_begin_with_their_clip(stems, suffix):
    clips = [clip(f"{index % 2}/x{stem}{suffix}") for index, stem in enumerate(stems)]
    made = [
        pattern.format(number).casefold()
        for pattern in frame_names(clips, Choice(format="jpg"))
        for number in (1, 2, 12345)
    ]
    assert len(set(made)) == len(made)
    for index, one in enumerate(clips):
        assert made[3 * index].startswith(one.path.stem.casefold())


def test_a_rate_above_the_clips_own_gives_the_clips_frames():
    assert expected_frames(clip("a", 100, 25), 0) == expected_frames(clip("a", 100, 25), 60) == 100
    assert expected_frames(clip("a", 100, 25), 5) == 20


def test_clips_are_found_beside_in_the_folder_or_where_they_are_named(tmp_path):
    stem = tmp_path / "data_src"
    stem.mkdir()
    with pytest.raises(UserError, match=r"no clip .*data_src"):
        find_clips(stem, None)
    (tmp_path / "data_src.mov").mkdir()
    with pytest.raises(UserError) as caught:
        find_clips(stem, None)
    assert "data_src.mov" in caught.value.found
    folder = tmp_path / "data_src_clips"
    folder.mkdir()
    for path in (folder / "b.mp4", folder / "a.mov", folder / ".hidden.mp4", tmp_path / "other.mkv"):
        path.write_bytes(b"")
    assert find_clips(stem, None) == [folder / "a.mov", folder / "b.mp4"]
    (tmp_path / "data_src.mp4").write_bytes(b"")
    assert find_clips(stem, None) == [tmp_path / "data_src.mp4"]
    assert find_clips(stem, tmp_path / "other.mkv") == [tmp_path / "other.mkv"]
    assert find_clips(stem, folder) == [folder / "a.mov", folder / "b.mp4"]
