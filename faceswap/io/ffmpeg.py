"""ffmpeg processes as values: which program runs, and its argument lists, all built by ffmpeg-python."""

import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Literal

import ffmpeg

from faceswap.errors import UserError
from faceswap.io.video import Clip, Color

# Ticks of the clock between us and ffmpeg; exact for milliseconds and 24, 25, 30, 30000/1001 frames/s.
TICKS_HZ = 90_000
AudioMode = Literal["copy", "aac"]

# fps_mode and a free enc_time_base need 5.1; distributions still carry 4.4.
_OLDEST = (5, 1)
# Unlike swscale's defaults, these do not lose half a step of brightness or colour at each conversion.
_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error")
# What an mp4 file may carry as it is (ISO/IEC 14496-12 registrations that players read).
_MP4_AUDIO = {"aac", "mp3", "ac3", "eac3", "alac", "opus"}


@lru_cache(maxsize=1)
def ffmpeg_binary() -> str:
    """The ffmpeg on PATH when it is recent and has x264, else the one that imageio-ffmpeg carries."""
    system = shutil.which("ffmpeg")
    if system is not None:
        done = subprocess.run([system, "-version"], capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode == 0 and is_usable(done.stdout):
            return system
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        hint = "install ffmpeg 5.1 or newer with libx264, or: pip install --force-reinstall imageio-ffmpeg"
        raise UserError("no usable ffmpeg was found", str(error), hint) from None


def is_usable(version_text: str) -> bool:
    """Whether `ffmpeg -version` tells of 5.1 or newer (builds from git count as new) with x264."""
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", version_text)
    recent = found is None or (int(found[1]), int(found[2])) >= _OLDEST
    return recent and "--enable-libx264" in version_text


def extract_command(clip: Clip, fps: float, deep: bool, binary: str) -> list[str]:
    """The process that writes a clip's frames, upright RGB with their times, to its standard output (NUT).

    fps:  at most so many frames a second, the first of each 1/fps slot and never one twice; 0 = every frame.
    deep: 16 bits a channel instead of 8.
    """
    pictures = ffmpeg.input(str(clip.path.resolve()))[str(clip.stream)]
    if fps > 0:
        slot, last = (
            f"floor((t-start_t)*{fps:.10g}+1e-6)",
            f"floor((prev_selected_t-start_t)*{fps:.10g}+1e-6)",
        )
        pictures = pictures.filter("select", f"isnan(prev_selected_t)+gt({slot},{last})")
    if clip.color.matrix:
        matrix = _scale_name(clip.color)
        span = "pc" if clip.color.full_range else "tv"
        pictures = pictures.filter("scale", in_color_matrix=matrix, in_range=span, flags=_EXACT)
    return _compile(
        pictures.filter("format", "rgb48le" if deep else "rgb24").output(
            "pipe:", f="nut", vcodec="rawvideo", fps_mode="passthrough", enc_time_base=f"1:{TICKS_HZ}"
        ),
        binary,
    )


def encode_command(
    target: Path,
    *,
    color: Color,
    sample_aspect: tuple[int, int],
    quality: int,
    note: str,
    sound: Clip | None,
    binary: str,
) -> list[str]:
    """The process that reads timed RGB frames (NUT) from its standard input and writes an H.264 mp4.

    quality: x264's constant rate factor, 0 (lossless) to 51.
    sound:   the clip whose first sound track is taken; both clocks start at that clip's own start.
    note:    what the file says about itself (comment and description).
    """
    span = "tv"
    color = color if color.matrix else Color()
    pictures = (
        ffmpeg.input("pipe:", f="nut")
        .video.filter("scale", out_color_matrix=_scale_name(color), out_range=span, flags=_EXACT)
        .filter("format", "yuv420p")
        .filter("setsar", f"{sample_aspect[0]}/{sample_aspect[1]}")
        .filter(
            "setparams",
            range=span,
            colorspace=color.matrix,
            color_primaries=color.primaries,
            color_trc=color.transfer,
        )
    )
    streams = [pictures]
    options: dict[str, object] = {}
    if sound is not None:
        streams.append(ffmpeg.input(str(sound.path.resolve()), itsoffset=f"{-sound.origin_s:.6f}")["a:0"])
        mode = audio_mode(sound)
        options = {"acodec": mode} | ({"audio_bitrate": "192k"} if mode == "aac" else {})
    output = ffmpeg.output(
        *streams,
        str(target.resolve()),
        f="mp4",
        vcodec="libx264",
        crf=quality,
        pix_fmt="yuv420p",
        fps_mode="passthrough",
        enc_time_base=f"1:{TICKS_HZ}",
        video_track_timescale=TICKS_HZ,
        movflags="+faststart",
        map_metadata="-1",
        **options,
        **{"metadata:g:0": f"comment={note}", "metadata:g:1": f"description={note}"},
    )
    # Without copyts each input would be moved to start at zero, and the first frame's delay be lost.
    return _compile(output.global_args("-copyts"), binary, overwrite=True)


def audio_mode(clip: Clip) -> AudioMode:
    """Whether the clip's sound can travel in an mp4 as it is, or is encoded again."""
    return "copy" if clip.audio_codec in _MP4_AUDIO else "aac"


def _scale_name(color: Color) -> str:
    """The scale filter's name of a matrix; it calls the constant-luminance-free BT.2020 just bt2020."""
    return "bt2020" if color.matrix == "bt2020nc" else color.matrix


def _compile(output: ffmpeg.nodes.OutputStream, binary: str, overwrite: bool = False) -> list[str]:
    command: list[str] = output.global_args(*_QUIET).compile(cmd=binary, overwrite_output=overwrite)
    return command
