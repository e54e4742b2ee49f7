"""One frame as a PNG, TIFF or OpenEXR file with alpha as each format means it, colour and a note in its text.

libav's encoders make the pixels; what they leave out is put in: the note, and PNG's colour chunk.
"""

import struct
import zlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.codecs import Film
from faceswap.io.color_tags import Color
from faceswap.io.light import linear_table
from faceswap.io.oiio import TRANSFER_ATTRIBUTE
from faceswap.types import Frame

SUFFIXES = {"png": ".png", "tiff": ".tif", "exr": ".exr"}
_OPTIONS = {
    "png": {"pred": "up", "compression_level": "3"},
    "tiff": {"compression_algo": "deflate"},
    "exr": {"format": "half", "compression": "zip16"},
}
_IMAGE_DESCRIPTION = 270
_ASCII = 2


def encode_still(film: Film, frame: Frame, color: Color, note: str) -> bytes:
    """The file's bytes of a frame (H, W, 3) or (H, W, 4), uint8 or uint16.

    PNG and TIFF hold the values as they are, alpha straight. OpenEXR holds half floats of linear light, by
    the curve that `color` names and an attribute tells read_image, multiplied by alpha.
    note: ASCII.  Raises UserError when PyAV has no such encoder.
    """
    if film.name not in av.codecs_available:
        raise UserError(f"this PyAV has no encoder for {film.name}", "", "pip install --force-reinstall av")
    data = _encode(film, _light(frame, color) if film.name == "exr" else frame)
    if film.name == "png":
        return _with_chunks(data, color, note)
    if film.name == "tiff":
        return _with_description(data, note)
    return _with_texts(data, {"comments": note, TRANSFER_ATTRIBUTE: color.transfer})


def _light(frame: Frame, color: Color) -> NDArray[np.float32]:
    pixels = np.empty(frame.shape, np.float32)
    pixels[..., :3] = linear_table(color.transfer)[frame[..., :3]]
    if frame.shape[2] == 4:
        pixels[..., 3] = frame[..., 3] / np.float32(65535)
        pixels[..., :3] *= pixels[..., 3:]
    return pixels


def _encode(film: Film, frame: Frame | NDArray[np.float32]) -> bytes:
    # PNG files, unlike pictures in memory, have their high byte first.
    layout = film.layout.replace("le", "be") if film.name == "png" else film.layout
    context = av.CodecContext.create(film.name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = frame.shape[:2]
    context.pix_fmt, context.framerate, context.options = layout, Fraction(25), _OPTIONS[film.name]
    pixels: Any = np.ascontiguousarray(frame)
    picture = av.VideoFrame.from_ndarray(pixels, format=layout)
    return b"".join(bytes(packet) for packet in (*context.encode(picture), *context.encode(None)))


def _with_chunks(data: bytes, color: Color, note: str) -> bytes:
    """Add tEXt and cICP (PNG specification, third edition, §11.3.2.6, §11.3.3.2) after the header."""
    primaries, transfer = color.code_points
    after_header = 8 + 12 + 13
    colours = _chunk(b"cICP", bytes([primaries, transfer, 0, 1]))
    text = _chunk(b"tEXt", b"Comment\0" + note.encode("ascii"))
    return data[:after_header] + colours + text + data[after_header:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _with_description(data: bytes, note: str) -> bytes:
    """Add ImageDescription by a new directory at the end (TIFF 6.0, §2: entries ascend by tag)."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = [data[start : start + 12] for start in range(at + 2, at + 2 + 12 * count, 12)]
    text = note.encode("ascii") + b"\0"
    data += b"\0" * (len(data) % 2)
    entries.append(struct.pack("<HHII", _IMAGE_DESCRIPTION, _ASCII, len(text), len(data)))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    text += b"\0" * (len(text) % 2)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    return data[:4] + struct.pack("<I", len(data) + len(text)) + data[8:] + text + directory


def _with_texts(data: bytes, texts: dict[str, str]) -> bytes:
    """Add attributes of text (OpenEXR file layout), and move the offsets of the lines behind them."""
    end = 8
    while data[end]:
        name_end = data.index(b"\0", end)
        type_end = data.index(b"\0", name_end + 1)
        end = type_end + 5 + struct.unpack_from("<i", data, type_end + 1)[0]
    attributes = b"".join(
        name.encode("ascii") + b"\0string\0" + struct.pack("<i", len(text)) + text.encode("ascii")
        for name, text in texts.items()
    )
    first = struct.unpack_from("<Q", data, end + 1)[0]
    offsets = np.frombuffer(data[end + 1 : first], "<u8") + np.uint64(len(attributes))
    return data[:end] + attributes + b"\0" + offsets.tobytes() + data[first:]
