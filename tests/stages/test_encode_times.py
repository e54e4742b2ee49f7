"""What a finished film keeps of the clip's time: the last frame's stay, time codes, frames left out."""

import json
import os

import pytest

from faceswap.errors import UserError
from faceswap.media.extract import extract
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice
from stages.cut import Settings as CutSettings
from stages.cut import main as cut
from stages.encode import Settings, main

STAYS_S = 3.5


def encode(tmp_path, *words):
    main(Settings.parse(["--workspace", str(tmp_path / "w"), "--hardware", "off", *words]))


def merge_unchanged(clip, masks=False):
    """Frames of the clip that stand for merged ones, and for masks."""
    folder = clip.parent / "data_dst"
    made = extract([clip], folder, Choice())
    for kind in ("merged", "merged_mask")[: 1 + masks]:
        (folder / kind).mkdir()
        for frame in made.frames:
            os.link(folder / frame.name, folder / kind / frame.name)
    return folder


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".gif", ".avi", ".flv"])
def test_the_last_frame_stays_as_long_as_in_the_clip(toy_clip, tmp_path, suffix):
    merge_unchanged(toy_clip.staying(tmp_path / f"w/data_dst{suffix}"), masks=True)
    encode(tmp_path)
    for name in ("result.mp4", "result_mask.mp4"):
        assert probe(tmp_path / "w" / name).end_s == pytest.approx(STAYS_S, abs=0.001)


@pytest.mark.parametrize("codec", ["hevc", "prores422", "ffv1", "h264-rgb"])
def test_every_codec_keeps_the_last_frames_stay_beside_shorter_sound(toy_clip, tmp_path, codec):
    merge_unchanged(toy_clip.staying(tmp_path / "w/data_dst.mkv", sound="flac"))
    encode(tmp_path, "--codec", codec)
    (result,) = (tmp_path / "w").glob("result.*")
    assert probe(result).end_s == pytest.approx(STAYS_S, abs=0.001)
    assert toy_clip.click_s(result) == pytest.approx(toy_clip.CLICK_S, abs=0.02)


def test_a_sequence_and_the_film_made_of_it_keep_the_last_frames_stay(toy_clip, tmp_path):
    merge_unchanged(toy_clip.staying(tmp_path / "w/data_dst.mp4"))
    encode(tmp_path, "--codec", "png")
    encode(tmp_path, "--frames", str(tmp_path / "w/result_png"))
    assert probe(tmp_path / "w/result_png.mp4").end_s == pytest.approx(STAYS_S, abs=0.001)


def test_frames_chosen_by_a_rate_stay_to_the_clips_end(toy_clip, tmp_path):
    extract([toy_clip.staying(tmp_path / "a.mp4")], tmp_path / "few", Choice(fps=5))
    encode(tmp_path, "--frames", str(tmp_path / "few"))
    assert probe(tmp_path / "few.mp4").end_s == pytest.approx(STAYS_S, abs=0.001)


def test_a_record_of_an_earlier_version_gets_what_its_clip_still_tells(toy_clip, tmp_path):
    folder = merge_unchanged(toy_clip.staying(tmp_path / "w/data_dst.mp4"))
    record = json.loads((folder / "timestamps.json").read_text())
    for name in ("end_s", "timecode"):
        del record["clips"][0][name]
    (folder / "timestamps.json").write_text(json.dumps(record))
    encode(tmp_path)
    assert probe(tmp_path / "w/result.mp4").end_s == pytest.approx(STAYS_S, abs=0.001)
    (tmp_path / "w/data_dst.mp4").unlink()
    encode(tmp_path)
    assert probe(tmp_path / "w/result.mp4").end_s == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("name", "rate", "code", "codec"),
    [
        ("data_dst.mov", "25", "01:00:00:00", "prores422"),
        ("data_dst.mp4", "30000/1001", "00:59:59;28", "h264"),
        ("data_dst.mxf", "25", "10:00:00:24", "hevc"),
        ("data_dst.mov", "24000/1001", "23:59:59:23", "ffv1"),
    ],
)
def test_the_time_code_goes_along(toy_clip, tmp_path, name, rate, code, codec):
    (tmp_path / "w").mkdir()
    options = {"vcodec": "mpeg2video"} if name.endswith("mxf") else {"vcodec": "libx264"}
    clip = toy_clip.numbered(tmp_path / "w" / name, 10, rate=rate, timecode=code, **options)
    merge_unchanged(clip, masks=True)
    encode(tmp_path, "--codec", codec)
    for path in (tmp_path / "w").glob("result*.*"):
        assert probe(path).timecode == code


