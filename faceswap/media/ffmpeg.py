"""ffmpeg processes as values: which program runs, and its argument lists, all built by ffmpeg-python."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ffmpeg

from faceswap.errors import UserError
from faceswap.media.aspect import FilmShape
from faceswap.media.codecs import Film
from faceswap.media.probe.color import EXACT, Color, from_rgb, needs_zscale, tagged, to_rgb
from faceswap.media.probe.fields import whole
from faceswap.media.probe.geometry import squared
from faceswap.media.probe.stretch import Stretch
from faceswap.media.probe.video import Clip
from faceswap.media.sound import Sound

# Ticks of the clock between us and ffmpeg; exact for milliseconds and 24, 25, 30, 30000/1001 frames/s.
TICKS_HZ = 90_000

_OLDEST = (5, 1)  # fps_mode and a free enc_time_base need it; distributions still carry 4.4.
# Shapes of pixels are not rounded to fractions of small numbers.
_FINEST = 100_000
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error")


@dataclass(frozen=True)
class Ending:
    """When the last frame of a film is shown and its stay ends, in seconds, and how many frames it has."""

    last_s: float
    end_s: float
    count: int

    @property
    def filter(self) -> str:
        """The bitstream filter that gives the last frame its stay, for ffmpeg knows only distances.

        The last packet is often of another frame, and MP4 counts in decoding order: it fills up the track.
        """
        is_last, stay_s = f"gte(PTS*TB,{self.last_s - 0.001:.6f})", self.end_s - self.last_s
        stay = f"if({is_last},round({stay_s:.6f}/TB),DURATION)"
        rest = f"round({self.end_s:.6f}/TB)-STARTPTS-(DTS-STARTDTS)"
        return f"setts=pts=PTS:dts=DTS:duration='if(eq(N,{self.count - 1}),max({stay},{rest}),{stay})'"


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


@lru_cache
def _require_zscale(binary: str) -> None:
    done = subprocess.run([binary, "-hide_banner", "-filters"], capture_output=True, check=False)
    if b" zscale " not in done.stdout:
        hint = "install an ffmpeg with libzimg, or take this one off PATH: imageio-ffmpeg carries one"
        raise UserError("the colours of this clip need ffmpeg's filter zscale", f"{binary} lacks it", hint)


def extract_command(clip: Clip, fps: float, deep: bool, binary: str, *, tone_map: bool = False) -> list[str]:
    """The process that writes a clip's frames, upright RGB with their times, to its standard output (NUT).

    What `clip.geometry` tells is done to them, so that all are of `clip.frame_size`.
    fps:  at most so many frames a second, the first of each 1/fps slot and never one twice; 0 = every frame.
    deep: 16 bits a channel instead of 8.
    tone_map: PQ and HLG as SDR of BT.709.
    Raises UserError where these colours need zimg and this ffmpeg lacks it.
    """
    if needs_zscale(clip.color, tone_map):
        _require_zscale(binary)
    pictures = _upright(clip)
    if fps > 0:
        slot, last = (
            f"floor((t-start_t)*{fps:.10g}+1e-6)",
            f"floor((prev_selected_t-start_t)*{fps:.10g}+1e-6)",
        )
        pictures = pictures.filter("select", f"isnan(prev_selected_t)+gt({slot},{last})")
    pictures = to_rgb(squared(pictures, clip.geometry), clip.color, deep, tone_map)
    return _compile(
        pictures.output(
            "pipe:", f="nut", vcodec="rawvideo", fps_mode="passthrough", enc_time_base=f"1:{TICKS_HZ}"
        ),
        binary,
    )


def alpha_command(clip: Clip, deep: bool, binary: str) -> list[str]:
    """The process that writes the alpha of all frames of a clip as `extract_command` does, as grey RGB."""
    pictures = _upright(clip, alpha=True).filter("format", "rgb48le" if deep else "rgb24")
    return _compile(
        squared(pictures, clip.geometry).output(
            "pipe:", f="nut", vcodec="rawvideo", fps_mode="passthrough", enc_time_base=f"1:{TICKS_HZ}",
            pix_fmt="rgb48le" if deep else "rgb24",
        ),
        binary,
    )  # fmt: skip


def _upright(clip: Clip, alpha: bool = False) -> Any:
    """The pictures of `clip`, or their alpha, without fields, turned as players show them."""
    path, stream = str(clip.path.resolve()), str(clip.stream)
    # ffmpeg's own decoders of these leave the alpha out.
    options = {"vcodec": _ALPHA_DECODERS[clip.codec]} if alpha and clip.codec in _ALPHA_DECODERS else {}

    def taken(pictures: Any) -> Any:
        return pictures.filter("alphaextract").filter("setparams", range="pc") if alpha else pictures

    if clip.geometry.fields is None:
        return taken(ffmpeg.input(path, **options)[stream])
    # Turned before, fields would lie otherwise.
    pictures = taken(ffmpeg.input(path, noautorotate=None, **options)[stream])
    pictures = whole(pictures, clip.geometry, clip.bit_depth > 8)
    if clip.mirrored:
        pictures = pictures.filter("hflip")
    turns = {90: ["transpose=cclock"], 180: ["hflip", "vflip"], 270: ["transpose=clock"]}
    for turn in turns.get(clip.rotation_deg, []):
        name, _, way = turn.partition("=")
        pictures = pictures.filter(name, *filter(None, [way]))
    return pictures


def encode_command(
    target: Path,
    film: Film,
    *,
    color: Color,
    shape: FilmShape,
    note: str,
    sound: Sound | None,
    ending: Ending,
    timecode: str,
    binary: str,
) -> list[str]:
    """The process that reads timed RGB or RGBA frames (NUT) from its standard input and writes a film.

    sound: the tracks taken along; both clocks start at their clip's own start.
    timecode: of the first frame, "" for none.
    note:  what the file says about itself (comment and description).
    """
    pictures = _tagged(ffmpeg.input("pipe:", f="nut").video, film, color, shape.scaling)
    streams = [pictures.filter("setsar", "{}/{}".format(*shape.sample_aspect), max=_FINEST)]
    if film.coder.device:
        streams = [streams[0].filter("hwupload")]
    options: dict[str, object] = {"metadata:g:0": f"comment={note}", "metadata:g:1": f"description={note}"}
    if sound is not None:
        heard = ffmpeg.input(str(sound.path.resolve()), itsoffset=f"{-sound.origin_s:.6f}")
        streams += [heard[str(track.stream)] for track in sound.tracks]
        options |= sound.options(target.suffix, 1)
    output = ffmpeg.output(
        *streams,
        str(target.resolve()),
        vcodec=film.coder.name,
        map_metadata="-1",
        **_timed(target, ending, timecode),
        **film.options,
        **options,
    )
    # Without copyts each input would be moved to start at zero, and the first frame's delay be lost.
    return _compile(output.global_args("-copyts", *_device(film)), binary, overwrite=True)


def _timed(target: Path, ending: Ending, timecode: str) -> dict[str, object]:
    """Options of output for frames at their own times, the last one's stay, and a time code."""
    # Matroska's own clock, because the bitstream filters of ffmpeg 5.1 mix up clocks that differ.
    ticks = 1000 if target.suffix == ".mkv" else TICKS_HZ
    options: dict[str, object] = {
        "fps_mode": "passthrough",
        "enc_time_base": f"1:{ticks}",
        "bsf:v": ending.filter,
    }
    if timecode:
        options["timecode"] = timecode
    if target.suffix != ".mkv":
        options |= {"movflags": "+faststart", "video_track_timescale": str(TICKS_HZ)}
    return options


