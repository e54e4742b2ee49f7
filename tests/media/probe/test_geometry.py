"""Frames have square pixels and one size; films get the clip's own shape back."""

import subprocess
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.images import as_uint8, read_image
from faceswap.media.cut import cut, parse_part
from faceswap.media.encode import Pictures, as_fed, encode, encode_frames
from faceswap.media.encoders import choose_film
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.guarded import Guarded, Limits
from faceswap.media.probe.geometry import Geometry
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import probe, sample_frames
from faceswap.media.timestamps import Choice, read_timestamps, write_timestamps
from faceswap.media.timing import find_frames_timing
from faceswap.merge.stream import find_source
from faceswap.workspace import Workspace
from tests.toy_clip import make, rewrap

TIMES_MS = tuple(range(0, 400, 40))


def disc(_number: int, width: int, height: int) -> np.ndarray:
    """A white disc of 64 px in the middle of black."""
    frame = np.zeros((height, width, 3), np.uint8)
    return cv2.circle(frame, (width // 2, height // 2), 32, (255, 255, 255), -1, cv2.LINE_AA)


def extent(frame: np.ndarray) -> tuple[float, float]:
    """Width and height in px of what is white, from the area of the disc's middle lines."""
    grey = frame[..., 1] / np.iinfo(frame.dtype).max
    return float(grey.sum(1).max()), float(grey.sum(0).max())


def convert(source: Path, target: Path, *words: str) -> Path:
    command = [ffmpeg_binary(), "-v", "error", "-y", "-i", str(source), *words, str(target)]
    subprocess.run(command, check=True)
    return target


def joined(target: Path, *parts: Path) -> Path:
    """Recordings one after the other; where bytes cannot be put together, their packets."""
    if target.suffix in (".ts", ".mpg", ".mjpeg", ".h264"):
        target.write_bytes(b"".join(part.read_bytes() for part in parts))
        return target
    names = target.with_suffix(".txt")
    names.write_text("".join(f"file '{part.name}'\n" for part in parts))
    command = [ffmpeg_binary(), "-v", "error", "-f", "concat", "-i", str(names), "-c", "copy", str(target)]
    subprocess.run(command, check=True)
    return target


def taken(clip: Path, folder: Path) -> list[np.ndarray]:
    record = extract([clip], folder, Choice())
    return [read_image(folder / frame.name) for frame in record.frames]


def film(folder: Path, target: Path, codec: str = "h264") -> Path:
    pictures = [path for path in sorted(folder.iterdir()) if path.suffix == ".png"]
    chosen = choose_film(codec, ffmpeg_binary(), quality=8)
    target = target.with_suffix(chosen.codec.suffix)
    encode(target, Pictures(pictures), find_frames_timing(folder, None, None), chosen, sound=False, note="")
    return target


STRETCHED = {
    "PAL wide screen": ("mp4", ["-vf", "scale=90:96,setsar=64/45", "-c:v", "libx264"], (64, 45)),
    "NTSC": ("mkv", ["-vf", "scale=140:96,setsar=10/11", "-c:v", "libx264"], (10, 11)),
    "HDV": ("ts", ["-vf", "scale=96:96,setsar=4/3", "-c:v", "mpeg2video", "-q:v", "2"], (4, 3)),
    "DVCPRO HD": ("mov", ["-vf", "scale=96:96,setsar=4/3", "-c:v", "prores_ks"], (4, 3)),
    "half the lines": ("avi", ["-vf", "scale=128:48,setsar=1/2", "-c:v", "ffv1"], (1, 2)),
}


@pytest.mark.parametrize("kind", STRETCHED)
def test_frames_have_square_pixels_and_films_the_clips_own(tmp_path: Path, kind: str) -> None:
    suffix, words, aspect = STRETCHED[kind]
    source = make(tmp_path / "square.mkv", TIMES_MS, size=(128, 96), draw=disc)
    clip = convert(source, tmp_path / f"data_dst.{suffix}", *words)
    folder = tmp_path / "data_dst"
    frames = taken(clip, folder)
    wide, high = extent(frames[4])
    assert wide / high == pytest.approx(1, abs=0.025)
    stored = probe(clip)
    assert min(frames[0].shape[:2]) >= min(stored.width, stored.height)
    assert len(next(sample_frames(stored, deep=False))) == frames[0].shape[0]
    streamed = list(find_source(Workspace(tmp_path), clip).frames())
    np.testing.assert_array_equal(streamed, frames)
    made = probe(film(folder, tmp_path / "result"))
    assert (made.width, made.height, made.sample_aspect) == (stored.width, stored.height, aspect)
    assert surveyed(made).frame_size == frames[0].shape[1::-1]


def test_a_turned_clip_is_stretched_the_way_it_is_shown(tmp_path: Path) -> None:
    source = make(tmp_path / "square.mkv", TIMES_MS, size=(128, 96), draw=disc)
    lying = convert(source, tmp_path / "lying.mp4", "-vf", "scale=96:96,setsar=4/3", "-c:v", "libx264")
    clip = rewrap(lying, tmp_path / "data_dst.mp4", display_rotation=90)
    frames = taken(clip, tmp_path / "data_dst")
    assert frames[0].shape == (128, 96, 3)
    wide, high = extent(frames[4])
    assert wide / high == pytest.approx(1, abs=0.025)
    made = probe(film(tmp_path / "data_dst", tmp_path / "result"))
    assert (made.width, made.height, made.sample_aspect) == (96, 96, (3, 4))


def test_pictures_come_back_as_they_were_stored(tmp_path: Path) -> None:
    source = make(tmp_path / "square.mkv", TIMES_MS, size=(128, 96), draw=disc)
    clip = convert(source, tmp_path / "a.mkv", "-vf", "scale=96:96,setsar=4/3", "-c:v", "libx264", "-qp", "0")
    taken(clip, tmp_path / "frames")
    made = film(tmp_path / "frames", tmp_path / "result")
    before, after = (
        next(av.open(str(path)).decode(video=0)).to_ndarray(format="gray").astype(float)
        for path in (clip, made)
    )
    assert np.abs(before - after).mean() < 1.5


@pytest.mark.parametrize(("size", "codec"), [((90, 96), "ffv1"), ((91, 95), "h264"), ((90, 96), "png")])
def test_odd_sizes_lossless_films_and_picture_sequences(
    tmp_path: Path, size: tuple[int, int], codec: str
) -> None:
    source = make(tmp_path / "square.mkv", TIMES_MS[:2], size=(128, 96), draw=disc)
    scale = f"scale={size[0]}:{size[1]},setsar=64/45"
    clip = convert(source, tmp_path / "a.avi", "-vf", scale, "-c:v", "ffv1", "-pix_fmt", "yuv444p")
    frames = taken(clip, tmp_path / "frames")
    if codec == "png":
        timing = find_frames_timing(tmp_path / "frames", None, None)
        chosen = choose_film(codec, ffmpeg_binary(), quality=8)
        fed = (as_fed(frame, chosen) for frame in frames)
        encode_frames(tmp_path / "result_png", fed, timing, chosen, sound=False, note="")
        written = read_image(next((tmp_path / "result_png").glob("*.png")))
        assert written.shape == frames[0].shape
        made = probe(film(tmp_path / "result_png", tmp_path / "again"))
    else:
        made = probe(film(tmp_path / "frames", tmp_path / "result", codec))
    even = tuple(length + length % 2 for length in size)
    assert (made.width, made.height, made.sample_aspect) == (*even, (64, 45))


@pytest.mark.parametrize(("aspect", "suffix"), [("50/1", "nut"), ("1/50", "mp4"), ("0/1", "mov")])
def test_shapes_that_cannot_be_are_ignored_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], aspect: str, suffix: str
) -> None:
    source = make(tmp_path / "square.mkv", TIMES_MS[:3], size=(128, 96), draw=disc)
    told = f"setsar={aspect}:max=100000"
    clip = convert(source, tmp_path / f"a.{suffix}", "-vf", told, "-c:v", "libx264")
    assert taken(clip, tmp_path / "frames")[0].shape == (96, 128, 3)
    assert ("taken as square" in capsys.readouterr().out) == (aspect != "0/1")
    made = probe(film(tmp_path / "frames", tmp_path / "result"))
    assert (made.width, made.height, made.sample_aspect) == (128, 96, (1, 1))


