"""Clips that are not whole: files cut short, and what ffmpeg says while it decodes."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av

# After so many parts at its top a file is taken for whole: a live recording can have countless ones.
_MOST_PARTS = 100_000
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Bytes of a packet, and before its sync byte: MPEG-TS as it is broadcast, and with the times of camcorders.
_PACKETS = ((188, 0), (192, 4))
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"uuid", b"styp", b"sidx", b"moof", b"mfra")


def is_cut_short(path: Path) -> bool:
    """Whether an MP4, MOV, Matroska, WebM, AVI, FLV, WMV or MPEG-TS lacks its end; others do not tell."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(0)
        if head[:3] == b"FLV":
            return not _ends_with_a_tag(file, size)
        if head[:4] == _EBML:
            ends = _matroska(file)
        elif head[:4] == b"RIFF":
            ends = _riff(file, size)
        elif head == _ASF:
            ends = _asf(file)
        elif head[4:8] in _BOXES:
            ends = _boxes(file, size)
        else:
            return _ends_within_a_packet(file, size)
        return max(ends, default=0) > size


def _boxes(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each box at the top of an ISO base media file ends (ISO/IEC 14496-12 §4.2)."""
    start = 0
    for _ in range(_MOST_PARTS):
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        (length,) = struct.unpack_from(">I", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length < 8 or head[4:8] not in _BOXES:
            # 0 is "to the end of the file"; anything else is no box but padding.
            return
        start += length
        yield start
        if start >= size:
            return


def _riff(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each RIFF list ends; long AVI files have several."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        kind, length = struct.unpack("<4sI", file.read(8))
        # Recorders that were switched off leave the length empty.
        if kind != b"RIFF" or length in (0, 0xFFFFFFFF):
            return
        start += 8 + length + length % 2
        yield start


def _asf(file: BinaryIO) -> Iterator[int]:
    """The length that the header's file properties tell (Advanced Systems Format §3.2)."""
    file.seek(30)
    for _ in range(_MOST_PARTS):
        head = file.read(48)
        if len(head) < 48:
            return
        (length,) = struct.unpack_from("<Q", head, 16)
        if head[:16] == _ASF_FILE:
            yield int(struct.unpack_from("<Q", head, 40)[0])
            return
        if not 24 <= length < 1 << 32:
            return
        file.seek(length - 48, 1)


def _matroska(file: BinaryIO) -> Iterator[int]:
    """Where the segment ends (RFC 8794 §5, RFC 9559 §5.1); a live recording does not tell."""
    for wanted in (_EBML, _SEGMENT):
        name = file.read(4)
        length = _vint(file)
        if name != wanted or length is None:
            return
        if wanted == _SEGMENT:
            yield file.tell() + length
        file.seek(length, 1)


def _vint(file: BinaryIO) -> int | None:
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    value = int.from_bytes(bytes([first[0] & (0xFF >> width)]) + rest, "big")
    return None if len(rest) < width - 1 or value == (1 << 7 * width) - 1 else value


def _ends_with_a_tag(file: BinaryIO, size: int) -> bool:
    """Whether the last four bytes are the length of the tag before them (FLV 10.1, annex E.3)."""
    if size < 28:
        return False
    file.seek(size - 4)
    (length,) = struct.unpack(">I", file.read(4))
    if not 11 <= length <= size - 17:
        return False
    file.seek(size - 4 - length)
    head = file.read(4)
    return head[0] & 0x1F in (8, 9, 18) and int.from_bytes(head[1:], "big") == length - 11


def _ends_within_a_packet(file: BinaryIO, size: int) -> bool:
    """Whether an MPEG transport stream (ISO/IEC 13818-1 §2.4.3) ends in the middle of a packet."""
    file.seek(0)
    head = file.read(4 * 192)
    for length, sync in _PACKETS:
        if all(head[sync + number * length : sync + number * length + 1] == b"\x47" for number in range(4)):
            return size % length != 0
    return False


# Bookkeeping and times, said of clips that were cut without encoding and of recordings that were joined.
_HARMLESS = re.compile(
    r"mmco: unref short failure|co located POCs unavailable|number of reference frames|Last message repeated"
    r"|non.?monoton|Header missing|timestamp|Invalid DTS|out of order|Consider increasing"
)
# What the frames before the first key frame, or those that lean on what was before it, are told.
_AT_THE_START = re.compile(
    r"no frame!|[PSV]PS|slice_header|reference picture|ref with POC|frame RPS|undecodable NALU|access unit"
    r"|First slice in a frame missing|MVs not available|Error parsing NAL|Invalid frame dimensions 0x0"
    r"|(submitting packet to decoder|Decoding error): Invalid data",
    re.IGNORECASE,
)


def complaints(said: bytes, start: int | None) -> list[str]:
    """The lines of ffmpeg's log that tell of damaged pictures.

    start: so many bytes of it are about the clip's first frames; None for all of a short clip.
    """
    start = len(said) if start is None else start
    first, rest = (part.decode("utf-8", "replace").splitlines() for part in (said[:start], said[start:]))
    lines = [line.strip() for line in first if not _AT_THE_START.search(line)] + rest
    return [line for line in lines if line.strip() and not _HARMLESS.search(line) and not _of_sound(line)]


def _of_sound(line: str) -> bool:
    """Whether a decoder of sound said it."""
    found = re.match(r"\[(\w+) @ ", line)
    try:
        return found is not None and av.Codec(found[1], "r").type == "audio"
    except ValueError:
        return False
