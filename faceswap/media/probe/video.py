"""What a clip is: its size as shown, rate, depth, colour, sound, read with PyAV (there is no ffprobe)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from faceswap.errors import UserError
from faceswap.io.documents import Record
from faceswap.io.flow import within
from faceswap.media.probe.color import Color, read_color
from faceswap.media.probe.geometry import Aspect, Geometry, placing, square_size, trusted_aspect
from faceswap.media.probe.packets import first_shown, is_untimed, last_shown, measured, pictures_end
from faceswap.media.probe.timecode import counted_rate, find_timecode
from faceswap.media.probe.transparency import is_transparent

# Cover pictures and chapter thumbnails.
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails
_ALPHA_SAMPLES = 5
_PROBE_S = 300.0


class Clip(Record):
    """The facts of one clip. Sizes are as shown, after rotation; times are on the container's clock.

    frames is what the container says (`counted`), or duration x rate where it says nothing; start_s is the
    time of the first frame and audio_start_s of the first sound (None without), both from the clip's start.
    end_s: when the last frame's stay ends, from the clip's start; 0 where the file does not tell.
    timecode: of the first frame, hh:mm:ss:ff or hh:mm:ss;ff, "" without one; timecode_fps: how it counts.
    alpha: it is transparent in part. passed_over tells the other video streams: number, codec, size.
    geometry: what becomes of its pictures, nothing before `survey.surveyed` has looked.
    """

    path: Path
    fingerprint: str
    width: int
    height: int
    fps: float
    frames: int
    counted: bool
    duration_s: float
    start_s: float = 0.0
    stream: int = 0
    rotation_deg: int = 0
    mirrored: bool = False
    bit_depth: int = 8
    codec: str = ""
    color: Color = Color()
    sample_aspect: tuple[int, int] = (1, 1)
    audio_codec: str | None = None
    audio_start_s: float | None = None
    origin_s: float = 0.0
    end_s: float = 0.0
    timecode: str = ""
    timecode_fps: float = 0.0
    passed_over: tuple[str, ...] = ()
    geometry: Geometry = Geometry()
    alpha: bool = False

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of its frames in px."""
        return (self.geometry.width or self.width, self.geometry.height or self.height)

    @property
    def stored_aspect(self) -> Aspect:
        """The shape of a pixel in the file, before the picture is turned upright."""
        return self.sample_aspect[::-1] if self.rotation_deg in (90, 270) else self.sample_aspect

    @property
    def several(self) -> str:
        """A sentence where the file has several video streams, else ""."""
        if not self.passed_over:
            return ""
        return (
            f"{self.path.name} has several video streams: {self.stream}, {self.codec},"
            f" {self.width}x{self.height} is taken; passed over: {'; '.join(self.passed_over)}"
        )

    @property
    def has_audio(self) -> bool:
        return self.audio_codec is not None


def probe(path: Path, stream: int | None = None) -> Clip:
    """Read the facts of the clip at `path`; its first frame is decoded.

    stream: the video stream to take if the file has such; else the default one, or the largest, that can be
    decoded.  Raises UserError for a missing file, a folder, a file that is no video, one without pictures,
    colours that cannot be read right, and one that keeps its decoder busy for minutes.
    """
    late = UserError(f"{path} gives no picture within {_PROBE_S:g} s", "", "convert it anew")
    return within(_PROBE_S, lambda: _probe(path, stream), late)


def _probe(path: Path, stream: int | None) -> Clip:
    with _open(path) as container:
        moving = _picture_streams(container, path)
        moving.sort(key=lambda one: one.index != stream)
        for number, one in enumerate(moving):
            if number:
                container.seek(0)
            first = next(_decoded(container, one), None)
            if first is not None:
                clip = _facts(path, container, one, first)
                more = _spread(container, one, clip, _ALPHA_SAMPLES)
                alpha, passed_over = is_transparent(one, first, more), _passed_over(container, one)
                return clip.model_copy(update={"passed_over": passed_over, "alpha": alpha})
        raise UserError(
            f"no picture of {path} can be decoded", _describe(moving[0]), "copy or convert it anew"
        )


def sample_frames(clip: Clip, deep: bool, count: int = 3) -> Iterator[Any]:
    """Yield up to `count` RGB frames spread over the clip (square, not rotated), uint16 where `deep`."""
    layout = "rgb48le" if deep else "rgb24"
    found = False
    with _open(clip.path) as container:
        for frame in _spread(container, _stream(container, clip), clip, count):
            found = True
            yield _converted(frame, layout, clip)
    if not found:
        # Short MPEG streams: seeking ended behind the last key frame.
        with _open(clip.path) as container:
            for frame in islice(_decoded(container, _stream(container, clip)), 1):
                yield _converted(frame, layout, clip)


def _spread(container: InputContainer, stream: VideoStream, clip: Clip, count: int) -> Iterator[VideoFrame]:
    for index in range(count):
        seconds = clip.origin_s + clip.duration_s * (index + 0.5) / count
        with suppress(av.error.FFmpegError):
            container.seek(int(seconds * 1_000_000))
            yield from islice(_decoded(container, stream), 1)


def last_frame_s(clip: Clip) -> float | None:
    """When the clip's index has the last frame, in seconds from its start; None without one."""
    with _open(clip.path) as container:
        last_s = last_shown(container, _stream(container, clip))
        return None if last_s is None else last_s - clip.origin_s


