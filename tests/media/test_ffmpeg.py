from itertools import pairwise
from pathlib import Path

import pytest

from faceswap.media.aspect import FilmShape
from faceswap.media.encoders import choose_film
from faceswap.media.ffmpeg import Ending, encode_command, extract_command, ffmpeg_binary, is_usable
from faceswap.media.probe.color import Color
from faceswap.media.probe.video import Clip
from faceswap.media.sound import Sound, Track

EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
PLAIN = "setparams=color_primaries=bt709:color_trc=bt709"
RAW_NUT = [
    "-f",
    "nut",
    "-enc_time_base",
    "1:90000",
    "-fps_mode",
    "passthrough",
    "-vcodec",
    "rawvideo",
    "pipe:",
]
QUIET = ["-hide_banner", "-nostdin", "-loglevel", "error"]


def clip(**facts):
    base = {"path": Path("/clips/it's 🙂.mp4"), "fingerprint": "0", "width": 64, "height": 48, "fps": 30.0}
    return Clip(**(base | {"frames": 9, "counted": True, "duration_s": 0.3} | facts))


def test_every_frame_is_asked_for_with_its_own_time_and_the_streams_colours():
    assert extract_command(clip(), 0, False, "ffmpeg") == [
        "ffmpeg", "-i", "/clips/it's 🙂.mp4",
        "-filter_complex",
        f"[0:0]{PLAIN}:colorspace=bt709:range=tv[s0];"
        f"[s0]scale=flags={EXACT}:in_color_matrix=bt709:in_range=tv[s1];[s1]format=rgb24[s2]",
        "-map", "[s2]", *RAW_NUT, *QUIET,
    ]  # fmt: skip


def test_a_rate_selects_the_first_frame_of_each_slot_and_repeats_none():
    command = extract_command(clip(), 12.5, False, "ffmpeg")
    assert command[4].startswith(
        "[0:0]select=isnan(prev_selected_t)+gt(floor((t-start_t)*12.5+1e-6)\\,"
        "floor((prev_selected_t-start_t)*12.5+1e-6))[s0];[s0]setparams="
    )


def test_deep_full_range_and_rgb_clips_are_read_as_what_they_are():
    color = Color(matrix="bt2020nc", primaries="bt2020", transfer="smpte2084", full_range=True)
    graph = extract_command(clip(color=color, stream=2), 0, True, "ffmpeg")[4]
    assert graph == (
        f"[0:2]{PLAIN}:colorspace=bt2020nc:range=pc[s0];"
        f"[s0]scale=flags={EXACT}:in_color_matrix=bt2020:in_range=pc[s1];[s1]format=rgb48le[s2]"
    )
    graph = extract_command(clip(color=Color(matrix="")), 0, False, "ffmpeg")[4]
    assert graph == f"[0:0]{PLAIN}[s0];[s0]format=rgb24[s1]"


def result(sound, name="h264", suffix="mp4"):
    color = Color(matrix="smpte170m", primaries="smpte170m", transfer="smpte170m")
    film = choose_film(name, ffmpeg_binary(), quality=18)
    return encode_command(
        Path(f"/w/result.{suffix}"), film, color=color, shape=FilmShape(sample_aspect=(15, 16)),
        note="Synthetic", sound=sound,
        ending=Ending(1, 4, 26), timecode="01:00:00:00", binary="ffmpeg",
    )  # fmt: skip


PICTURES = (
    f"[0:v]scale=flags={EXACT}:out_color_matrix=smpte170m:out_range=tv[s0];[s0]format=yuv420p[s1];"
    "[s1]setparams=color_primaries=smpte170m:color_trc=smpte170m:colorspace=smpte170m:range=tv[s2];"
    "[s2]setsar=15/16:max=100000[s3]"
)
MARK = ["-metadata:g:0", "comment=Synthetic", "-metadata:g:1", "description=Synthetic"]
MP4 = ["-movflags", "+faststart"]
STAY = "if(gte(PTS*TB,0.999000),round(3.000000/TB),DURATION)"
REST = "round(4.000000/TB)-STARTPTS-(DTS-STARTDTS)"
STAY = f"setts=pts=PTS:dts=DTS:duration='if(eq(N,25),max({STAY},{REST}),{STAY})'"
H264 = ["-vcodec", "libx264", "-video_track_timescale", "90000", "/w/result.mp4", "-copyts", *QUIET, "-y"]
TIMES = ["-enc_time_base", "1:90000", "-fps_mode", "passthrough", "-map_metadata", "-1"]


def test_a_silent_result_is_h264_with_the_clips_colours_shape_and_the_mark():
    assert result(None) == [
        "ffmpeg", "-f", "nut", "-i", "pipe:", "-filter_complex", PICTURES, "-map", "[s3]", "-bsf:v", STAY,
        "-crf", "18", *TIMES, *MARK, *MP4, "-timecode", "01:00:00:00", *H264,
    ]  # fmt: skip


def test_every_sound_track_travels_from_the_clips_own_start_and_keeps_its_names():
    tracks = (Track("aac", 2, "eng", "Dialogue", 0, 1), Track("flac", 6, "", "", 1, 3))
    command = result(Sound(Path("/clips/a.mkv"), 1.4, tracks))
    assert command[5:9] == ["-itsoffset", "-1.400000", "-i", "/clips/a.mkv"]
    after = dict(pairwise(command))
    assert after["-c:a:0"] == "copy" and (after["-c:a:1"], after["-b:a:1"]) == ("aac", "576k")
    assert after["-map_metadata:s:a:0"] == "1:s:1" and after["-map_metadata:s:a:1"] == "1:s:3"
    assert {"1:1", "1:3"} <= set(command) and after["-map_metadata"] == "-1"


@pytest.mark.parametrize(
    ("codec", "suffix", "becomes"),
    [
        ("aac", ".mp4", "copy"), ("vorbis", ".mp4", "aac"), ("flac", ".mp4", "aac"),
        ("pcm_s16le", ".mov", "copy"), ("opus", ".mov", "pcm_s24le"),
        ("vorbis", ".mkv", "copy"), ("flac", ".mkv", "copy"), ("adpcm_ima_qt", ".mkv", "pcm_s24le"),
    ],
)  # fmt: skip
def test_the_container_decides_what_is_copied(codec, suffix, becomes):
    assert Track(codec, 2).becomes(suffix) == becomes


def test_a_film_in_rgb_is_not_converted_but_tagged():
    graph = result(None, "h264-rgb", "mkv")[6]
    assert graph.startswith("[0:v]format=rgb24[s0];[s0]setparams=") and "colorspace=gbr:range=pc" in graph


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright\nconfiguration: --enable-libx264", False),
        ("ffmpeg version 5.1.6-0+deb12u1 Copyright\nconfiguration: --enable-libx264", True),
        ("ffmpeg version n9.0.2-17-g2a571b6068 Copyright\nconfiguration: --enable-libx264", True),
        ("ffmpeg version N-118448-g43be8d0728 Copyright\nconfiguration: --enable-libx264", True),
        ("ffmpeg version 7.1 Copyright\nconfiguration: --disable-gpl", False),
    ],
)
def test_a_system_ffmpeg_is_used_when_it_is_recent_and_has_x264(text, usable):
    assert is_usable(text) is usable


def test_some_ffmpeg_is_always_found():
    assert Path(ffmpeg_binary()).is_file()
