"""Files of strangers: decoded as any other, in a child that is measured, limited and stopped."""

import os
import signal
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from threading import Timer

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceswap.io.images import write_image
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.guarded import Guarded, Limits, TooLarge, Undecodable
from faceswap.media.pipes import Decoder
from faceswap.media.probe.video import probe

LIMITS = Limits(megapixels=4, clip_s=20, frames=400, decode_s=60, memory_mib=4096)


def decoded(path: Path, limits: Limits = LIMITS) -> list[tuple[float, NDArray[np.uint8]]]:
    with Guarded(path, limits) as file:
        return list(file.frames())


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG of a hundred bytes whose header promises width x height pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0")), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


@pytest.fixture(scope="module")
def second(demo_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 frames of an actor in Matroska, whose frames can be read without an index."""
    path = tmp_path_factory.mktemp("clip") / "second.mkv"
    command = [ffmpeg_binary(), "-loglevel", "error", "-i", str(demo_clips / "actor_a.mp4"), "-an"]
    subprocess.run([*command, "-c", "copy", "-frames:v", "25", str(path)], check=True)
    return path


def test_a_picture_arrives_as_it_was_written(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    write_image(tmp_path / "x.png", picture)
    ((time_s, found),) = decoded(tmp_path / "x.png")
    assert time_s == 0
    np.testing.assert_array_equal(found, picture)


@pytest.mark.parametrize("suffix", ["webp", "bmp", "avif", "tif", "float.tif"])
def test_photographs_of_the_usual_formats_arrive_and_are_measured_first(tmp_path: Path, suffix: str) -> None:
    picture = np.full((60, 90, 3), (200, 120, 40), np.uint8)
    path = tmp_path / f"x.{suffix}"
    if suffix == "float.tif":
        cv2.imwrite(str(path), picture[..., ::-1].astype(np.float32) / 255)
    else:
        Image.fromarray(picture).save(path)
    ((_, found),) = decoded(path)
    assert np.abs(found.astype(int) - picture).max() <= 6
    with pytest.raises(TooLarge, match="90x60 px"):
        decoded(path, replace(LIMITS, megapixels=0.005))


@pytest.mark.parametrize("suffix", ["tga", "ppm", "jp2"])
def test_formats_that_nobody_sends_are_not_opened(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (60, 90)).save(tmp_path / f"x.{suffix}")
    with pytest.raises(Undecodable):
        decoded(tmp_path / f"x.{suffix}")


def test_a_clip_arrives_as_it_is_decoded_elsewhere(second: Path) -> None:
    with Decoder(extract_command(probe(second), 0, False, ffmpeg_binary())) as decoder:
        expected = list(decoder.frames())
    found = decoded(second)
    assert [time_s for time_s, _ in found] == [time_s for time_s, _ in expected]
    for (_, frame), (_, other) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(frame, other)


def test_a_longer_clip_is_taken_in_even_steps_to_its_end(demo_clips: Path) -> None:
    found = decoded(demo_clips / "actor_a.mp4", replace(LIMITS, frames=16))
    numbers = np.round(np.array([time_s for time_s, _ in found]) * 25).astype(int)
    assert len(numbers) == 16
    assert numbers[0] == 0
    assert set(np.diff(numbers)) <= {12, 13}  # 200 frames in 16 steps


def test_a_header_that_promises_too_much_is_refused_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="60000x60000 px; at most 4 megapixels"):
        decoded(bomb(tmp_path / "x.png", 60000, 60000))


def test_a_clip_that_is_too_large_or_too_long_is_refused(demo_clips: Path) -> None:
    path = demo_clips / "actor_a.mp4"
    with pytest.raises(TooLarge, match="512x512 px"):
        decoded(path, replace(LIMITS, megapixels=0.2))
    with pytest.raises(TooLarge, match="8 s long; at most 7 s"):
        decoded(path, replace(LIMITS, clip_s=7))


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"]
)
def test_what_is_no_picture_and_no_clip_is_refused_without_naming_its_place(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Undecodable) as refused:
        decoded(tmp_path / "x")
    assert tmp_path.name not in refused.value.what


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_cut_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    path = (tmp_path / "x").with_suffix(suffix)
    write_image(path, np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(Undecodable, match="cut short"):
        decoded(path)


def test_a_list_of_other_files_is_not_followed(demo_clips: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes((demo_clips / "actor_a.mp4").read_bytes())
    listing = tmp_path / "upload"
    listing.write_text("ffconcat version 1.0\nfile clip.mp4\n")
    assert probe(listing).width == 512, "a decoder left to itself should follow it, or this tests nothing"
    with pytest.raises(Undecodable):
        decoded(listing)


def test_a_decoder_that_takes_too_long_is_stopped_with_all_it_started(demo_clips: Path) -> None:
    # No interpreter starts in a hundredth of a second.
    with pytest.raises(Undecodable, match=r"longer than 0\.01 s and was stopped"):
        decoded(demo_clips / "actor_a.mp4", replace(LIMITS, decode_s=0.01))
    assert not psutil.Process().children(recursive=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
def test_a_machine_that_is_busy_refuses_nothing(second: Path) -> None:
    guarded = Guarded(second, replace(LIMITS, decode_s=4))
    os.kill(guarded._process.pid, signal.SIGSTOP)
    # Longer by the clock than it may compute.
    Timer(5, os.kill, (guarded._process.pid, signal.SIGCONT)).start()
    with guarded as file:
        assert len(list(file.frames())) == 25


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
def test_a_decoder_that_does_nothing_is_stopped_by_the_clock(second: Path) -> None:
    guarded = Guarded(second, replace(LIMITS, decode_s=0.03))
    os.kill(guarded._process.pid, signal.SIGSTOP)
    with pytest.raises(Undecodable, match="and was stopped"), guarded:
        pass
    assert not psutil.Process().children(recursive=True)


def test_leaving_early_ends_the_decoder_and_its_ffmpeg(demo_clips: Path) -> None:
    with Guarded(demo_clips / "actor_a.mp4", LIMITS) as file:
        next(file.frames())
        running = psutil.Process().children(recursive=True)
        assert len(running) == 2
    assert not psutil.wait_procs(running, timeout=20)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its address space")
def test_a_decoder_that_wants_too_much_memory_ends_alone(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", np.zeros((2000, 2000, 3), np.uint8))
    with pytest.raises(Undecodable, match=r"gave up|allocate"):
        decoded(tmp_path / "x.png", replace(LIMITS, memory_mib=100))


def test_a_clip_that_was_cut_gives_what_is_left_of_it(second: Path, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(second.read_bytes()[: second.stat().st_size // 2])
    assert 5 < len(decoded(tmp_path / "cut")) < 24