def test_a_time_code_counts_as_the_clip_does_where_a_frame_stays_longer(toy_clip, tmp_path):
    (tmp_path / "w").mkdir()
    clip = toy_clip.numbered(
        tmp_path / "w/data_dst.mov", 10, vcodec="libx264", timecode="01:00:00:24",
        vf="setpts=PTS+gte(N\\,5)/TB", fps_mode="passthrough",
    )  # fmt: skip
    assert probe(clip).fps < 20
    merge_unchanged(clip)
    encode(tmp_path)
    assert probe(tmp_path / "w/result.mp4").timecode == "01:00:00:24"
    cut(CutSettings.parse(["--input", str(clip), "--start", "0.2"]))
    assert probe(tmp_path / "w/data_dst_cut.mov").timecode == "01:00:02:04"  # frame 5 is shown at 1.2 s


@pytest.mark.parametrize("codec", ["h264", "prores422", "png"])
def test_frames_deleted_on_purpose_are_left_out_and_the_others_keep_their_times(
    toy_clip, tmp_path, codec, capsys
):
    clip = toy_clip.make(tmp_path / "w/data_dst.mp4", [40 * i for i in range(10)], sound="aac")
    folder = merge_unchanged(clip, masks=True)
    gone = (3, 4, 10)
    for number in gone:
        (folder / f"merged/{number:05d}.png").unlink()
    with pytest.raises(UserError) as error:
        encode(tmp_path)
    assert "3 of 10" in error.value.what and "--skip-missing" in error.value.hint
    encode(tmp_path, "--skip-missing", "--codec", codec)
    said = capsys.readouterr()
    assert "3 frames" in said.out and "belong to no frame" not in said.err
    if codec == "png":
        encode(tmp_path, "--frames", str(tmp_path / "w/result_png"))
        result = tmp_path / "w/result_png.mp4"
    else:
        (result,) = (tmp_path / "w").glob("result.*")
    times, frames = toy_clip.shown(result)
    left = [i for i in range(10) if i + 1 not in gone]
    assert [1000 * t for t in times] == pytest.approx([40 * i for i in left], abs=1)
    assert [f.mean() for f in frames] == pytest.approx([toy_clip.level(i) for i in left], abs=3)
    assert probe(result).end_s == pytest.approx(probe(clip).end_s, abs=0.001)
    assert toy_clip.click_s(result) == pytest.approx(toy_clip.CLICK_S, abs=0.02)


def test_a_mask_that_a_merged_frame_lacks_is_still_an_error(toy_clip, tmp_path):
    folder = merge_unchanged(toy_clip.make(tmp_path / "w/data_dst.mp4"), masks=True)
    (folder / "merged/00002.png").unlink()
    (folder / "merged_mask/00004.png").unlink()
    for words in ((), ("--codec", "ffv1", "--alpha")):
        with pytest.raises(UserError, match=r"missing in .*merged_mask"):
            encode(tmp_path, "--skip-missing", *words)


def test_without_any_merged_frame_nothing_is_said_of_masks(toy_clip, tmp_path):
    folder = merge_unchanged(toy_clip.make(tmp_path / "w/data_dst.mp4"), masks=True)
    for path in (folder / "merged").iterdir():
        path.unlink()
    (folder / "merged").rmdir()
    for words in ((), ("--skip-missing",)):
        with pytest.raises(UserError, match=r"no frame of the clip is in .*merged\n") as error:
            encode(tmp_path, *words)
        assert "mask" not in str(error.value) and "stages.merge" in error.value.hint
