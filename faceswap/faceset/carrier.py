"""Face metadata inside image files: which segment, how it is written and found.

PNG   one iTXt chunk (PNG specification, third edition, §11.3.3.4), keyword `faceswap-face`,
      uncompressed UTF-8 JSON, before the first IDAT.
JPEG  one or more APP10 segments (marker FF EA) after the leading APP0: the identifier
      `faceswap-face` and a zero byte, one byte part number from 0, one byte count of parts, then a
      slice of the UTF-8 JSON. APP11 is taken by C2PA, APP13 and APP14 by Adobe, APP15 by DeepFaceLab.

Neither touches the pixels. Readers stop at the first pixel data, so only the head of a file is read.
"""

import json
import struct
import zlib
from collections.abc import Container, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from faceswap.io.documents import DocumentError, parse
from faceswap.types import Json

KEYWORD = b"faceswap-face"
_PNG = b"\x89PNG\r\n\x1a\n"
_APP10, _APP15 = 0xEA, 0xEF
# A segment holds 65,535 bytes with its length field (2), identifier and zero byte, part and count.
_PART_BYTES = 65535 - 2 - len(KEYWORD) - 1 - 2
_JPEG_PREFIX = KEYWORD + b"\0"
_PNG_PREFIX = KEYWORD + b"\0\0\0\0\0"
_MOST_BYTES = 255 * 65535
# SOF0 … SOF15 (ITU T.81 table B.1), without the markers between them that are none.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def embed(image: bytes, meta: Json) -> bytes:
    """The encoded PNG or JPEG with `meta` in it, in place of what it carried before.

    Raises ValueError for other formats and for JSON beyond what 255 JPEG segments hold (16 MB).
    """
    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode()
    if image.startswith(_PNG):
        return _embed_png(image, text)
    if image.startswith(b"\xff\xd8"):
        return _embed_jpeg(image, text)
    raise ValueError("face metadata needs a PNG or JPEG file")


class Carried(NamedTuple):
    """What the head of an image file says.

    meta: the metadata, None where it carries none. size: width and height in px, None where that is not said.
    fault: why metadata that is there cannot be read, else "".
    """

    meta: Json | None
    size: tuple[int, int] | None
    fault: str = ""


def extract(path: Path) -> Json | None:
    """The metadata of an image file; None where it carries none or what it carries is no JSON object."""
    return read_head(path).meta


def extract_bytes(image: bytes) -> Json | None:
    """Like `extract`, for an encoded image in memory."""
    return read_head_bytes(image).meta


def read_head(path: Path) -> Carried:
    """What an image file carries and how large it is, without its pixels."""
    with path.open("rb") as file:
        return _read_head(file)


def read_head_bytes(image: bytes) -> Carried:
    """Like `read_head`, for an encoded image in memory."""
    return _read_head(BytesIO(image))


def _read_head(file: BinaryIO) -> Carried:
    text, size = _find(file)
    if text is None:
        return Carried(None, size)
    try:
        value = parse(text)
    except DocumentError as error:
        return Carried(None, size, str(error))
    return Carried(value, size) if isinstance(value, dict) else Carried(None, size, "it is no JSON object")


def _find(file: BinaryIO) -> tuple[bytes | None, tuple[int, int] | None]:
    head = file.read(2)
    if head == b"\xff\xd8":
        return _find_jpeg(file)
    if head + file.read(6) == _PNG:
        return _find_png(file)
    return None, None


def _find_png(file: BinaryIO) -> tuple[bytes | None, tuple[int, int] | None]:
    size = None
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind in (b"IDAT", b"IEND"):
            break
        if kind not in (b"IHDR", b"iTXt"):
            file.seek(length + 4, 1)
            continue
        # The file may be shorter than the chunk says, and is not worth more memory than a JPEG's could take.
        content = file.read(min(length, _MOST_BYTES))
        if kind == b"IHDR" and len(content) >= 8:
            size = struct.unpack(">II", content[:8])
        elif content.startswith(_PNG_PREFIX):
            return content[len(_PNG_PREFIX) :], size
        file.seek(length - len(content) + 4, 1)
    return None, size


