"""When frames are shown and stay, and whether a file is whole, in every container."""

import av
import numpy as np
import pytest

from faceswap.media.extract import extract
from faceswap.media.probe.damage import is_cut_short
from faceswap.media.probe.stretch import Part, find_stretch
from faceswap.media.probe.video import probe, sample_frames
from faceswap.media.timestamps import Choice

TIMES_MS = tuple(40 * i for i in range(30))
H264 = {"vcodec": "libx264", "g": 25}
MPEG2 = {"vcodec": "mpeg2video", "g": 12, "bf": 2}
# (name, options of the clip that is cut without encoding)
LOSSLESS = [
    ("a.mp4", H264 | {"bf": 2}),
    ("open.mp4", {"vcodec": "libx265", "x265-params": "keyint=10:open-gop=1:log-level=none"}),
    ("a.ts", H264), ("open.ts", H264 | {"g": 10, "bf": 3, "x264-params": "open-gop=1:b-pyramid=normal"}),
    ("a.mkv", H264), ("a.mpg", MPEG2 | {"f": "vob"}), ("a.avi", {"vcodec": "mpeg4", "g": 25}),
]  # fmt: skip


def judged(clip, folder, capsys):
    """What extraction has to say about a clip's state."""
    extract([clip], folder, Choice(format="jpg"))
    return capsys.readouterr().err


@pytest.mark.parametrize(("name", "options"), LOSSLESS, ids=[name for name, _ in LOSSLESS])
def test_whole_clips_and_their_lossless_cuts_are_not_called_damaged(
    toy_clip, tmp_path, capsys, name, options
):
    clip = toy_clip.numbered(tmp_path / name, 40, sound="mp2", **options)
    part = toy_clip.rewrap(
        clip, tmp_path / f"part_{name}", {"f": options["f"]} if "f" in options else None, ss=0.7
    )
    for number, path in enumerate((clip, part)):
        assert "damaged" not in judged(path, tmp_path / str(number), capsys)


def test_recordings_that_were_joined_or_begin_between_key_frames_are_whole(toy_clip, tmp_path, capsys):
    first = toy_clip.numbered(tmp_path / "a.ts", 30, **H264).read_bytes()
    second = toy_clip.numbered(tmp_path / "b.ts", 30, output_ts_offset=7000, **H264).read_bytes()
    (tmp_path / "joined.ts").write_bytes(second + first)
    (tmp_path / "late.ts").write_bytes(first[188 * (len(first) // 188 // 3) :])
    for name, least in (("joined", 60), ("late", 5)):
        clip = tmp_path / f"{name}.ts"
        assert "damaged" not in judged(clip, tmp_path / name, capsys)
        assert least <= probe(clip).frames <= 60


def noise(number, width, height):
    return np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.flv", "a.wmv"])
def test_a_clip_that_lacks_its_end_is_told(toy_clip, tmp_path, capsys, name):
    codec = {"a.wmv": "wmv2", "a.avi": "mpeg4"}.get(name, "libx264")
    front = {"movflags": "faststart"} if name == "a.mp4" else {}
    whole = toy_clip.make(
        tmp_path / name, TIMES_MS, size=(160, 120), draw=noise, codec=codec, container_options=front
    )
    assert not is_cut_short(whole) and "damaged" not in judged(whole, tmp_path / "whole", capsys)
    part = tmp_path / f"part_{name}"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])
    assert is_cut_short(part) and "cut short" in judged(part, tmp_path / "out", capsys)
    # Its last frame does not stay until the end that the header promises.
    assert probe(part).end_s < 0.9


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_broken_pictures_in_a_whole_file_are_told(toy_clip, tmp_path, capsys, name):
    clip = toy_clip.make(tmp_path / name, TIMES_MS, draw=noise)
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 3, len(data) * 2 // 3, 997):
        data[place : place + 3] = b"\xff\x00\xff"
    clip.write_bytes(data)
    assert not is_cut_short(clip) and "damaged" in judged(clip, tmp_path / "out", capsys)


@pytest.mark.parametrize("name", ["a.ts", "a.mpg", "a.m2ts"])
def test_very_short_mpeg_streams_are_forecast(toy_clip, tmp_path, name):
    clip = probe(toy_clip.numbered(tmp_path / name, 10, **(MPEG2 if name == "a.mpg" else H264)))
    assert clip.frames == 10 and clip.duration_s == pytest.approx(0.4, abs=0.001)
    assert list(sample_frames(clip, deep=False))


def test_the_way_to_a_late_part_of_an_indexed_clip_is_not_read(toy_clip, tmp_path):
    """Each key frame of ten starts the way anew: a part at the end begins with the one before it."""
    clip = probe(toy_clip.numbered(tmp_path / "a.mp4", 200, vcodec="libx264", g=10))
    stretch = find_stretch(clip, Part(7.5, None))
    assert stretch.count == 12 and stretch.seek_s > 6


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_sound_that_lasts_longer_does_not_stretch_the_last_frame(toy_clip, tmp_path, name):
    clip = toy_clip.numbered(tmp_path / name, 10, sound="mp2", sound_s=2, vcodec="mpeg4")
    with av.open(str(clip)) as container:
        assert container.duration > 1_900_000
    facts = probe(clip)
    assert facts.end_s - facts.start_s == pytest.approx(0.4, abs=0.001)