def probe_command(film: Film, binary: str) -> list[str]:
    """The process that encodes five small frames to nowhere, and so tells whether `film` can be encoded."""
    source = ffmpeg.input("color=size=256x256:rate=25:duration=0.2", f="lavfi").video
    pictures = _tagged(source, film, Color())
    if film.coder.device:
        pictures = pictures.filter("hwupload")
    output = pictures.output("-", f="null", vcodec=film.coder.name, **film.options)
    return _compile(output.global_args(*_device(film)), binary)


def cut_command(
    clip: Clip,
    target: Path,
    stretch: Stretch,
    *,
    quality: int,
    sound: Sound | None,
    timecode: str,
    late_s: float,
    binary: str,
) -> list[str]:
    """The process that encodes the frames of `stretch`, its clock at zero with the first of them.

    late_s: how much later than they are shown ffmpeg's clock has the frames.
    Layout of pixels, colour tags, picture shape and what the file says about itself stay as they are; RGB
    becomes 4:4:4, and pictures of several sizes frames of one. It tells its progress on its standard output.
    """
    source = ffmpeg.input(
        str(clip.path.resolve()), **({"ss": f"{stretch.seek_s:.6f}"} if stretch.seek_s else {})
    )
    pictures = source[str(clip.stream)]
    # Ends are rounded to the clock of the pictures, which in AVI ticks once a frame.
    pictures = pictures.filter("settb", f"1/{TICKS_HZ}")
    if late_s:
        pictures = pictures.filter("setpts", f"PTS-round({late_s:.6f}/TB)")
    if not clip.color.matrix:
        deep = "yuv444p10le" if clip.bit_depth > 8 else "yuv444p"
        pictures = from_rgb(pictures, deep, "tv", clip.color)
    interlaced = clip.geometry.fields and not clip.geometry.shapes
    if interlaced:
        pictures = pictures.filter("setfield", clip.geometry.fields)
    if clip.geometry.shapes:
        pictures = squared(pictures, clip.geometry)
    size = clip.frame_size if clip.geometry.shapes else (clip.width, clip.height)
    if any(length % 2 for length in size):
        pictures = pictures.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
    streams = [pictures, *(source[str(track.stream)] for track in (sound.tracks if sound else ()))]
    # Copied packets begin with the part too, not at the key frame before it.
    options = sound.options(target.suffix, 0) | {"copypriorss:a": 0} if sound else {}
    if interlaced:
        options["flags"] = "+ilme+ildct"
    # As options of output, on the clip's own clock, these are exact in every container. A millionth earlier,
    # lest rounding to ffmpeg's millionths drops the very frame.
    zero_s = 0.0 if stretch.is_joined else clip.origin_s
    options["ss"] = f"{zero_s + stretch.first_s - 1e-6:.6f}"
    if stretch.is_ended:
        options["to"] = f"{zero_s + stretch.end_s - 1e-6:.6f}"
    ending = Ending(stretch.last_s - stretch.first_s, stretch.end_s - stretch.first_s, stretch.count)
    output = ffmpeg.output(
        *streams, str(target.resolve()), vcodec="libx264", crf=quality, map_chapters="-1", map_metadata="0",
        **_timed(target, ending, timecode), **options,
    )  # fmt: skip
    clock = () if stretch.is_joined else ("-copyts",)
    output = output.global_args(*clock, "-progress", "pipe:1", "-stats_period", "0.2")
    return _compile(output, binary, overwrite=True)