def is_deepfacelab(path: Path) -> bool:
    """Whether a file is a JPEG with DFL's metadata: a pickled dictionary in APP15 (deepfacelab.md §3.1).

    It is recognised, never unpickled.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return False
        # A pickle of protocol 2 and later begins with its number and ends with a full stop.
        return any(part[:1] == b"\x80" and part[-1:] == b"." for _, part in _segments(file, {_APP15}))


def _find_jpeg(file: BinaryIO) -> tuple[bytes | None, tuple[int, int] | None]:
    parts: dict[int, bytes] = {}
    count, size = -1, None
    for kind, content in _segments(file, _FRAME_HEADERS | {_APP10}):
        if kind in _FRAME_HEADERS:
            size = struct.unpack(">HH", content[1:5])[::-1] if len(content) >= 5 else None
        elif content.startswith(_JPEG_PREFIX) and len(content) >= len(_JPEG_PREFIX) + 2:
            number, count = content[len(_JPEG_PREFIX) : len(_JPEG_PREFIX) + 2]
            parts[number] = content[len(_JPEG_PREFIX) + 2 :]
    if count < 1 or sorted(parts) != list(range(count)):
        return None, size
    return b"".join(parts[number] for number in range(count)), size


def _segments(file: BinaryIO, wanted: Container[int]) -> Iterator[tuple[int, bytes]]:
    """Second byte of the marker and contents of a JPEG's `wanted` segments, up to its pixels."""
    while len(header := file.read(4)) == 4:
        marker, length = struct.unpack(">HH", header)
        # Start of scan: pixels follow. Anything that is no marker means a damaged head.
        if marker == 0xFFDA or marker >> 8 != 0xFF or length < 2:
            return
        if marker & 0xFF in wanted:
            yield marker & 0xFF, file.read(length - 2)
        else:
            file.seek(length - 2, 1)


def _embed_png(image: bytes, text: bytes) -> bytes:
    content = _PNG_PREFIX + text
    chunk = struct.pack(">I", len(content)) + b"iTXt" + content
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    kept, position = [image[:8]], 8
    while position + 12 <= len(image):
        (length,) = struct.unpack(">I", image[position : position + 4])
        end = position + length + 12
        kind, old = image[position + 4 : position + 8], image[position + 8 : position + 8 + len(_PNG_PREFIX)]
        if kind != b"iTXt" or old != _PNG_PREFIX:
            kept.append(image[position:end])
        if kind == b"IHDR":
            kept.append(chunk)
        position = end
    return b"".join(kept)


def _embed_jpeg(image: bytes, text: bytes) -> bytes:
    slices = [text[start : start + _PART_BYTES] for start in range(0, len(text), _PART_BYTES)]
    if len(slices) > 255:
        raise ValueError(f"face metadata of {len(text)} bytes does not fit into a JPEG file")
    segments = []
    for number, part in enumerate(slices):
        content = _JPEG_PREFIX + bytes((number, len(slices))) + part
        segments.append(struct.pack(">HH", 0xFF00 | _APP10, len(content) + 2) + content)
    leading, position = [image[:2]], 2
    kept: list[bytes] = []
    while image[position : position + 2] != b"\xff\xda":
        if image[position : position + 1] != b"\xff" or position + 4 > len(image):
            raise ValueError("a JPEG file without a scan")
        marker, length = struct.unpack(">HH", image[position : position + 4])
        segment = image[position : position + 2 + length]
        position += 2 + length
        if marker == 0xFFE0 and not kept:
            leading.append(segment)
        elif marker != 0xFF00 | _APP10 or not segment[4:].startswith(_JPEG_PREFIX):
            kept.append(segment)
    return b"".join([*leading, *segments, *kept, image[position:]])
