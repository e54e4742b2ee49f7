"""What a clip is: its size as shown, rate, depth, colour, sound, read with PyAV (there is no ffprobe)."""

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from pydantic import BaseModel, ConfigDict

from faceswap.errors import UserError
from faceswap.io.packets import first_shown, is_untimed, last_shown, measured, pictures_end
from faceswap.io.timecode import counted_rate, find_timecode

# Code points of ITU-T H.273 -> the names ffmpeg's filters know.
_MATRIX = {
    1: "bt709",
    4: "fcc",
    5: "smpte170m",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020nc",
    10: "bt2020nc",
}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020",
    12: "smpte432",
}
_TRANSFER = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 18: "arib-std-b67",
}  # fmt: skip
_FULL_RANGE = 2
_RGB_MATRIX = 0
# Untagged pictures taller and wider than standard definition are taken as bt709, as players do.
_HD_PX = 577


class Record(BaseModel):
    """Base of frozen values that are stored as JSON; keys of later versions are kept out of the way."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Color(Record):
    """How a clip's YUV becomes RGB, by ffmpeg's names; `matrix` is "" where the clip holds RGB itself."""

    matrix: str = "bt709"
    primaries: str = "bt709"
    transfer: str = "bt709"
    full_range: bool = False

    @property
    def code_points(self) -> tuple[int, int]:
        """The numbers of primaries and transfer in ITU-T H.273."""
        tables = ((_PRIMARIES, self.primaries), (_TRANSFER, self.transfer))
        primaries, transfer = (next(code for code in names if names[code] == name) for names, name in tables)
        return primaries, transfer


class Clip(Record):
    """The facts of one clip. Sizes are as shown, after rotation; times are on the container's clock.

    frames is what the container says (`counted`), or duration x rate where it says nothing; start_s is the
    time of the first frame and audio_start_s of the first sound (None without), both from the clip's start.
    end_s: when the last frame's stay ends, from the clip's start; 0 where the file does not tell.
    timecode: of the first frame, hh:mm:ss:ff or hh:mm:ss;ff, "" without one; timecode_fps: how it counts.
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

    @property
    def has_audio(self) -> bool:
        return self.audio_codec is not None


def probe(path: Path) -> Clip:
    """Read the facts of the clip at `path`; its first frame is decoded.

    Raises UserError for a missing file, a folder, a file that is no video and one without pictures.
    """
    with _open(path) as container:
        stream = _picture_stream(container, path)
        first = next(_decoded(container, stream), None)
        if first is None:
            raise UserError(
                f"no picture of {path} can be decoded", _describe(stream), "copy or convert it anew"
            )
        return _facts(path, container, stream, first)


def sample_frames(clip: Clip, deep: bool, count: int = 3) -> Iterator[Any]:
    """Yield up to `count` RGB frames spread over the clip (not rotated), uint16 where `deep`."""
    layout = "rgb48le" if deep else "rgb24"
    found = False
    with _open(clip.path) as container:
        stream = _picture_stream(container, clip.path)
        for index in range(count):
            seconds = clip.origin_s + clip.duration_s * (index + 0.5) / count
            with suppress(av.error.FFmpegError):
                container.seek(int(seconds * 1_000_000))
                for frame in islice(_decoded(container, stream), 1):
                    found = True
                    yield frame.to_ndarray(format=layout)
    if not found:
        # Short MPEG streams: seeking ended behind the last key frame.
        with _open(clip.path) as container:
            for frame in islice(_decoded(container, _picture_stream(container, clip.path)), 1):
                yield frame.to_ndarray(format=layout)


def last_frame_s(clip: Clip) -> float | None:
    """When the clip's index has the last frame, in seconds from its start; None without one."""
    with _open(clip.path) as container:
        last_s = last_shown(container, _picture_stream(container, clip.path))
        return None if last_s is None else last_s - clip.origin_s


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
    if not path.is_file():
        raise UserError(
            f"no file {path}", _neighbours(path), "copy your clip there, or name it with --input FILE"
        )
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


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        kinds = ", ".join(s.type for s in container.streams) or "nothing"
        raise UserError(f"{path} has no moving picture", f"it holds {kinds}", "choose a clip with video")
    return moving[0]


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
    return f"{stream.codec_context.name}, {stream.width}x{stream.height}"


def _facts(path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame) -> Clip:
    origin_s = container.start_time / 1_000_000 if container.start_time is not None else 0.0
    fps = float(stream.average_rate or stream.guessed_rate or 25)
    duration_s = _duration(container, stream)
    frames = stream.frames or max(1, round(duration_s * fps))
    frames, duration_s = measured(container, stream, frames) or (frames, duration_s)
    rotation, mirrored = _placing(first)
    width, height = first.width, first.height
    aspect = stream.sample_aspect_ratio
    around = (aspect.numerator, aspect.denominator) if aspect and aspect > 0 else (1, 1)
    if rotation in (90, 270):
        width, height, around = height, width, around[::-1]
    first_s = first_shown(container, stream) if is_untimed(container) else first.time or 0.0
    end_s = pictures_end(container, stream, float(stream.guessed_rate or fps))
    sound = container.streams.audio[0] if container.streams.audio else None
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
        color=_color(first),
        sample_aspect=around,
        audio_codec=sound.codec_context.name if sound else None,
        audio_start_s=float((sound.start_time or 0) * (sound.time_base or 1)) - origin_s if sound else None,
        origin_s=origin_s,
        end_s=max(0.0, end_s - origin_s) if end_s is not None else 0.0,
        timecode=find_timecode(part.metadata for part in (stream, container, *container.streams)),
        timecode_fps=counted_rate(fps, float(stream.guessed_rate or fps)),
    )


def _placing(frame: VideoFrame) -> tuple[int, bool]:
    """By how many degrees (0, 90, 180, 270) players turn a frame, and whether they mirror it before."""
    rotation = round(frame.rotation) % 360
    # PyAV's stubs call it a dictionary by names, but it is one by types.
    side_data: Any = frame.side_data
    try:
        matrix = side_data[SideDataType.DISPLAYMATRIX]
    except KeyError:
        return rotation, False
    a, b, _, c, d = (float(value) for value in struct.unpack_from("=5i", bytes(matrix)))
    # PyAV and ffmpeg take a mirrored picture for one that is turned by 180° more.
    mirrored = a * d - b * c < 0
    return (rotation + 180 * mirrored) % 360, mirrored


def _duration(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else 0.0


def _color(frame: VideoFrame) -> Color:
    hd = min(frame.width, frame.height) >= _HD_PX
    matrix = _MATRIX.get(int(frame.colorspace), "bt709" if hd else "smpte170m")
    usual = "bt2020" if matrix == "bt2020nc" else matrix
    return Color(
        matrix="" if frame.format.is_rgb or int(frame.colorspace) == _RGB_MATRIX else matrix,
        primaries=_PRIMARIES.get(
            int(frame.color_primaries), usual if usual in _PRIMARIES.values() else "bt709"
        ),
        transfer=_TRANSFER.get(int(frame.color_trc), matrix if matrix in _TRANSFER.values() else "bt709"),
        full_range=int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj"),
    )
