"""Interlaced clips become whole pictures, telecined ones the film's own; others stay as they are."""

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.images import as_uint8, read_image
from faceswap.media.cut import cut, parse_part
from faceswap.media.encode import Pictures, encode
from faceswap.media.encoders import choose_film
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.probe.survey import Deinterlace, surveyed
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice, Timestamps
from faceswap.media.timing import find_frames_timing
from faceswap.merge.stream import find_source
from faceswap.workspace import Workspace
from tests.toy_clip import rewrap

MOVED_PX = 5
Draw = Callable[[int, int, int], np.ndarray]
FLAGGED = ("-flags", "+ilme+ildct")
H264, HEVC = ("-c:v", "libx264", "-crf", "6"), ("-c:v", "libx265", "-crf", "6", "-x265-params", "log-level=0")
MPEG2, PRORES, FFV1 = ("-c:v", "mpeg2video", "-q:v", "2"), ("-c:v", "prores_ks"), ("-c:v", "ffv1")


def texture(number: int, width: int, height: int) -> np.ndarray:
    """A soft texture that moves to the right."""
    noise = np.random.default_rng(3).normal(size=(height, 512))
    soft = cv2.GaussianBlur(noise, (0, 0), 2.0)
    grey = np.clip(128 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)
    return np.dstack([np.roll(grey, MOVED_PX * number, 1)[:, :width]] * 3)


def still(_number: int, width: int, height: int) -> np.ndarray:
    return texture(0, width, height)