def _stream(container: InputContainer, clip: Clip) -> VideoStream:
    stream = container.streams[clip.stream]
    assert isinstance(stream, VideoStream)
    return stream


def _converted(frame: VideoFrame, layout: str, clip: Clip) -> Any:
    width, height = square_size(frame.width, frame.height, clip.stored_aspect)
    # A forecast needs no true colours, and these tags no converter refuses.
    frame.colorspace, frame.color_primaries, frame.color_trc = 5, 1, 1
    return frame.to_ndarray(format=layout, width=width, height=height)


def fingerprint(path: Path) -> str:
    """A short hash of a file's length, first and last MiB: tells clips apart without reading them whole."""
    size, part = path.stat().st_size, 1 << 20
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(part))
        file.seek(max(0, size - part))
        digest.update(file.read(part))
    return digest.hexdigest()[:16]


@contextmanager
def _open(path: Path) -> Iterator[InputContainer]:
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a video", "", "name a video file")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no regular file", "a pipe, a socket or a device", "name a video file")
    if not path.is_file():
        hint = "copy your clip there, or name it with --input FILE"
        raise UserError(f"no file {path}", _neighbours(path), hint)
    try:
        # An absolute path cannot be taken for a protocol, as "data:x.mp4" would be.
        container = av.open(str(path.resolve()), metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise UserError(
            f"{path} is no video that ffmpeg can read, or its index is cut off",
            f"{path.stat().st_size} bytes; ffmpeg says: {error.strerror}",
            "copy it anew from where it came, or choose another clip",
        ) from None
    with container:
        yield container


def _neighbours(path: Path) -> str:
    names = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"{path.parent} holds {shown or 'nothing'}" if path.parent.is_dir() else f"no folder {path.parent}"


def _picture_streams(container: InputContainer, path: Path) -> list[VideoStream]:
    """The video streams that may be shown, best first: default ones, then the larger."""
    moving = [s for s in container.streams.video if not s.disposition & _STILL]
    if not moving:
        kinds = ", ".join(s.type for s in container.streams) or "nothing"
        raise UserError(f"{path} has no moving picture", f"it holds {kinds}", "choose a clip with video")
    # PyAV knows no codec of a stream that it has no decoder for.
    known = [s for s in moving if s.codec_context is not None]
    if not known:
        raise UserError(f"{path} is in a codec that cannot be decoded", "", "convert it to H.264 or ProRes")
    return sorted(known, key=lambda s: (not s.disposition & Disposition.default, -s.width * s.height))


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that `probe` tries first."""
    return _picture_streams(container, path)[0]


def _passed_over(container: InputContainer, taken: VideoStream) -> tuple[str, ...]:
    return tuple(
        f"{s.index}, {_describe(s)}"
        for s in container.streams.video
        if s.index != taken.index and not s.disposition & _STILL
    )


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames that can be decoded: a clip cut out of a recording may begin between key frames."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except av.error.FFmpegError:
            continue
        except StopIteration:
            return


def _describe(stream: VideoStream) -> str:
    # Without a decoder there is no codec context, whatever PyAV's types say.
    known: VideoCodecContext | None = stream.codec_context
    size = f"{stream.width}x{stream.height}"
    return "a codec that cannot be decoded" if known is None else f"{known.name}, {size}"


def _facts(path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame) -> Clip:
    origin_s = container.start_time / 1_000_000 if container.start_time is not None else 0.0
    fps = float(stream.average_rate or stream.guessed_rate or 25)
    duration_s = _duration(container, stream)
    frames = stream.frames or max(1, round(duration_s * fps))
    frames, duration_s = measured(container, stream, frames) or (frames, duration_s)
    rotation, mirrored = placing(first)
    width, height = first.width, first.height
    around, _ = trusted_aspect(stream.sample_aspect_ratio)
    if rotation in (90, 270):
        width, height, around = height, width, around[::-1]
    first_s = first_shown(container, stream) if is_untimed(container) else first.time or 0.0
    end_s = pictures_end(container, stream, float(stream.guessed_rate or fps))
    tracks = sorted(container.streams.audio, key=lambda track: track.codec_context is None)
    sound = tracks[0] if tracks else None
    return Clip(
        path=path,
        fingerprint=fingerprint(path),
        width=width,
        height=height,
        fps=fps,
        frames=frames,
        counted=stream.frames > 0,
        duration_s=duration_s or frames / fps,
        start_s=max(0.0, first_s - origin_s),
        stream=stream.index,
        rotation_deg=rotation,
        mirrored=mirrored,
        bit_depth=max(part.bits for part in first.format.components),
        codec=stream.codec_context.name,
        color=read_color(first),
        sample_aspect=around,
        audio_codec=codec_name(sound) if sound else None,
        audio_start_s=float((sound.start_time or 0) * (sound.time_base or 1)) - origin_s if sound else None,
        origin_s=origin_s,
        end_s=max(0.0, end_s - origin_s) if end_s is not None else 0.0,
        timecode=find_timecode(part.metadata for part in (stream, container, *container.streams)),
        timecode_fps=counted_rate(fps, float(stream.guessed_rate or fps)),
    )


def codec_name(track: AudioStream) -> str:
    """ffmpeg's name of a sound track's codec, "unknown" where PyAV has no decoder for it."""
    return "unknown" if track.codec_context is None else track.codec_context.name


def _duration(container: InputContainer, stream: VideoStream) -> float:
    own = stream.duration and stream.time_base and float(stream.duration * stream.time_base)
    return own or (container.duration or 0) / 1_000_000