def test_frames_of_an_earlier_version_are_not_mixed_with_square_ones(tmp_path: Path) -> None:
    source = make(tmp_path / "square.mkv", TIMES_MS[:3], size=(128, 96), draw=disc)
    clip = convert(source, tmp_path / "a.mkv", "-vf", "scale=96:96,setsar=4/3", "-c:v", "ffv1")
    taken(clip, tmp_path / "frames")
    record = read_timestamps(tmp_path / "frames")
    assert record is not None
    stored = record.clips[0].model_copy(update={"geometry": Geometry()})
    write_timestamps(tmp_path / "frames", record.model_copy(update={"clips": (stored,)}))
    with pytest.raises(UserError) as caught:
        taken(clip, tmp_path / "frames")
    assert "made 128x96 with square pixels instead of as its pictures are stored" in caught.value.found


def part(folder: Path, name: str, size: tuple[int, int], *words: str) -> Path:
    source = make(folder / f"{name}.mkv", TIMES_MS, size=(128, 96), draw=disc, options={"qp": "0"})
    crop = f"crop={min(size[0], 128)}:{min(size[1], 96)},pad={size[0]}:{size[1]}:(ow-iw)/2:(oh-ih)/2"
    return convert(source, folder / name, "-vf", f"{crop},setsar=1", "-an", "-r", "25", *words)


