"""When the frames of a stream are shown, read from its packets, without decoding them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import av.error
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from faceswap.media.probe.damage import is_cut_short

# Containers whose index or frame times say where a time lies. In the others seeking is a guess: in MPEG-TS
# and MPEG-PS it ends at the next key frame after the wanted time.
_INDEXED = ("mov", "matroska", "mxf", "avi", "nut")
# Further and further back, until a key frame is found that is shown early enough.
_STEPS_BACK_S = (0.0, 1.0, 5.0, 30.0)
# What ffmpeg takes for the seam of two recordings where a format may have some (its -dts_delta_threshold,
# and a tenth of a second back).
_SEAM_S = (-0.1, 10.0)
# So much is read in a fraction of a second; and no frame is smaller.
_COUNTED_BYTES = 256 << 20
_FRAME_BYTES = 100


@dataclass(frozen=True)
class Shown:
    """A frame as its packet tells of it, in seconds on the container's clock.

    decoded_s: the packet's place in decoding order; None where nothing tells it. stay_s: 0 where unknown.
    joined: a seam of two recordings lies before it, whose clocks are made one.
    """

    time_s: float
    decoded_s: float | None
    stay_s: float
    is_key: bool
    joined: bool = False


def is_untimed(container: InputContainer) -> bool:
    """Whether frames have no times of their own: AVI shows them in turn, whatever order they are coded in.

    What ffmpeg tells of them is late by the frames that a decoder holds back.
    """
    return container.format.name == "avi"


def first_shown(container: InputContainer, stream: VideoStream) -> float:
    """When the first frame of a file without times is shown, in seconds on the container's clock."""
    return next((frame.time_s for frame in _from_the_first(container, stream)), 0.0)


def measured(container: InputContainer, stream: VideoStream, forecast: float) -> tuple[int, float] | None:
    """Frames and seconds of an MPEG stream, whose header tells neither, counted; None where that takes long.

    forecast: the frames that the length of the file seems to promise; nonsense where recordings were joined.
    """
    takes_long = container.size > max(_COUNTED_BYTES, forecast * _FRAME_BYTES)
    if stream.frames or not _has_seams(container) or takes_long:
        return None
    times_s = [frame.time_s for frame in _from_the_first(container, stream)]
    if not times_s:
        return None
    return len(times_s), max(times_s) - min(times_s) + 1 / float(stream.guessed_rate or 25)


def shown_from(container: InputContainer, stream: VideoStream, wanted_s: float) -> Iterator[Shown]:
    """Frames in decoding order, from a key frame shown at or before `wanted_s` on; else from the first on."""
    if _is_indexed(container):
        for back_s in _STEPS_BACK_S:
            try:
                container.seek(int((wanted_s - back_s) * 1_000_000))
            except av.error.FFmpegError:
                break
            frames = _shown(container, stream)
            first = next(frames, None)
            if first is not None and first.is_key and first.time_s <= wanted_s:
                yield first
                yield from frames
                return
    yield from _from_the_first(container, stream)


def last_shown(container: InputContainer, stream: VideoStream) -> float | None:
    """When the last frame is shown, in seconds on the container's clock; None without an index that tells."""
    if not _is_indexed(container):
        return None
    end_s = (_stream_s(stream, stream.start_time) or 0.0) + (_stream_s(stream, stream.duration) or 0.0)
    return max((frame.time_s for frame in shown_from(container, stream, end_s)), default=None)


def pictures_end(container: InputContainer, stream: VideoStream, fps: float) -> float | None:
    """When the last frame's stay ends, in seconds on the container's clock; None where nothing tells it.

    fps: tells the stay where the file does not. Sound that lasts longer counts for nothing.
    """
    kind = container.format.name.split(",")[0]
    start_s = _stream_s(stream, stream.start_time) or 0.0
    length_s = _stream_s(stream, stream.duration)
    if kind in ("matroska", "flv", "asf") and len(container.streams) == 1:
        # The length in an FLV file counts from its clock's zero.
        promised_s: float | None = (container.duration or 0) / 1e6
    elif kind in ("mov", "matroska", "avi", "gif"):
        promised_s = start_s + length_s if length_s else _tagged_end_s(stream, start_s)
    else:
        return None
    frames = list(shown_from(container, stream, start_s if promised_s is None else promised_s))
    if not frames:
        return None
    last = max(frames, key=lambda frame: frame.time_s)
    end_s = last.time_s + (last.stay_s or 1 / fps)
    if promised_s is None or promised_s <= last.time_s or kind == "gif" or is_cut_short(Path(container.name)):
        return end_s
    # MP4 tells distances in decoding order, where the last is often of another frame; edit lists change them.
    return promised_s if kind == "mov" else max(end_s, promised_s)


def _from_the_first(container: InputContainer, stream: VideoStream) -> Iterator[Shown]:
    """All frames; a file that was read already is opened anew, since seeking back may miss some."""
    with av.open(container.name, metadata_errors="replace") as fresh:
        again = fresh.streams[stream.index]
        assert isinstance(again, VideoStream)
        yield from _shown(fresh, again)


def _shown(container: InputContainer, stream: VideoStream) -> Iterator[Shown]:
    return (shown for shown, _ in timed_packets(container, stream) if shown is not None)


def timed_packets(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple[Shown | None, "Packet[VideoStream]"]]:
    """The packets of frames in decoding order, and when those are shown, from where the file is read on.

    None where a packet has no time, as in raw streams.
    """
    has_seams = _has_seams(container)
    untimed = is_untimed(container)
    shift_s, next_s = 0.0, None
    for packet in container.demux(stream):
        if not packet.size or packet.is_discard:
            continue
        if packet.pts is None and packet.dts is None:
            yield None, packet
            continue
        decoded_s = _time_s(packet, packet.dts)
        told_s = decoded_s if untimed else _time_s(packet, packet.pts)
        time_s = (decoded_s if told_s is None else told_s) or 0.0
        stay_s = _time_s(packet, packet.duration) or 0.0
        joined = False
        if has_seams and decoded_s is not None:
            ahead_s = decoded_s + shift_s - (decoded_s + shift_s if next_s is None else next_s)
            joined = not _SEAM_S[0] <= ahead_s <= _SEAM_S[1]
            shift_s -= ahead_s * joined
            next_s = decoded_s + shift_s + (stay_s or 1 / float(stream.guessed_rate or 25))
            decoded_s += shift_s
        yield Shown(time_s + shift_s, decoded_s, stay_s, packet.is_keyframe, joined), packet


def _is_indexed(container: InputContainer) -> bool:
    return container.format.name.split(",")[0] in _INDEXED


def _has_seams(container: InputContainer) -> bool:
    return bool(container.format.flags & cast(int, Flags.ts_discont.value))


def _time_s(packet: "Packet[VideoStream]", ticks: int | None) -> float | None:
    return None if ticks is None or packet.time_base is None else float(ticks * packet.time_base)


def _stream_s(stream: VideoStream, ticks: int | None) -> float | None:
    return None if ticks is None or stream.time_base is None else float(ticks * stream.time_base)


def _tagged_end_s(stream: VideoStream, start_s: float) -> float | None:
    """The end of a track by what Matroska's muxers write beside it, such as "00:00:04.000000000"."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if not found:
        return None
    tagged_s = 3600 * float(found[1]) + 60 * float(found[2]) + float(found[3])
    # mkvmerge, which signs its statistics, writes the length there, libavformat the end.
    return tagged_s + start_s * ("_STATISTICS_WRITING_APP" in stream.metadata)
