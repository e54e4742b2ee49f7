"""Cuts exact to the frame, with the sound in step, in the containers that people bring."""

import pytest

from faceswap.media.extract import extract
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice
from stages.cut import Settings, main

H264 = {"vcodec": "libx264", "crf": 10}
HEVC = {"vcodec": "libx265", "crf": 10, "x265-params": "log-level=none:keyint=25:open-gop=1"}
MPEG2 = {"vcodec": "mpeg2video", "q:v": 2, "g": 12, "bf": 2}
OPEN = {"g": 10, "bf": 3, "x264-params": "open-gop=1:b-pyramid=normal:scenecut=0"}
CLIPS = {
    "each second.ts": (H264 | {"g": 25}, "aac"),
    "one key frame.ts": (H264 | {"g": 250}, "aac"),
    "open.ts": (H264 | OPEN, "ac3"),
    "hevc.ts": (HEVC, "aac"),
    "wrapped.ts": (H264 | {"g": 25, "output_ts_offset": 95442.5}, "aac"),
    "camcorder.m2ts": (H264 | {"g": 25}, "ac3"),
    "program.mpg": (MPEG2, "mp2"),
    "disc.vob": (MPEG2, "ac3"),
    "divx.avi": ({"vcodec": "mpeg4", "q:v": 2, "g": 25, "bf": 2}, "mp3"),
    "h264.avi": (H264 | {"g": 25, "bf": 2}, "pcm_s16le"),
    "stream.flv": (H264 | {"g": 250}, "aac"),
    "hevc.mkv": (HEVC, "pcm_s16le"),
    "vp8.webm": (
        {"vcodec": "libvpx", "b:v": "2M", "crf": 4, "cpu-used": 8, "deadline": "realtime"},
        "libopus",
    ),
    "fragments.mp4": (H264 | {"g": 25, "movflags": "frag_keyframe+empty_moov"}, "aac"),
    "edit.mxf": (MPEG2, "pcm_s16le"),
    "windows.wmv": ({"vcodec": "wmv2", "q:v": 2, "g": 25}, "wmav2"),
    "theora.ogv": ({"vcodec": "libtheora", "q:v": 9, "g": 25}, "libvorbis"),
}


def cut(clip, *words):
    main(Settings.parse(["--input", str(clip), "--quality", "4", "--again", *words]))
    return clip.with_name(f"{clip.stem}_cut{clip.suffix if clip.suffix in ('.mkv', '.mov') else '.mp4'}")


def seen_s(toy_clip, path):
    """How long after the first frame the burst is heard."""
    return toy_clip.click_s(path) - toy_clip.shown(path)[0][0]


@pytest.mark.parametrize("name", CLIPS)
def test_a_part_is_exact_and_its_sound_in_step_in_every_container(toy_clip, tmp_path, name):
    options, sound = CLIPS[name]
    clip = toy_clip.numbered(tmp_path / name, 50, sound=sound, **options)
    start_s = probe(clip).start_s
    for first, end in ((5, None), (6, 20), (45, None)):
        words = ["--start", f"{start_s + first / 25:.3f}"]
        words += ["--end", f"{start_s + end / 25:.3f}"] if end else []
        part = cut(clip, *words)
        assert toy_clip.counted(part) == list(range(first, end or 50))
        assert toy_clip.shown(part)[0][0] == pytest.approx(0, abs=0.03)
        assert probe(part).end_s - probe(part).start_s == pytest.approx(((end or 50) - first) / 25, abs=0.002)
        if first == 5:
            whole_s = seen_s(toy_clip, clip) if clip.suffix != ".avi" else toy_clip.click_s(clip)
            assert seen_s(toy_clip, part) == pytest.approx(whole_s - 0.2, abs=0.025)


def test_the_same_frames_are_cut_that_extraction_gives_from_joined_recordings(toy_clip, tmp_path):
    first = toy_clip.numbered(tmp_path / "a.ts", 30, sound="aac", **H264).read_bytes()
    second = toy_clip.numbered(tmp_path / "b.ts", 20, sound="aac", output_ts_offset=5000, **H264).read_bytes()
    clip = tmp_path / "joined.ts"
    clip.write_bytes(second + first)
    frames = extract([clip], tmp_path / "out", Choice(format="jpg")).frames
    for sound in ("--sound", "--no-sound"):
        part = cut(clip, "--start", f"{frames[15].time_s:.4f}", "--end", f"{frames[40].time_s:.4f}", sound)
        assert toy_clip.counted(part) == [*range(15, 20), *range(20)]


def test_edit_lists_and_clips_that_begin_between_key_frames_are_cut_as_players_show_them(toy_clip, tmp_path):
    whole = toy_clip.numbered(tmp_path / "whole.mp4", 50, sound="aac", **H264, g=25)
    clip = toy_clip.rewrap(whole, tmp_path / "edited.mp4", ss=0.52)
    shown = toy_clip.counted(clip)
    assert shown[0] == 13
    part = cut(clip, "--start", "0.4", "--end", "0.8")
    assert toy_clip.counted(part) == shown[10:20]
    stream = toy_clip.numbered(tmp_path / "a.ts", 50, **H264, g=20).read_bytes()
    late = tmp_path / "late.ts"
    late.write_bytes(stream[188 * (len(stream) // 188 // 4) :])
    shown = toy_clip.counted(late)
    assert 0 < len(shown) < 50
    assert toy_clip.counted(cut(late)) == shown
    part = cut(late, "--start", f"{probe(late).start_s + 0.2:.3f}")
    assert toy_clip.counted(part) == shown[5:]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.gif", "a.webm"])
def test_the_last_frames_stay_is_cut_too(toy_clip, tmp_path, name):
    clip = toy_clip.staying(tmp_path / name)
    for end, length in (("0", 3.3), ("2", 1.8)):
        part = cut(clip, "--start", "0.2", "--end", end)
        assert probe(part).end_s == pytest.approx(length, abs=0.001)


@pytest.mark.parametrize(
    ("name", "rate", "code", "moved"),
    [
        ("a.mov", "25", "01:00:00:00", "01:00:01:00"),
        ("a.mp4", "30000/1001", "00:59:59;10", "01:00:00;10"),
        ("a.mp4", "60000/1001", "10:00:59;50", "10:01:00;54"),
        ("a.mxf", "25", "23:59:59:10", "00:00:00:10"),
        ("a.mkv", "24000/1001", "09:59:59:12", "10:00:00:12"),
    ],
)
def test_a_time_code_is_moved_by_the_parts_start(toy_clip, tmp_path, name, rate, code, moved):
    options = {"a.mov": {"vcodec": "prores_ks", "pix_fmt": "yuv422p10le"}, "a.mxf": MPEG2}.get(name, H264)
    count = 70 if rate.startswith("6") else 40
    clip = toy_clip.numbered(tmp_path / name, count, rate=rate, timecode=code, **options)
    assert probe(clip).timecode == code
    assert probe(cut(clip, "--start", "1.0")).timecode == moved


def test_a_part_without_frames_is_an_error_and_leaves_nothing(toy_clip, tmp_path, run_stage):
    for name in ("a.ts", "a.flv", "a.mkv"):
        toy_clip.numbered(tmp_path / name, 10, **H264)
        done = run_stage("cut", "--input", name, "--start", "2")
        assert done.returncode == 2 and "shows no frame" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flv", "a.mkv", "a.ts"]
