import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from faceswap import __version__
from faceswap.io.files import list_images
from faceswap.io.images import write_image
from faceswap.media.extract import extract
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice
from stages.encode import Settings, main

REPOSITORY = Path(__file__).parents[2]


def heed_ctrl_c():
    """Shells start background jobs deaf to Ctrl-C, and children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def encode(tmp_path, *words):
    """The stage inside this process, which saves its start."""
    main(Settings.parse(["--workspace", str(tmp_path / "w"), *words]))


@pytest.fixture
def merged(toy_clip, tmp_path):
    """A workspace w whose merged frames are the frames themselves, made from a clip with the given facts."""

    def make(name="data_dst.mp4", masks=True, **facts):
        clip = toy_clip.make(tmp_path / "w" / name, **facts)
        folder = tmp_path / "w/data_dst"
        made = extract([clip], folder, Choice())
        for kind in ("merged", "merged_mask")[: 1 + masks]:
            (folder / kind).mkdir()
            for frame in made.frames:
                os.link(folder / frame.name, folder / kind / frame.name)
        return clip

    return make


def test_every_frame_keeps_its_time_and_the_sound_its_offset(toy_clip, merged, tmp_path):
    clip = merged(sound="aac")
    encode(tmp_path)
    for name in ("result.mp4", "result_mask.mp4"):
        times, frames = toy_clip.shown(tmp_path / "w" / name)
        assert [1000 * t for t in times] == pytest.approx(toy_clip.VARIABLE_MS, abs=1)
        assert [f.mean() for f in frames] == pytest.approx([toy_clip.level(i) for i in range(7)], abs=3)
    assert toy_clip.click_s(tmp_path / "w/result.mp4") == pytest.approx(toy_clip.click_s(clip), abs=0.02)
    assert toy_clip.click_s(tmp_path / "w/result.mp4") == pytest.approx(toy_clip.CLICK_S, abs=0.02)
    facts = probe(tmp_path / "w/result.mp4")
    assert facts.codec == "h264" and facts.audio_codec == "aac"
    assert not probe(tmp_path / "w/result_mask.mp4").has_audio


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_sound_that_mp4_carries_is_copied_bit_for_bit(merged, tmp_path):
    clip = merged(sound="aac", masks=False)
    encode(tmp_path)
    assert packets(tmp_path / "w/result.mp4") == packets(clip)


@pytest.mark.parametrize(("name", "sound"), [("data_dst.mov", "pcm_s16le"), ("data_dst.mkv", "flac")])
def test_other_sound_is_encoded_and_stays_in_step(toy_clip, merged, tmp_path, name, sound, capsys):
    late = [120 + time_ms for time_ms in toy_clip.VARIABLE_MS]
    merged(name=name, sound=sound, times_ms=late, masks=False)
    encode(tmp_path)
    assert "AAC" in capsys.readouterr().out
    result = tmp_path / "w/result.mp4"
    assert [1000 * t for t in toy_clip.shown(result)[0]] == pytest.approx(late, abs=1)
    assert toy_clip.click_s(result) == pytest.approx(toy_clip.CLICK_S, abs=0.02)


def test_a_clip_that_starts_late_on_its_own_clock_stays_in_step(toy_clip, merged, tmp_path):
    """A transport stream's clock starts at 1.4 s, and sound and pictures at different times of it."""
    source = toy_clip.make(tmp_path / "a.mp4", [80 + 40 * i for i in range(12)], sound="aac")
    stream = toy_clip.rewrap(source, tmp_path / "b.ts")
    extract([stream], tmp_path / "w/data_dst", Choice())
    (tmp_path / "w/data_dst/merged").mkdir()
    for path in list_images(tmp_path / "w/data_dst"):
        os.link(path, path.parent / "merged" / path.name)
    encode(tmp_path)
    result = tmp_path / "w/result.mp4"
    gap_s = toy_clip.click_s(stream) - toy_clip.shown(stream)[0][0]
    assert toy_clip.click_s(result) - toy_clip.shown(result)[0][0] == pytest.approx(gap_s, abs=0.02)


def test_both_files_say_that_they_are_synthetic_and_by_which_tool(merged, tmp_path):
    merged()
    encode(tmp_path)
    for name in ("result.mp4", "result_mask.mp4"):
        with av.open(str(tmp_path / "w" / name)) as container:
            for tag in ("comment", "description"):
                text = container.metadata[tag]
                assert "ynthetic" in text and f"faceswap-workbench {__version__}" in text


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colours_come_back_as_they_were_and_are_tagged(toy_clip, merged, tmp_path, matrix):
    options = {"x264-params": f"colormatrix={matrix}"}
    clip = merged(times_ms=(0, 40), draw=toy_clip.pastels, masks=False, options=options)
    encode(tmp_path, "--quality", "4")
    planes = []
    for path in (clip, tmp_path / "w/result.mp4"):
        with av.open(str(path)) as container:
            planes.append(next(container.decode(video=0)).to_ndarray(format="yuv420p").astype(float))
    assert np.abs(planes[0] - planes[1]).mean() < 1.5
    assert abs((planes[0] - planes[1]).mean()) < 0.3
    color = probe(tmp_path / "w/result.mp4").color
    assert color.matrix == matrix and not color.full_range


