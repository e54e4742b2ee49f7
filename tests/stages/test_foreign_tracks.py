"""Clips with tracks that nobody can decode, with several pictures, and with other files beside them."""

import shutil
import subprocess
import sys
from pathlib import Path

import av
import ffmpeg
import pytest

from faceswap.errors import UserError
from faceswap.media.clips import clips_beside, find_clips, refuse_stills
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.guarded import Guarded, Limits
from faceswap.media.probe.video import probe, sample_frames
from faceswap.media.sound import read_sound
from faceswap.media.timestamps import read_timestamps
from faceswap.types import Side
from faceswap.workspace import Workspace

TIMES_MS = tuple(40 * i for i in range(10))
# What each container calls AAC, and a name that nobody knows.
NAMES = {".mov": (b"mp4a", b"qq1z"), ".mp4": (b"mp4a", b"zz9x"), ".mkv": (b"A_AAC", b"A_QQZ")}


def with_sounds(toy_clip, path, unknown):
    """A clip with an AAC track for each of `unknown`, of a codec that is not known where that is True."""
    single = toy_clip.make(path.with_name("single.mp4"), TIMES_MS, sound="aac")
    source = ffmpeg.input(str(single))
    streams = [source["v"], *(source["a"] for _ in unknown)]
    languages = {f"metadata:s:a:{n}": "language=fra" for n, strange in enumerate(unknown) if strange}
    output = ffmpeg.output(*streams, str(path), c="copy", **languages)
    output.run(cmd=ffmpeg_binary(), quiet=True, overwrite_output=True)
    single.unlink()
    data = bytearray(path.read_bytes())
    _rename(data, [number for number, strange in enumerate(unknown) if strange], *NAMES[path.suffix])
    path.write_bytes(data)
    return path


def _rename(data, numbers, known, strange):
    """Give the tracks of these numbers another codec; in QuickTime the description after it goes, too."""
    before = b"\x86" if known == b"A_AAC" else b"stsd"
    skipped = 1 if known == b"A_AAC" else 12
    places = [at for at in _all(data, known) if data[at - skipped - len(before) : at - skipped] == before]
    for at in (places[number] for number in numbers):
        data[at : at + len(known)] = strange
        described = data.find(b"esds", at)
        if known != b"A_AAC":
            data[described : described + 4] = b"free"


def _all(data, word):
    at = data.find(word)
    while at >= 0:
        yield at
        at = data.find(word, at + 1)


def stage(name, *words):
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{name}", *map(str, words)], capture_output=True, encoding="utf-8"
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def merge_untouched(place):
    merged = place / "data_dst" / "merged"
    merged.mkdir()
    for frame in (place / "data_dst").glob("*.png"):
        shutil.copy(frame, merged)


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("unknown", [(True, False), (False, True), (True,)])
def test_a_track_without_a_decoder_stops_no_stage(toy_clip, tmp_path, suffix, unknown):
    clip = with_sounds(toy_clip, tmp_path / f"data_dst{suffix}", unknown)
    assert (probe(clip).audio_codec == "aac") == (False in unknown)
    stage("extract_dst", "--workspace", tmp_path).check_returncode()
    merge_untouched(tmp_path)
    done = stage("encode", "--workspace", tmp_path)
    assert done.returncode == 0
    heard = read_sound(tmp_path / "result.mp4")
    decodable = [track for track in heard.tracks if track.is_decodable] if heard else []
    assert len(decodable) == unknown.count(False)
    told = f"sound track {unknown.index(True)}"
    assert told in done.stdout + done.stderr and "left out" in done.stdout + done.stderr
    done = stage("cut", "--input", clip, "--start", "0.08", "--end", "0.24")
    assert done.returncode == 0 and len(toy_clip.shown(tmp_path / f"data_dst_cut{suffix}")[1]) == 4
    with Guarded(clip, Limits(1.0, 5.0, 20, 60.0, 4096)) as guarded:
        assert sum(1 for _ in guarded.frames()) == 10


