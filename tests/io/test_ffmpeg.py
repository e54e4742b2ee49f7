from pathlib import Path

import pytest

from faceswap.io.ffmpeg import audio_mode, encode_command, extract_command, ffmpeg_binary, is_usable
from faceswap.io.video import Clip, Color

EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
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
        f"[0:0]scale=flags={EXACT}:in_color_matrix=bt709:in_range=tv[s0];[s0]format=rgb24[s1]",
        "-map", "[s1]", *RAW_NUT, *QUIET,
    ]  # fmt: skip


def test_a_rate_selects_the_first_frame_of_each_slot_and_repeats_none():
    command = extract_command(clip(), 12.5, False, "ffmpeg")
    assert command[4].startswith(
        "[0:0]select=isnan(prev_selected_t)+gt(floor((t-start_t)*12.5+1e-6)\\,"
        "floor((prev_selected_t-start_t)*12.5+1e-6))[s0];[s0]scale="
    )


def test_deep_full_range_and_rgb_clips_are_read_as_what_they_are():
    color = Color(matrix="bt2020nc", primaries="bt2020", transfer="smpte2084", full_range=True)
    graph = extract_command(clip(color=color, stream=2), 0, True, "ffmpeg")[4]
    assert graph == f"[0:2]scale=flags={EXACT}:in_color_matrix=bt2020:in_range=pc[s0];[s0]format=rgb48le[s1]"
    assert extract_command(clip(color=Color(matrix="")), 0, False, "ffmpeg")[4] == "[0:0]format=rgb24[s0]"


def result(sound):
    color = Color(matrix="smpte170m", primaries="smpte170m", transfer="smpte170m")
    return encode_command(
        Path("/w/result.mp4"), color=color, sample_aspect=(15, 16), quality=18, note="Synthetic", sound=sound,
        binary="ffmpeg",
    )  # fmt: skip


PICTURES = (
    f"scale=flags={EXACT}:out_color_matrix=smpte170m:out_range=tv[s0];[s0]format=yuv420p[s1];"
    "[s1]setsar=15/16[s2];"
    "[s2]setparams=color_primaries=smpte170m:color_trc=smpte170m:colorspace=smpte170m:range=tv[s3]"
)
VIDEO = [
    "-crf", "18", "-enc_time_base", "1:90000", "-fps_mode", "passthrough", "-map_metadata", "-1",
    "-metadata:g:0", "comment=Synthetic", "-metadata:g:1", "description=Synthetic",
    "-movflags", "+faststart", "-pix_fmt", "yuv420p", "-vcodec", "libx264", "-video_track_timescale", "90000",
    "/w/result.mp4", "-copyts", *QUIET, "-y",
]  # fmt: skip


def test_a_silent_result_is_h264_with_the_clips_colours_shape_and_the_mark():
    assert result(None) == [
        "ffmpeg", "-f", "nut", "-i", "pipe:", "-filter_complex", f"[0:v]{PICTURES}", "-map", "[s3]",
        "-f", "mp4", *VIDEO,
    ]  # fmt: skip


def test_sound_that_mp4_carries_is_copied_from_the_clips_own_start():
    assert result(clip(audio_codec="aac", origin_s=1.4)) == [
        "ffmpeg", "-f", "nut", "-i", "pipe:", "-itsoffset", "-1.400000", "-i", "/clips/it's 🙂.mp4",
        "-filter_complex", f"[0:v]{PICTURES}", "-map", "[s3]", "-map", "1:a:0", "-f", "mp4",
        "-acodec", "copy", *VIDEO,
    ]  # fmt: skip


def test_other_sound_becomes_aac():
    command = result(clip(audio_codec="pcm_s16le"))
    at = command.index("-acodec")
    assert command[at + 1] == "aac" and command[command.index("-b:a") + 1] == "192k"


@pytest.mark.parametrize(
    ("codec", "mode"), [("aac", "copy"), ("mp3", "copy"), ("vorbis", "aac"), ("flac", "aac")]
)
def test_the_container_decides_what_is_copied(codec, mode):
    assert audio_mode(clip(audio_codec=codec)) == mode


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
