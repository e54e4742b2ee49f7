import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ffmpeg
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.files import list_images
from faceswap.io.images import read_image
from faceswap.media.clips import find_clips
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.timestamps import Choice, read_timestamps

REPOSITORY = Path(__file__).parents[2]
EVERY = Choice()
TENTHS = tuple(range(0, 2000, 100))


def heed_ctrl_c():
    """Shells start background jobs deaf to Ctrl-C, and children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def names(folder):
    return [path.name for path in list_images(folder)]


def greys(folder):
    return [float(read_image(path).mean()) for path in list_images(folder)]


def test_every_dst_frame_comes_with_its_own_time(toy_clip, tmp_path, run_stage):
    toy_clip.make(tmp_path / "w" / "data_dst.mp4", sound="aac")
    run_stage("extract_dst", "--workspace", "w", check=True)
    record = json.loads((tmp_path / "w/data_dst/timestamps.json").read_text())
    assert [f["name"] for f in record["frames"]] == [f"{i:05d}.png" for i in range(1, 8)]
    assert names(tmp_path / "w/data_dst") == [f["name"] for f in record["frames"]]
    times_ms = [1000 * f["time_s"] for f in record["frames"]]
    assert times_ms == pytest.approx(toy_clip.VARIABLE_MS, abs=0.02)
    assert greys(tmp_path / "w/data_dst") == pytest.approx([toy_clip.level(i) for i in range(7)], abs=1.5)
    assert json.loads((tmp_path / "w/data_dst/extract_dst.json").read_text())["settings"]["fps"] == 0


def test_times_count_from_the_clips_start_where_sound_comes_first(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4", [120 + t for t in toy_clip.VARIABLE_MS], sound="aac")
    made = extract([clip], tmp_path / "out", EVERY)
    assert [1000 * f.time_s for f in made.frames] == pytest.approx(
        [120 + t for t in toy_clip.VARIABLE_MS], abs=1
    )


def test_a_rate_takes_evenly_and_never_a_frame_twice(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4", [40 * i for i in range(25)])
    at_ten = extract([clip], tmp_path / "ten", Choice(fps=10))
    assert len(at_ten.frames) == 10
    steps = np.diff([f.time_s for f in at_ten.frames])
    assert steps.min() > 0.079 and steps.max() < 0.121
    assert len(extract([clip], tmp_path / "sixty", Choice(fps=60)).frames) == 25
    assert len(extract([clip], tmp_path / "half", Choice(fps=0.5)).frames) == 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_clips_come_out_as_players_show_them(toy_clip, tmp_path, turn):
    flat = toy_clip.make(tmp_path / "flat.mp4", (0,), draw=toy_clip.corners)
    turned = toy_clip.rewrap(flat, tmp_path / "turned.mov", display_rotation=turn)
    extract([turned], tmp_path / "out", EVERY)
    frame = read_image(tmp_path / "out" / "00001.png").astype(int)
    # A display rotation of 90 turns the picture counter-clockwise, as numpy does.
    wanted = np.rot90(toy_clip.corners(0, 64, 48), turn // 90).astype(int)
    assert frame.shape == wanted.shape
    inside = np.s_[[8, 8, -8, -8], [8, -8, 8, -8]]
    assert np.abs(frame[inside] - wanted[inside]).max() < 12


# ffmpeg's options turn first and mirror then; a clip is said to be mirrored first.
MIRRORED = {
    "mirrored left to right": {"display_hflip": None},
    "mirrored top to bottom": {"display_vflip": None},
    "mirrored and turned upright by 90°": {"display_rotation": 270, "display_hflip": None},
    "mirrored and turned upright by 270°": {"display_rotation": 90, "display_hflip": None},
    "turned upright by 180°": {"display_rotation": 180},
}


@pytest.mark.parametrize("container", ["mov", "mkv"])
@pytest.mark.parametrize("words", MIRRORED)
def test_mirrored_clips_are_called_so_and_come_out_as_players_show_them(
    toy_clip, tmp_path, capsys, words, container
):
    flat = toy_clip.make(tmp_path / "flat.mp4", (0,), draw=toy_clip.corners)
    clip = toy_clip.rewrap(flat, tmp_path / f"selfie.{container}", **MIRRORED[words])
    extract([clip], tmp_path / "out", EVERY)
    assert words in capsys.readouterr().out
    frame = read_image(tmp_path / "out" / "00001.png").astype(int)
    picture = toy_clip.corners(0, 64, 48)
    turn = int(words.rstrip("°").split()[-1]) // 90 if words.endswith("°") else 0
    if words.startswith("mirrored"):
        picture = picture[::-1] if "bottom" in words else picture[:, ::-1]
    wanted = np.rot90(picture, turn).astype(int)
    assert frame.shape == wanted.shape
    inside = np.s_[[8, 8, -8, -8], [8, -8, 8, -8]]
    assert np.abs(frame[inside] - wanted[inside]).max() < 12


@pytest.mark.parametrize("codec", ["ffv1", "libx265"], ids=["ffv1", "hevc lossless"])
def test_ten_bits_arrive_whole(toy_clip, tmp_path, codec):
    limited = (64 + np.arange(877).repeat(4)[: 64 * 48]).astype(np.uint16)  # every 10-bit studio level

    def ramp(_number, width, height):
        chroma = np.full(width * height // 2, 512, np.uint16)
        return np.concatenate([np.resize(limited, width * height), chroma]).reshape(-1, width)

    clip = toy_clip.make(
        tmp_path / "a.mkv", (0,), draw=ramp, pixels="yuv420p10le", pix_fmt="yuv420p10le", codec="ffv1"
    )
    if codec == "libx265":
        # Not by PyAV, whose x265 now and then gives packets that no muxer takes.
        whole = {"c:v": codec, "x265-params": "lossless=1:log-level=none"}
        ffmpeg.input(str(clip)).output(str(tmp_path / "b.mkv"), **whole).run(cmd=ffmpeg_binary(), quiet=True)
        clip = tmp_path / "b.mkv"
    extract([clip], tmp_path / "out", EVERY)
    frame = read_image(tmp_path / "out" / "00001.png")
    assert frame.dtype == np.uint16
    levels = np.unique(frame[..., 1])
    assert len(levels) == 768 and np.ptp(levels) == pytest.approx(65535 * 767 / 876, rel=0.01)


def test_odd_sizes_stay_as_they_are(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mkv", (0,), size=(63, 47), codec="ffv1", pix_fmt="yuv444p")
    extract([clip], tmp_path / "out", EVERY)
    assert read_image(tmp_path / "out" / "00001.png").shape == (47, 63, 3)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_the_clips_tags(toy_clip, tmp_path, matrix, full):
    """The weights of ITU-R BT.709-6 §3 and BT.601-7 §2.5 turn the same YUV into different RGB."""
    y, cb, cr = 150, 100, 170

    def flat(_number, width, height):
        planes = [
            np.full(width * height, y),
            np.full(width * height // 4, cb),
            np.full(width * height // 4, cr),
        ]
        return np.concatenate(planes).astype(np.uint8).reshape(-1, width)

    options = {"qp": "0", "x264-params": f"colormatrix={matrix}:fullrange={'on' if full else 'off'}"}
    clip = toy_clip.make(tmp_path / "a.mp4", (0,), draw=flat, pixels="yuv420p", options=options)
    extract([clip], tmp_path / "out", EVERY)
    kr, kb = (0.2126, 0.0722) if matrix == "bt709" else (0.299, 0.114)
    luma = y / 255 if full else (y - 16) / 219
    blue, red = ((c - 128) / (255 if full else 224) for c in (cb, cr))
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    pixel = read_image(tmp_path / "out" / "00001.png")[20, 20] / 255
    assert pixel == pytest.approx([r, g, b], abs=1.5 / 255)


def test_frames_of_several_clips_tell_their_clip(toy_clip, tmp_path, run_stage):
    for name in ("data_src_clips/Ann_1.mp4", "data_src_clips/ann_1.mkv", "data_src_clips/кот 🙂 'x'.mp4"):
        toy_clip.make(tmp_path / "w" / name, (0, 500))
    (tmp_path / "w/data_src_clips/notes.txt").write_text("hair: red")
    done = run_stage("extract_src", "--workspace", "w", "--format", "jpg", check=True)
    stems = ["Ann_1-mp4", "ann_1-mkv", "кот 🙂 'x'"]
    assert names(tmp_path / "w/data_src") == [f"{s}_{i:05d}.jpg" for s in stems for i in (1, 2)]
    assert "notes.txt" in done.stderr
    record = read_timestamps(tmp_path / "w/data_src")
    assert {f.name: f.clip for f in record.frames}["кот 🙂 'x'_00002.jpg"] == 2


def test_a_finished_set_is_left_alone(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4")
    extract([clip], tmp_path / "out", EVERY)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    extract([clip], tmp_path / "out", EVERY)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}


def test_frames_that_were_lost_come_back_and_the_others_stay(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4")
    extract([clip], tmp_path / "out", EVERY)
    lost = tmp_path / "out" / "00003.png"
    pixels = lost.read_bytes()
    before = {p: p.stat().st_mtime_ns for p in list_images(tmp_path / "out") if p != lost}
    lost.unlink()
    extract([clip], tmp_path / "out", EVERY)
    assert lost.read_bytes() == pixels
    assert before == {p: p.stat().st_mtime_ns for p in list_images(tmp_path / "out") if p != lost}


def test_other_settings_and_other_frames_are_refused_and_moved_only_when_asked(toy_clip, tmp_path, run_stage):
    toy_clip.make(tmp_path / "w" / "data_src.mp4", TENTHS)
    run_stage("extract_src", "--workspace", "w", "--fps", "5", check=True)
    first = names(tmp_path / "w/data_src")
    refused = run_stage("extract_src", "--workspace", "w", "--fps", "2")
    assert (
        refused.returncode == 2 and "fps 2.0 instead of 5.0" in refused.stderr and "--again" in refused.stderr
    )
    assert names(tmp_path / "w/data_src") == first
    run_stage("extract_src", "--workspace", "w", "--fps", "2", "--again", check=True)
    assert len(names(tmp_path / "w/data_src")) == 4
    assert names(tmp_path / "w/data_src_trash/001") == first
    (tmp_path / "w/data_src/timestamps.json").unlink()
    unknown = run_stage("extract_src", "--workspace", "w", "--fps", "2")
    assert unknown.returncode == 2 and "not made by this stage" in unknown.stderr


def test_a_changed_clip_of_the_same_name_is_noticed(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4")
    extract([clip], tmp_path / "out", EVERY)
    toy_clip.make(clip, TENTHS)
    with pytest.raises(UserError, match="already holds"):
        extract([clip], tmp_path / "out", EVERY)


def test_a_truncated_clip_gives_what_can_be_decoded_and_says_how_much(toy_clip, tmp_path, run_stage):
    whole = toy_clip.make(
        tmp_path / "whole.mp4", [33 * i for i in range(90)], container_options={"movflags": "faststart"}
    )
    data = whole.read_bytes()
    (tmp_path / "w").mkdir()
    (tmp_path / "w/data_dst.mp4").write_bytes(data[: len(data) * 7 // 10])
    done = run_stage("extract_dst", "--workspace", "w", check=True)
    kept = len(names(tmp_path / "w/data_dst"))
    assert 30 < kept < 90 and f"{kept} frames" in done.stderr and "cut short" in done.stderr
    assert len(read_timestamps(tmp_path / "w/data_dst").frames) == kept


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no clip"),
        (lambda path: path.write_text("this is no video"), "is no video"),
        (lambda path: path.write_bytes(b""), "is no video"),
    ],
    ids=["none", "text", "empty"],
)
def test_what_cannot_be_read_ends_with_two_and_says_what_to_type(tmp_path, run_stage, make, words):
    (tmp_path / "w").mkdir()
    make(tmp_path / "w" / "data_dst.mp4")
    done = run_stage("extract_dst", "--workspace", "w")
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert not list_images(tmp_path / "w/data_dst")


def test_missing_files_empty_folders_and_sound_alone_are_named(toy_clip, tmp_path):
    (tmp_path / "empty").mkdir()
    for given, words in (("gone.mp4", "no file"), ("empty", "no video in the folder"), (".", "no video in")):
        with pytest.raises(UserError, match=words):
            extract(find_clips(tmp_path / "data_src", tmp_path / given), tmp_path / "out", EVERY)
    with pytest.raises(UserError, match="is a folder"):
        extract([tmp_path / "empty"], tmp_path / "out", EVERY)
    toy_clip.make(tmp_path / "both.mp4", sound="aac")
    toy_clip.rewrap(tmp_path / "both.mp4", tmp_path / "sound.m4a", {"map": "0:a"})
    with pytest.raises(UserError, match="no moving picture"):
        extract([tmp_path / "sound.m4a"], tmp_path / "out", EVERY)
    assert not (tmp_path / "out").exists()


def test_the_destination_is_one_clip(toy_clip, tmp_path, run_stage):
    for name in ("data_dst.mp4", "data_dst.mov"):
        toy_clip.make(tmp_path / "w" / name, (0,))
    done = run_stage("extract_dst", "--workspace", "w")
    assert done.returncode == 2 and "data_dst.mov, data_dst.mp4" in done.stderr and "--input" in done.stderr


def test_a_forecast_that_does_not_fit_stops_before_the_first_frame(toy_clip, tmp_path, monkeypatch):
    clip = toy_clip.make(tmp_path / "a.mp4")
    usage = type(os)("usage")
    usage.free = 100
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)
    with pytest.raises(UserError, match="does not fit"):
        extract([clip], tmp_path / "out", EVERY)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_whole_frames_and_the_same_call_continues(toy_clip, tmp_path, monkeypatch):
    clip = toy_clip.make(tmp_path / "a.mp4", TENTHS)
    real, calls = os.fsync, []

    def full_after_eight(handle):
        calls.append(handle)
        if len(calls) > 8:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full_after_eight)
    with pytest.raises(OSError):
        extract([clip], tmp_path / "out", EVERY)
    monkeypatch.undo()
    begun = {path.name: path.stat().st_mtime_ns for path in list_images(tmp_path / "out")}
    assert begun and not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]
    assert len(extract([clip], tmp_path / "out", EVERY).frames) == 20
    after = {path.name: path.stat().st_mtime_ns for path in list_images(tmp_path / "out")}
    assert len(after) == 20 and after.items() >= begun.items()
    assert greys(tmp_path / "out") == pytest.approx([toy_clip.level(i) for i in range(20)], abs=2)


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_stopped_anywhere_it_keeps_whole_frames_and_continues(toy_clip, tmp_path, run_stage, sign, code):
    toy_clip.make(tmp_path / "w/data_dst.mp4", [33 * i for i in range(250)], size=(320, 240))
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.extract_dst", "--workspace", "w"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    while len(list_images(tmp_path / "w/data_dst")) < 5 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(sign)
    process.communicate()
    assert process.returncode == code
    begun = list_images(tmp_path / "w/data_dst")
    assert 5 <= len(begun) < 250 and all(read_image(path).shape == (240, 320, 3) for path in begun)
    kept = {path: path.stat().st_mtime_ns for path in begun}
    run_stage("extract_dst", "--workspace", "w", check=True)
    assert len(names(tmp_path / "w/data_dst")) == len(read_timestamps(tmp_path / "w/data_dst").frames) == 250
    assert kept == {path: path.stat().st_mtime_ns for path in begun}
    assert not list((tmp_path / "w/data_dst").glob(".*"))


def test_again_moves_nothing_away_where_the_clip_cannot_be_decoded(toy_clip, tmp_path) -> None:
    folder, choice = tmp_path / "data_dst", Choice()
    clip = tmp_path / "clip.mp4"
    toy_clip.make(clip)
    extract([clip], folder, choice)
    before = sorted(tmp_path.rglob("*"))
    clip.write_bytes(clip.read_bytes()[:400])
    with pytest.raises(UserError):
        extract([clip], folder, choice, again=True)
    assert sorted(tmp_path.rglob("*")) == before
