"""A look at a whole clip before its frames are taken: pixels that are not square, changes of size, fields."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal, cast

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from faceswap.console import progress
from faceswap.media.probe.fields import find_fields, told_fields
from faceswap.media.probe.geometry import (
    Aspect,
    Geometry,
    Shape,
    geometry_of,
    trusted_aspect,
    without_repeats,
)
from faceswap.media.probe.headers import nal_length_bytes, size_header
from faceswap.media.probe.packets import Shown, timed_packets
from faceswap.media.probe.video import Clip

# Packets from a new header on among which a picture must be.
_PATIENCE = 64
# Containers that tell the shape of a pixel once for all pictures.
_TOLD_ONCE = ("mov", "matroska", "avi", "asf", "mxf", "nut")

Deinterlace = Literal["auto", "on", "off"]
Packets = Iterator[tuple[Shown | None, "Packet[VideoStream]"]]


def surveyed(clip: Clip, deinterlace: Deinterlace = "auto") -> Clip:
    """`clip` with the geometry of its frames; all packets are read, those that tell a new size decoded.

    deinterlace: "auto" where pictures are found to have fields, "on" always, "off" never.
    """
    with av.open(str(clip.path.resolve()), metadata_errors="replace") as container:
        stream = container.streams[clip.stream]
        assert isinstance(stream, VideoStream)
        _, ignored = trusted_aspect(stream.sample_aspect_ratio)
        packets = timed_packets(container, stream)
        looked = progress(packets, f"look through {clip.path.name}", "packets", after_s=2)
        shapes = without_repeats([_first(clip), *_changes(clip, container, stream, looked)])
        update = {"ignored_aspect": ignored} | _fields(clip, deinterlace)
    return _with_frames(clip.model_copy(update={"geometry": geometry_of(shapes).model_copy(update=update)}))


def _fields(clip: Clip, deinterlace: Deinterlace) -> dict[str, Any]:
    """The values of a geometry that concern fields."""
    if deinterlace == "off":
        return {}
    with av.open(str(clip.path.resolve()), metadata_errors="replace") as container:
        stream = container.streams[clip.stream]
        assert isinstance(stream, VideoStream)
        found = find_fields(container, stream, clip.duration_s)
        if found is None and deinterlace == "on":
            found = Geometry(fields=told_fields(stream))
    return {} if found is None else found.model_dump(include={"fields", "pulled_down", "flagged"})


def _with_frames(clip: Clip) -> Clip:
    """With the rate and number of its frames, which are fewer than its pictures in telecine."""
    share = clip.geometry.share
    return clip.model_copy(update={"fps": clip.fps * share, "frames": max(1, round(clip.frames * share))})


def _first(clip: Clip) -> Shape:
    return Shape(from_s=clip.start_s, width=clip.width, height=clip.height, sample_aspect=clip.sample_aspect)


def _changes(clip: Clip, container: InputContainer, stream: VideoStream, packets: Packets) -> Iterator[Shape]:
    """The shape of the pictures after each header that differs from the one before."""
    codec, extradata = stream.codec_context.name, stream.codec_context.extradata
    nal_bytes = nal_length_bytes(codec, extradata)
    told_once = container.format.name.split(",")[0] in _TOLD_ONCE
    known: dict[bytes, Shape | None] = {}
    last = None
    for number, (shown, packet) in enumerate(packets):
        if packet.has_sidedata("new_extradata"):
            extradata = bytes(memoryview(packet.get_sidedata("new_extradata")))
            nal_bytes, last = nal_length_bytes(codec, extradata), None
        elif not packet.is_keyframe:
            continue
        header = size_header(codec, memoryview(packet), nal_bytes)
        # A picture without a header is like the one before; without a new one, too.
        if header == last or (last is not None and not header):
            continue
        key = header + (extradata or b"")
        if not known:
            # The picture that `probe` decoded.
            known[key] = _first(clip)
        elif key not in known:
            known[key] = _decoded_shape(clip, codec, extradata, packet, packets, told_once)
        shape, last = known[key], header
        if shape is not None:
            from_s = shown.time_s - clip.origin_s if shown else clip.start_s + number / clip.fps
            yield shape.model_copy(update={"from_s": max(0.0, from_s)})


def _decoded_shape(
    clip: Clip,
    codec: str,
    extradata: bytes | None,
    packet: "Packet[VideoStream]",
    following: Packets,
    told_once: bool,
) -> Shape | None:
    """The shape of the first picture from `packet` on; None where none can be decoded."""
    decoder = cast(VideoCodecContext, av.CodecContext.create(codec, "r"))
    decoder.extradata = extradata
    for _ in range(_PATIENCE):
        try:
            frames = decoder.decode(packet)
        except av.error.FFmpegError:
            frames = []
        if frames:
            aspect = clip.stored_aspect if told_once else _aspect(decoder, clip)
            size = frames[0].width, frames[0].height
            if clip.rotation_deg in (90, 270):
                size, aspect = size[::-1], aspect[::-1]
            return Shape(from_s=0.0, width=size[0], height=size[1], sample_aspect=aspect)
        following_packet = next(following, None)
        if following_packet is None:
            break
        packet = following_packet[1]
    return None


def _aspect(decoder: VideoCodecContext, clip: Clip) -> Aspect:
    told: Fraction | None = decoder.sample_aspect_ratio
    return trusted_aspect(told)[0] if told else clip.stored_aspect