def test_a_stream_of_no_known_kind_and_subtitles_are_passed_over(toy_clip, tmp_path):
    single = toy_clip.make(tmp_path / "a.mp4", TIMES_MS, sound="aac")
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    source, words = ffmpeg.input(str(single)), ffmpeg.input(str(tmp_path / "a.srt"))
    for name, streams, options in (
        ("private.ts", (source["a"], source["v"], source["a"]), {"c:a:0": "wmav2", "c:a:1": "aac"}),
        ("words.mkv", (words["s"], source["a"], source["v"]), {"c:a": "copy"}),
        ("words.mp4", (words["s"], source["a"], source["v"]), {"c:a": "copy", "c:s": "mov_text"}),
    ):
        path = tmp_path / name
        ffmpeg.output(*streams, str(path), **options, **{"c:v": "copy"}).run(cmd=ffmpeg_binary(), quiet=True)
        assert stage("cut", "--input", path, "--start", "0.1").returncode == 0
        result = read_sound(
            path.with_name(f"{path.stem}_cut{'.mp4' if path.suffix == '.ts' else path.suffix}")
        )
        assert result is not None and [track.codec for track in result.tracks] == ["aac"]


def with_pictures(toy_clip, path, sizes, default=None):
    """A clip with a video stream of each size; `default` is the number of the default one."""
    parts = [
        toy_clip.make(path.with_name(f"part{n}.mp4"), TIMES_MS, size=size) for n, size in enumerate(sizes)
    ]
    flags = {f"disposition:v:{n}": "default" if n == default else "0" for n in range(len(sizes))}
    # Two programs, as a broadcast has.
    programs = [f"program_num={n + 1}:st={n}" for n in range(len(sizes))] if path.suffix == ".ts" else []
    output = ffmpeg.output(*(ffmpeg.input(str(part))["v"] for part in parts), str(path), c="copy", **flags)
    command = output.compile(cmd=ffmpeg_binary())
    command[-1:-1] = [word for program in programs for word in ("-program", program)]
    subprocess.run(command, check=True, capture_output=True)
    for part in parts:
        part.unlink()
    return path


@pytest.mark.parametrize(
    ("name", "sizes", "default", "taken"),
    [
        ("a.mkv", [(32, 32), (96, 64)], None, 1),
        ("a.ts", [(32, 32), (96, 64), (48, 48)], None, 1),
        ("a.mkv", [(96, 64), (64, 48)], 1, 1),
        ("a.mov", [(32, 32), (96, 64)], 0, 0),
        ("a.mp4", [(32, 32), (64, 48), (96, 64)], 2, 2),
    ],
)
def test_the_default_else_the_largest_stream_is_taken_everywhere_and_said(
    toy_clip, tmp_path, name, sizes, default, taken
):
    path = with_pictures(toy_clip, tmp_path / name, sizes, default)
    clip = probe(path)
    assert (clip.stream, (clip.width, clip.height)) == (taken, sizes[taken])
    assert len(clip.passed_over) == len(sizes) - 1 and all("h264" in other for other in clip.passed_over)
    width, height = sizes[taken]
    assert next(iter(sample_frames(clip, deep=False))).shape == (height, width, 3)
    done = stage("extract_dst", "--workspace", tmp_path / "w", "--input", path)
    assert f"{taken}, h264, {width}x{height} is taken" in done.stdout + done.stderr
    assert read_timestamps(tmp_path / "w" / "data_dst").clips[0].stream == taken
    assert len(list((tmp_path / "w" / "data_dst").glob("*.png"))) == len(TIMES_MS)
    assert stage("cut", "--input", path, "--end", "0.1").returncode == 0
    (cut,) = tmp_path.glob("a_cut.*")
    assert (probe(cut).width, probe(cut).height) == (width, height)