H264, HEVC = (
    ("-c:v", "libx264", "-crf", "10"),
    ("-c:v", "libx265", "-crf", "10", "-x265-params", "log-level=0"),
)
MPEG2, MJPEG = ("-c:v", "mpeg2video", "-q:v", "2"), ("-c:v", "mjpeg", "-q:v", "2")
CHANGING = {
    "grows": ("ts", H264, (80, 72), (128, 96)),
    "shrinks": ("ts", HEVC, (128, 96), (80, 72)),
    "turns": ("ts", H264, (128, 72), (72, 128)),
    "broadcast": ("mpg", MPEG2, (96, 96), (128, 96)),
    "camera": ("mjpeg", MJPEG, (96, 80), (128, 96)),
    "raw": ("h264", H264, (96, 80), (128, 96)),
    "web": ("webm", ("-c:v", "libvpx", "-b:v", "2M", "-deadline", "realtime"), (96, 80), (128, 96)),
    "stream": ("flv", H264, (128, 96), (96, 80)),
    "film": ("mov", ("-c:v", "prores_ks"), (96, 80), (128, 96)),
}


@pytest.mark.parametrize("kind", CHANGING)
def test_pictures_of_several_sizes_become_frames_of_one_undistorted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    suffix, words, first, second = CHANGING[kind]
    parts = [part(tmp_path, f"{n}.{suffix}", size, *words) for n, size in enumerate((first, second))]
    clip = joined(tmp_path / f"data_dst.{suffix}", *parts)
    frames = taken(clip, tmp_path / "data_dst")
    largest = max(first[0], second[0]), max(first[1], second[1])
    assert {frame.shape for frame in frames} == {(largest[1], largest[0], 3)}
    # At such a change the decoder of MPEG-2 swallows a picture.
    assert len(frames) == 2 * len(TIMES_MS) - (kind == "broadcast")
    for frame, size in ((frames[2], first), (frames[-2], second)):
        assert extent(frame) == pytest.approx((64, 64), abs=1.5)
        left, top = (largest[0] - size[0]) // 2, (largest[1] - size[1]) // 2
        edges = as_uint8(frame)
        assert edges[: top // 2 * 2].max(initial=0) <= 1 and edges[:, : left // 2 * 2].max(initial=0) <= 1
    said = capsys.readouterr().out
    padded = [size for size in (first, second) if size != largest]
    for size in padded:
        assert f"on {size[0]}x{size[1]}, padded to {largest[0]}x{largest[1]}" in said
    streamed = list(find_source(Workspace(tmp_path), clip).frames())
    np.testing.assert_array_equal(streamed, frames)
    made = probe(film(tmp_path / "data_dst", tmp_path / "result"))
    assert (made.width, made.height, made.sample_aspect) == (*largest, (1, 1))


def test_the_shape_of_pixels_may_change_alone(tmp_path: Path) -> None:
    """As broadcasts do between a programme and its advertisements."""
    source = make(tmp_path / "square.mkv", TIMES_MS, size=(128, 96), draw=disc)
    parts = [
        convert(source, tmp_path / f"{n}.ts", "-vf", f"scale={scale},setsar={shape}", "-an", *H264)
        for n, (scale, shape) in enumerate((("96:96", "4/3"), ("96:54", "4/3"), ("96:72", "1")))
    ]
    # The second is cropped to the size of the third, so that only the shape changes between these.
    parts[1] = convert(source, tmp_path / "1.ts", "-vf", "scale=96:96,crop=96:72,setsar=4/3", "-an", *H264)
    parts[2] = convert(source, tmp_path / "2.ts", "-vf", "crop=96:72,setsar=1", "-an", *H264)
    frames = taken(joined(tmp_path / "a.ts", *parts), tmp_path / "frames")
    assert {frame.shape for frame in frames} == {(96, 128, 3)}
    for place in (4, 14, 24):
        assert extent(frames[place]) == pytest.approx((64, 64), abs=2)


def test_cuts_and_judged_strangers_files_are_of_one_size_too(tmp_path: Path) -> None:
    parts = [part(tmp_path, f"{n}.ts", size, *H264) for n, size in enumerate(((80, 72), (128, 96)))]
    clip = joined(tmp_path / "a.ts", *parts)
    cut(surveyed(probe(clip)), parse_part("0.2", "0.6"), tmp_path / "b.mp4", quality=4, sound=None)
    limits = Limits(megapixels=1, clip_s=10, frames=100, decode_s=30, memory_mib=4096)
    with Guarded(clip, limits) as guarded:
        judged = [frame.copy() for _, frame in guarded.frames()]
    with av.open(str(tmp_path / "b.mp4")) as container:
        kept = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for frames in (judged, kept):
        assert {frame.shape for frame in frames} == {(96, 128, 3)}
        assert extent(frames[1]) == pytest.approx((64, 64), abs=1.5)
        assert extent(frames[-2]) == pytest.approx((64, 64), abs=1.5)
    with pytest.raises(UserError, match="megapixels"), Guarded(clip, replace(limits, megapixels=0.008)):
        pass