def film(
    folder: Path, rate: Fraction, count: int, *, draw: Draw = texture, size: tuple[int, int] = (128, 96)
) -> Path:
    """A progressive clip that loses nothing."""
    with av.open(str(folder / "film.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(number, *size), format="rgb24")))
        container.mux(stream.encode())
    return folder / "film.mkv"


def convert(source: Path, target: Path, filters: str, *words: str) -> Path:
    command = [ffmpeg_binary(), "-v", "error", "-y", "-i", str(source), "-vf", filters, *words, str(target)]
    subprocess.run(command, check=True)
    return target


def taken(clip: Path, folder: Path, deinterlace: Deinterlace = "auto") -> tuple[Timestamps, list[np.ndarray]]:
    record = extract([clip], folder, Choice(deinterlace=deinterlace))
    return record, [read_image(folder / frame.name) for frame in record.frames]


def far(frame: np.ndarray, number: int) -> float:
    """How much a frame differs from picture `number` of the texture."""
    picture = texture(number, *frame.shape[1::-1])
    return float(np.abs(as_uint8(frame).astype(float) - picture)[8:-8, 16:-16].mean())


INTERLACED = {
    "camcorder": ("mp4", "top", "fieldorder=tff", (*H264, *FLAGGED), (128, 96)),
    "DVD": ("mpg", "bottom", "fieldorder=bff", (*MPEG2, *FLAGGED), (160, 112)),
    "camera": ("mov", "top", "setfield=tff", (*PRORES, "-flags", "+ildct"), (128, 96)),
    "broadcast": ("ts", "top", "setfield=tff", (*H264, *FLAGGED), (96, 80)),
    "said to be progressive": ("mkv", "top", "setfield=prog", FFV1, (128, 96)),
    "bottom first, not said": ("avi", "bottom", "setfield=prog", H264, (128, 96)),
}


@pytest.mark.parametrize("kind", INTERLACED)
def test_interlaced_pictures_are_made_whole_at_the_time_of_their_first_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    suffix, first, mark, words, size = INTERLACED[kind]
    source = film(tmp_path, Fraction(50), 40, size=size)
    clip = convert(source, tmp_path / f"data_dst.{suffix}", f"tinterlace=interleave_{first},{mark}", *words)
    folder = tmp_path / "data_dst"
    record, frames = taken(clip, folder)
    assert "interlaced" in capsys.readouterr().out
    assert record.clips[0].geometry.fields == {"top": "tff", "bottom": "bff"}[first]
    assert len(frames) == 20
    times = np.array([frame.time_s for frame in record.frames])
    np.testing.assert_allclose(times - times[0], np.arange(20) / 25, atol=0.001)
    for number in range(2, 18):
        assert far(frames[number], 2 * number) < 0.5 * far(frames[number], 2 * number + 1)
    np.testing.assert_array_equal(list(find_source(Workspace(tmp_path), clip).frames()), frames)
    assert far(taken(clip, tmp_path / "off", "off")[1][9], 18) > 2 * far(frames[9], 18)
    pictures = Pictures([folder / frame.name for frame in record.frames])
    chosen = choose_film("h264", ffmpeg_binary(), quality=18)
    timing = find_frames_timing(folder, None, None)
    encode(tmp_path / "result.mp4", pictures, timing, chosen, sound=False, note="")
    with av.open(str(tmp_path / "result.mp4")) as made:
        shown = list(made.decode(video=0))
    assert len(shown) == 20 and not any(frame.interlaced_frame for frame in shown)
    assert probe(tmp_path / "result.mp4").end_s == pytest.approx(times[0] + 0.8, abs=0.002)


TELECINED = {
    "DVD": ("mpg", "top", "setfield=tff", (*MPEG2, *FLAGGED)),
    "bottom first": ("mp4", "bottom", "setfield=bff", (*H264, *FLAGGED, "-x264-params", "bff=1")),
    "said to be progressive": ("mkv", "top", "setfield=prog", FFV1),
    "capture": ("avi", "bottom", "setfield=prog", H264),
    "deep": ("mov", "top", "setfield=tff", (*PRORES, "-flags", "+ildct")),
}


@pytest.mark.parametrize("kind", TELECINED)
def test_telecined_film_gives_its_own_pictures_at_their_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    suffix, first, mark, words = TELECINED[kind]
    source = film(tmp_path, Fraction(24000, 1001), 48)
    clip = convert(source, tmp_path / f"a.{suffix}", f"telecine=first_field={first},{mark}", *words)
    record, frames = taken(clip, tmp_path / "frames")
    assert "telecine" in capsys.readouterr().out
    assert len(frames) == pytest.approx(48, abs=1)
    times = np.array([frame.time_s for frame in record.frames])
    np.testing.assert_allclose(times - times[0], np.arange(len(times)) * 1001 / 24000, atol=0.001)
    levels = np.unique(frames[20]).size
    assert levels > 512 if kind == "deep" else levels <= 256
    # Where a cycle is left out in part, at the ends, a picture may be the one beside.
    assert all(far(frame, number) < 3 for number, frame in list(enumerate(frames))[5:43])
    timing = find_frames_timing(tmp_path / "frames", None, None)
    assert timing.fps == pytest.approx(24000 / 1001)
    assert timing.end_s - times[0] == pytest.approx(48 * 1001 / 24000, abs=0.03)


WHOLE = {
    "progressive": ("mp4", "null", H264, texture),
    "said to be interlaced": ("ts", "setfield=tff", (*H264, *FLAGGED), texture),
    "said to be interlaced, bottom first": ("mov", "setfield=bff", (*PRORES, "-flags", "+ildct"), texture),
    "still": ("mp4", "setfield=tff", (*H264, *FLAGGED), still),
    "all key frames": ("avi", "null", ("-c:v", "mjpeg", "-q:v", "2"), texture),
    "film": ("mkv", "null", HEVC, texture),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_pictures_are_left_alone_whatever_is_said_of_them(tmp_path: Path, kind: str) -> None:
    suffix, mark, words, draw = WHOLE[kind]
    source = film(tmp_path, Fraction(30000, 1001), 30, draw=draw)
    clip = convert(source, tmp_path / f"a.{suffix}", mark, *words)
    record, frames = taken(clip, tmp_path / "frames")
    assert record.clips[0].geometry.fields is None
    np.testing.assert_array_equal(frames, taken(clip, tmp_path / "off", "off")[1])


def test_a_turned_interlaced_clip_is_made_whole_before_it_is_turned(tmp_path: Path) -> None:
    source = film(tmp_path, Fraction(50), 24)
    lying = convert(source, tmp_path / "lying.mp4", "tinterlace=interleave_top", *H264, *FLAGGED)
    _, plain = taken(lying, tmp_path / "plain")
    for degrees in (90, 180, 270):
        clip = rewrap(lying, tmp_path / f"{degrees}.mp4", display_rotation=degrees)
        _, frames = taken(clip, tmp_path / f"{degrees}")
        for frame, upright in zip(frames, plain, strict=True):
            np.testing.assert_allclose(frame, np.rot90(upright, degrees // 90), atol=3)


def test_frames_made_otherwise_are_not_mixed_and_whole_clips_are_deinterlaced_when_asked(
    tmp_path: Path,
) -> None:
    source = film(tmp_path, Fraction(50), 24)
    clip = convert(source, tmp_path / "a.mp4", "tinterlace=interleave_top", *H264, *FLAGGED)
    taken(clip, tmp_path / "frames", "off")
    with pytest.raises(UserError, match="other frames"):
        taken(clip, tmp_path / "frames")
    record, frames = taken(source, tmp_path / "whole", "on")
    assert record.clips[0].geometry.fields == "tff"
    assert len(frames) == 24


@pytest.mark.parametrize("first", ["top", "bottom"])
def test_a_part_cut_out_of_an_interlaced_clip_is_interlaced_in_the_same_order(
    tmp_path: Path, first: str
) -> None:
    source = film(tmp_path, Fraction(50), 40)
    mark = {"top": "tff", "bottom": "bff"}[first]
    filters = f"tinterlace=interleave_{first},setfield={mark}"
    clip = convert(source, tmp_path / "a.mov", filters, *PRORES, "-flags", "+ildct")
    cut(surveyed(probe(clip)), parse_part("0.2", "0.7"), tmp_path / "b.mp4", quality=4, sound=None)
    assert surveyed(probe(tmp_path / "b.mp4")).geometry.fields == mark
    with av.open(str(tmp_path / "b.mp4")) as made:
        assert all(frame.interlaced_frame for frame in made.decode(video=0))


@pytest.mark.parametrize("size", ["160x128", "640x480"])
def test_a_pattern_that_moves_down_is_not_taken_for_fields(tmp_path: Path, size: str) -> None:
    """ffmpeg's own detector takes its test picture for interlaced."""
    given = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=1", *H264, str(tmp_path / "a.mp4")]
    subprocess.run([ffmpeg_binary(), "-v", "error", *given], check=True)
    assert surveyed(probe(tmp_path / "a.mp4")).geometry.fields is None