def denoise_command(factor: float, deep: bool, binary: str) -> list[str]:
    """The process that takes RGB frames (NUT) and gives them back denoised, at the strengths of DFL (§12)."""
    full = Color(full_range=True)
    pictures = from_rgb(ffmpeg.input("pipe:", f="nut").video, "yuv444p16le", "pc", full)
    pictures = pictures.filter("hqdn3d", factor, factor, 5, 5)
    return _compile(
        to_rgb(pictures, full, deep).output(
            "pipe:", f="nut", vcodec="rawvideo", fps_mode="passthrough", enc_time_base=f"1:{TICKS_HZ}"
        ),
        binary,
    )


def _device(film: Film) -> list[str]:
    return [word for name, value in (film.coder.device or {}).items() for word in (f"-{name}", str(value))]


def _tagged(pictures: Any, film: Film, color: Color, size: Mapping[str, str] | None = None) -> Any:
    """RGB as the layout of `film`, tagged with the clip's colours; size: see `from_rgb`."""
    if film.codec.rgb:
        pictures = pictures.filter("scale", **size, flags=EXACT) if size else pictures
        return tagged(pictures.filter("format", film.layout), "pc", "gbr", color)
    span = "pc" if color.full_range and not film.codec.limited else "tv"
    return from_rgb(pictures, film.layout, span, color, size)


def _compile(output: ffmpeg.nodes.OutputStream, binary: str, overwrite: bool = False) -> list[str]:
    command: list[str] = output.global_args(*_QUIET).compile(cmd=binary, overwrite_output=overwrite)
    return command
