"""Pictures that are not whole, noticed from their bytes where the decoders say nothing."""

import re
import zlib
from pathlib import Path

from faceswap.errors import UserError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
# Starts of frames; and of any segment that may follow a scan's data, which holds FF 00 and restart marks.
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_STRIPS, _TILES = (273, 279), (324, 325)
_BYTES_OF = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}


class DamagedImage(UserError):  # noqa: N818 - named for what it is, like FileNotFound
    """A picture that is no picture, cut short or corrupt; `path` and `reason` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} is damaged", reason, "restore it, extract its clip again, or move it away")
        # Rebuilt from these when it crosses from a worker process.
        self.args = (path, reason)


def png_damage(data: bytes) -> str:
    """Why a PNG cannot be whole, or "": its chunks (PNG specification §5.3) are walked up to IEND."""
    view, at = memoryview(data), len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if end > len(data):
            break
        kind = data[at + 4 : at + 8]
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return f"its {kind!r} chunk at byte {at} is corrupt"
        if kind == b"IEND":
            return ""
        at = end
    return f"it is cut short at {len(data)} bytes"


def jpeg_scan(data: bytes) -> int:
    """Where the first scan of a JPEG begins, 0 where it has none: its segments (ITU T.81 §B.1.1) are walked.

    From there on FF D9 can only be the end of the image; segments before may hold thumbnails with their own.
    """
    at = len(JPEG_SIGNATURE)
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return at
        if data[at + 1] == 0xFF:
            at += 1
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def lacks_scans(data: bytes) -> bool:
    """Whether scans of a JPEG are missing: each component needs all 64 coefficients to the last bit.

    A progressive file (ITU T.81 §G) that was cut between two scans shows a whole picture, but a coarse one.
    """
    missing: dict[int, set[int]] = {}
    at = len(JPEG_SIGNATURE)
    while at + 10 < len(data) and data[at] == 0xFF:
        marker, after = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            missing = {number: set(range(64)) for number in data[at + 10 : after : 3]}
        elif marker == 0xDA:
            first, last, bits = data[after - 3 : after]
            # Al, the low half, is how many low bits are still left out.
            for number in data[at + 5 : after - 3 : 2] if bits & 15 == 0 else b"":
                missing.get(number, set()).difference_update(range(first, last + 1))
            following = _MARKER.search(data, after)
            after = following.start() if following else len(data)
        at = after
    return not missing or any(missing.values())


def tiff_damage(data: bytes) -> str:
    """Why a TIFF or BigTIFF cannot be whole, or "": its first page's strips or tiles lie in the file.

    libtiff says so by itself but for JPEG-compressed pages, which come back filled up.
    """
    order = "little" if data[:2] == b"II" else "big"
    big = data[2:3] == b"+" or data[3:4] == b"+"
    cut = f"it is cut short at {len(data)} bytes"

    def number(at: int, size: int) -> int:
        if at + size > len(data):
            raise IndexError
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    try:
        at = number(8 if big else 4, 8 if big else 4)
        head, wide, entry = (8, 8, 20) if big else (2, 4, 12)
        values: dict[int, list[int]] = {}
        for field in range(at + head, at + head + entry * number(at, head), entry):
            tag, size = number(field, 2), _BYTES_OF.get(number(field + 2, 2), 0)
            if tag in (*_STRIPS, *_TILES) and size:
                count = number(field + 4, wide)
                inside = field + 4 + wide
                start = inside if count * size <= wide else number(inside, wide)
                number(start, count * size)
                values[tag] = [number(start + size * i, size) for i in range(count)]
    except IndexError:
        return cut
    for starts, sizes in (_STRIPS, _TILES):
        ends = map(sum, zip(values.get(starts, ()), values.get(sizes, ()), strict=False))
        if max(ends, default=0) > len(data):
            return cut
    return ""