def test_odd_sizes_are_padded_by_repeating_and_it_is_said(merged, tmp_path, toy_clip, capsys):
    merged(name="data_dst.mkv", codec="ffv1", pix_fmt="yuv444p", size=(63, 47), draw=toy_clip.corners)
    encode(tmp_path)
    assert "63x47 padded to 64x48" in capsys.readouterr().out
    frame = toy_clip.shown(tmp_path / "w/result.mp4")[1][0].astype(int)
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[-1] - frame[-2]).max() < 30 and np.abs(frame[:, -1] - frame[:, -2]).max() < 30


def test_a_single_frame_without_sound_is_a_video(toy_clip, merged, tmp_path):
    merged(times_ms=(0,))
    encode(tmp_path)
    assert len(toy_clip.shown(tmp_path / "w/result.mp4")[1]) == 1


def test_an_empty_workspace_is_told_where_to_begin(tmp_path, run_stage):
    (tmp_path / "w").mkdir()
    done = run_stage("encode", "--workspace", "w")
    assert done.returncode == 2 and "python -m stages.extract_dst" in done.stderr


def test_a_missing_frame_is_named_with_the_command_that_makes_it(merged, tmp_path, run_stage):
    merged()
    (tmp_path / "w/data_dst/merged/00003.png").unlink()
    done = run_stage("encode", "--workspace", "w")
    assert done.returncode == 2 and "00003" in done.stderr and "type: python -m stages.merge" in done.stderr
    (tmp_path / "w/data_dst/00003.png").unlink()
    without = run_stage("encode", "--workspace", "w").stderr
    assert "type: python -m stages.extract_dst" in without and "then python -m stages.merge" in without
    assert not (tmp_path / "w/result.mp4").exists()


@pytest.mark.parametrize("fault", ["cut", "size"])
def test_a_damaged_frame_is_named_and_the_older_result_stays(merged, tmp_path, run_stage, fault):
    merged()
    bad = tmp_path / "w/data_dst/merged/00005.png"
    data = bad.read_bytes()
    bad.unlink()
    if fault == "cut":
        bad.write_bytes(data[: len(data) // 2])
    else:
        write_image(bad, np.zeros((50, 64, 3), np.uint8))
    (tmp_path / "w/result.mp4").write_bytes(b"older")
    done = run_stage("encode", "--workspace", "w")
    assert done.returncode == 2 and "00005.png" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "w/result.mp4").read_bytes() == b"older"
    assert not list((tmp_path / "w").glob(".*"))


def test_a_disk_that_fills_up_leaves_the_older_result(merged, tmp_path):
    """A limit on the size of files stands for the full disk: ffmpeg cannot write on."""
    resource = pytest.importorskip("resource", reason="limits on file sizes exist on POSIX systems only")
    merged(
        size=(320, 240), draw=lambda n, w, h: np.random.default_rng(n).integers(0, 255, (h, w, 3), np.uint8)
    )
    (tmp_path / "w/result.mp4").write_bytes(b"older")
    done = subprocess.run(
        [sys.executable, "-m", "stages.encode", "--workspace", "w"], cwd=tmp_path, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, encoding="utf-8",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )  # fmt: skip
    assert done.returncode == 2 and "could not write" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "w/result.mp4").read_bytes() == b"older"
    assert not list((tmp_path / "w").glob(".*"))


def test_without_times_the_clips_rate_is_used_and_said(toy_clip, merged, tmp_path, run_stage, capsys):
    merged(times_ms=[40 * i for i in range(6)])
    (tmp_path / "w/data_dst/timestamps.json").unlink()
    encode(tmp_path)
    assert "no timestamps.json" in capsys.readouterr().err
    assert len(toy_clip.shown(tmp_path / "w/result.mp4")[1]) == 6
    (tmp_path / "w/data_dst.mp4").unlink()
    done = run_stage("encode", "--workspace", "w")
    assert done.returncode == 2 and "--fps" in done.stderr
    encode(tmp_path, "--fps", "10")
    assert toy_clip.shown(tmp_path / "w/result.mp4")[0][-1] == pytest.approx(0.5, abs=0.001)


def test_ctrl_c_leaves_no_half_result_and_ends_with_130(toy_clip, merged, tmp_path):
    merged(times_ms=[33 * i for i in range(200)], size=(320, 240), masks=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.encode", "--workspace", "w", "--quality", "0"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    while not list((tmp_path / "w").glob(".result.*.tmp*")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate()
    assert process.returncode == 130 and b"Traceback" not in words
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == ["data_dst", "data_dst.mp4"]