def test_a_cover_picture_is_no_moving_picture(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4", TIMES_MS)
    with av.open(str(clip)) as container:
        next(container.decode(video=0)).reformat(width=640, height=480).to_image().save(tmp_path / "c.png")
    picture, moving = ffmpeg.input(str(tmp_path / "c.png")), ffmpeg.input(str(clip))
    path = tmp_path / "b.mp4"
    output = ffmpeg.output(
        picture["v"], moving["v"], str(path), c="copy", **{"disposition:v:0": "attached_pic"}
    )
    output.run(cmd=ffmpeg_binary(), quiet=True)
    assert (probe(path).width, probe(path).passed_over) == (64, ())


def test_frames_of_another_stream_are_not_mixed_with_those_that_are_there(toy_clip, tmp_path):
    path = with_pictures(toy_clip, tmp_path / "data_dst.mkv", [(32, 32), (96, 64)])
    assert stage("extract_dst", "--workspace", tmp_path).returncode == 0
    record = tmp_path / "data_dst" / "timestamps.json"
    record.write_text(record.read_text().replace('"stream": 1', '"stream": 0'))
    done = stage("extract_dst", "--workspace", tmp_path)
    assert done.returncode == 2 and "video stream 1 instead of 0" in done.stderr
    assert probe(path, 0).width == 32


@pytest.mark.parametrize(
    "name", ["data_dst.mp4", "Data_Dst.MOV", "DATA_DST.mKv", "data_dst.dav", "data_dst.bin"]
)
def test_only_videos_are_clips_and_the_others_are_named(toy_clip, tmp_path, name, capsys):
    shutil.move(toy_clip.make(tmp_path / "made.mp4", TIMES_MS), tmp_path / name)
    others = ["data_dst.jpg", "data_dst.json", "data_dst.srt", "data_dst.mp4.part", "data_dst.mkv.crdownload"]
    others.append("data_dst.mp4:Zone.Identifier")
    for other in others:
        (tmp_path / other).write_text("[ZoneTransfer]\nZoneId=3\n")
    assert find_clips(tmp_path / "data_dst", None) == [tmp_path / name]
    told = capsys.readouterr()
    refuse_stills(Workspace(tmp_path), Side.DST, None)
    assert all(other in told.out + told.err for other in others)
    assert [path.name for path in clips_beside(tmp_path / "data_dst")[1]] == sorted(others)


@pytest.mark.parametrize("name", ["data_dst.jpg", "data_dst.srt", "data_dst.mp4.part"])
def test_a_file_that_is_no_video_is_no_clip(toy_clip, tmp_path, name):
    clip = toy_clip.make(tmp_path / "a.mp4", TIMES_MS)
    path = tmp_path / name
    if name.endswith("jpg"):
        with av.open(str(clip)) as container:
            next(container.decode(video=0)).to_image().save(path)
    elif name.endswith("part"):
        shutil.copy(clip, path)
    else:
        path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(UserError, match="no clip") as caught:
        find_clips(Path(tmp_path / "data_dst"), None)
    assert f"{name} is no video" in caught.value.found


def test_the_workspace_takes_no_file_that_is_no_video_and_lists_clips_of_any_case(toy_clip, tmp_path):
    clip = toy_clip.make(tmp_path / "a.mp4", TIMES_MS)
    (tmp_path / "words.srt").write_text("hello")
    done = stage("workspace", "--workspace", tmp_path / "w", "--dst", tmp_path / "words.srt")
    assert done.returncode == 2 and "is no video" in done.stderr
    (tmp_path / "w").mkdir()
    shutil.copy(clip, tmp_path / "w" / "Data_SRC.MP4")
    shutil.copy(tmp_path / "words.srt", tmp_path / "w" / "data_src.srt")
    done = stage("workspace", "--workspace", tmp_path / "w", "--dst", clip)
    assert (
        "src: Data_SRC.MP4" in done.stdout and "data_src.srt" in done.stdout and "data_dst.mp4" in done.stdout
    )
    assert stage("workspace", "--workspace", tmp_path / "w", "--src", clip).returncode == 2
