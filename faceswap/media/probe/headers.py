"""The part of a coded picture that tells its size: when it is as before, so is the size.

Only bytes are compared, so that a clip need not be decoded to find where its pictures change.
"""

from collections.abc import Callable, Iterator, Mapping

# Parameter sets and sequence headers lie at the top of a packet, behind little else.
_HEAD_BYTES = 1 << 16
_H264_SPS, _HEVC_SPS, _VVC_SPS = 7, 33, 15
_AV1_SEQUENCE = 1


def size_header(codec: str, data: memoryview, nal_bytes: int) -> bytes:
    """The bytes of a packet that tell the size of its pictures; b"" where it has none, or none can change.

    codec: ffmpeg's name of the decoder.  nal_bytes: of the lengths before NAL units, 0 for start codes.
    """
    reader = _READERS.get(codec)
    return reader(bytes(data[:_HEAD_BYTES]), nal_bytes) if reader else b""


def nal_length_bytes(codec: str, extradata: bytes | None) -> int:
    """How many bytes tell the length of a NAL unit: ISO/IEC 14496-15 §5.3.3.1 (avcC) and §8.3.3.1 (hvcC)."""
    place = {"h264": 4, "hevc": 21}.get(codec)
    if place is None or not extradata or extradata[0] != 1 or len(extradata) <= place:
        return 0
    return (extradata[place] & 3) + 1


def _nal_units(data: bytes, nal_bytes: int) -> Iterator[bytes]:
    start = 0
    while nal_bytes and start + nal_bytes < len(data):
        length = int.from_bytes(data[start : start + nal_bytes], "big")
        yield data[start + nal_bytes : start + nal_bytes + length]
        start += nal_bytes + length
    if nal_bytes == 0:
        # Trailing zeros belong to the next start code.
        yield from (unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")[1:])


def _parameters(kind: int, byte: int, shift: int, mask: int) -> Callable[[bytes, int], bytes]:
    """A reader of NAL units of this `kind`, which `byte` of each tells, shifted and masked."""
    return lambda data, nal_bytes: b"".join(
        unit
        for unit in _nal_units(data, nal_bytes)
        if len(unit) > byte and unit[byte] >> shift & mask == kind
    )


def _mpeg2(data: bytes, _: int) -> bytes:
    """Size and shape of the pixels: ISO/IEC 13818-2 §6.2.2.1."""
    start = data.find(b"\0\0\1\xb3")
    return data[start + 4 : start + 8] if start >= 0 else b""


def _mpeg4(data: bytes, _: int) -> bytes:
    """The video object layer: ISO/IEC 14496-2 §6.2.3."""
    units = data.split(b"\0\0\1")[1:]
    return b"".join(unit for unit in units if unit and 0x20 <= unit[0] <= 0x2F)


def _vp8(data: bytes, _: int) -> bytes:
    """RFC 6386 §9.1."""
    return data[6:10] if data[3:6] == b"\x9d\x01\x2a" else b""


def _vp9(data: bytes, _: int) -> bytes:
    """The uncompressed header of a key frame to its size (VP9 bitstream §6.2)."""
    return data[:8] + bytes([data[8] & 0xF0]) if data[1:4] == b"\x49\x83\x42" and len(data) > 8 else b""


def _av1(data: bytes, _: int) -> bytes:
    """Sequence headers among the open bitstream units (AV1 §5.3)."""
    found, start = b"", 0
    while start < len(data):
        head, size, shift = data[start], 0, 0
        start += 1 + (head >> 2 & 1)
        while head & 2 and start < len(data):
            size |= (data[start] & 127) << shift
            start, shift, more = start + 1, shift + 7, data[start] & 128
            if not more:
                break
        end = start + size if head & 2 else len(data)
        found += data[start:end] if head >> 3 & 15 == _AV1_SEQUENCE else b""
        start = end
    return found


def _jpeg(data: bytes, _: int) -> bytes:
    """Size in the frame header: ITU-T T.81 §B.2.2."""
    start = 2
    while start + 9 <= len(data) and data[start] == 0xFF:
        if data[start + 1] in (0xC0, 0xC1, 0xC2):
            return data[start + 5 : start + 9]
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return b""


_READERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "h264": _parameters(_H264_SPS, 0, 0, 31),
    "hevc": _parameters(_HEVC_SPS, 0, 1, 63),
    "vvc": _parameters(_VVC_SPS, 1, 3, 31),
    "mpeg1video": _mpeg2,
    "mpeg2video": _mpeg2,
    "mpeg4": _mpeg4,
    "vp8": _vp8, "libvpx": _vp8,
    "vp9": _vp9, "libvpx-vp9": _vp9,
    "av1": _av1, "libdav1d": _av1, "libaom-av1": _av1,
    "mjpeg": _jpeg,
    # RDD 36 §5.1: width and height; PNG (ISO/IEC 15948 §11.2.2): the same.
    "prores": lambda data, _: data[16:20],
    "png": lambda data, _: data[16:24],
    # Type, rate and, from the sixth byte on, the rest of Sorenson's header (FLV 10.1, annex E.4.3.1).
    "flv": lambda data, _: data[3:8],
    "dnxhd": lambda data, _: data[0x18:0x1C],
}  # fmt: skip
