import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.media.cut import parse_time, read_list
from faceswap.media.probe.video import probe
from stages.cut import Settings, main

TIMES_MS = tuple(40 * i for i in range(20))


def cut(clip, *words):
    main(Settings.parse(["--input", str(clip), *words]))


def numbers(toy_clip, path):
    """Which frames of the toy clip are shown."""
    return [round((frame.mean() - toy_clip.level(0)) / 9) for frame in toy_clip.shown(path)[1]]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("0.2", "0.4", range(5, 10)),  # the frame shown at the end is the first one left out
        ("00:00:00.201", "0:0.399", range(6, 10)),  # between frames: those that begin inside
        ("0", "0.08", range(2)),
        ("0.5", "0", range(13, 20)),  # zero is the end, as in DeepFaceLab (deepfacelab.md §12)
    ],
)
def test_a_part_is_exact_to_the_frame(toy_clip, tmp_path, suffix, start, end, shown):
    clip = toy_clip.make(tmp_path / f"a.{suffix}", TIMES_MS, options={"bf": "2"})
    cut(clip, "--start", start, "--end", end)
    result = tmp_path / f"a_cut.{suffix}"
    assert numbers(toy_clip, result) == list(shown)
    times, _ = toy_clip.shown(result)
    assert [1000 * t for t in times] == pytest.approx([40 * i for i in range(len(shown))], abs=1)


def test_frames_of_variable_rate_keep_their_distances(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4")
    # People read 33 where a third of a tenth of a second is meant.
    cut(clip, "--start", "0.0334", "--end", "0.5004")
    result = tmp_path / "a_cut.mp4"
    assert numbers(toy_clip, result) == [1, 2, 3, 4]
    assert [1000 * t for t in toy_clip.shown(result)[0]] == pytest.approx([0, 17, 167, 200], abs=1)


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_sound_stays_in_step(toy_clip, tmp_path, sound):
    clip = toy_clip.make(tmp_path / "a.mkv", TIMES_MS, sound=sound)
    cut(clip, "--start", "0.12", "--end", "0.6")
    result = tmp_path / "a_cut.mkv"
    assert probe(result).audio_codec == sound
    assert toy_clip.click_s(result) == pytest.approx(toy_clip.CLICK_S - 0.12, abs=0.02)
    cut(clip, "--start", "0.12", "--no-sound", "--again")
    assert not probe(result).has_audio


def test_a_transport_streams_own_clock_does_not_shift_the_part(toy_clip, tmp_path):
    clip = toy_clip.rewrap(toy_clip.make(tmp_path / "a.mp4", TIMES_MS, sound="aac"), tmp_path / "b.ts")
    start = toy_clip.shown(clip)[0][6]
    cut(clip, "--start", f"{start:.3f}", "--end", f"{start + 0.12:.3f}")
    assert numbers(toy_clip, tmp_path / "b_cut.mp4") == [6, 7, 8]


def test_one_sound_track_is_chosen_by_its_number(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mkv", TIMES_MS, sound="aac")
    cut(clip, "--audio-track", "0")
    assert probe(tmp_path / "a_cut.mkv").has_audio
    with pytest.raises(UserError, match="no sound track 2"):
        cut(clip, "--audio-track", "2", "--again")


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_layout_depth_and_colour_tags_stay(toy_clip, tmp_path, pix_fmt):
    tags = {"x264-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:fullrange=on"}
    clip = toy_clip.make(tmp_path / "a.mp4", TIMES_MS, pix_fmt=pix_fmt, draw=toy_clip.pastels, options=tags)
    cut(clip, "--end", "0.2")
    planes = []
    for path in (clip, tmp_path / "a_cut.mp4"):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            planes.append(np.frombuffer(frame.planes[0], np.uint8).astype(int))
            facts = frame.format.name, frame.colorspace, frame.color_range
    assert np.abs(planes[0][::2] - planes[1][::2]).mean() < 6
    assert facts[0].replace("j", "") == pix_fmt and tuple(map(int, facts[1:])) == (9, 2)
    before, after = probe(clip), probe(tmp_path / "a_cut.mp4")
    assert (before.color, before.bit_depth) == (after.color, after.bit_depth)


def test_an_rgb_clip_keeps_its_colours(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mkv", (0, 40), codec="ffv1", pix_fmt="bgr0", draw=toy_clip.pastels)
    cut(clip)
    before, after = (toy_clip.shown(path)[1][1].astype(int) for path in (clip, tmp_path / "a_cut.mkv"))
    assert np.abs(before - after).max() <= 3


def test_a_list_makes_a_file_of_each_part(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4", TIMES_MS)
    (tmp_path / "cuts.txt").write_text("# two\n0:00.08 0:00.16  # first\n\n0.4, 0.48\n")
    cut(clip, "--list", str(tmp_path / "cuts.txt"))
    assert numbers(toy_clip, tmp_path / "a_cut_001.mp4") == [2, 3]
    assert numbers(toy_clip, tmp_path / "a_cut_002.mp4") == [10, 11]
    (tmp_path / "bad.txt").write_text("0 1\n2\n")
    with pytest.raises(UserError, match="line 2"):
        read_list(tmp_path / "bad.txt")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:01:02.500", 62.5), ("1:02.5", 62.5), ("62.5", 62.5), ("01:00:00", 3600), ("0", 0)],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-1", "ten", "1e3", "12:"])
def test_other_words_are_no_time(text):
    with pytest.raises(UserError, match="is no time"):
        parse_time(text)


def test_what_cannot_be_cut_is_said(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4", TIMES_MS)
    for words, said in (
        (("--start", "5"), "shows no frame"),
        (("--start", "0.4", "--end", "0.2"), "is empty"),
        (("--start", "0.41", "--end", "0.43"), "shows no frame"),
    ):
        with pytest.raises(UserError, match=said):
            cut(clip, *words)
    (tmp_path / "a_cut.mp4").write_bytes(b"older")
    with pytest.raises(UserError, match="there already"):
        cut(clip)
    assert (tmp_path / "a_cut.mp4").read_bytes() == b"older"
    with pytest.raises(UserError, match="no clip was named"):
        main(Settings.parse([]))


def test_ctrl_c_leaves_nothing_half_written(toy_clip, tmp_path):
    toy_clip.make(tmp_path / "a.mp4", [33 * i for i in range(400)], size=(320, 240))
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.cut", "--input", "a.mp4", "--quality", "0"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, stderr=subprocess.PIPE,
        # Shells start background jobs deaf to Ctrl-C, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    while not list(tmp_path.glob(".a_cut.*")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate()
    assert process.returncode == 130 and b"Traceback" not in words
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
