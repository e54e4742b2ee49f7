"""A film as a folder of pictures: PNG, TIFF or OpenEXR, with alpha as each format means it.

libav's encoders make the pixels; what they leave out is put in: the note, and PNG's colour chunk.
"""

import os
import shutil
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.files import replace_folder
from faceswap.io.flow import ordered_map
from faceswap.io.light import linear_table
from faceswap.io.oiio import TRANSFER_ATTRIBUTE
from faceswap.media.codecs import Film
from faceswap.media.probe.color import Color
from faceswap.media.timestamps import NAME, Choice, FrameTime, Timestamps, write_timestamps
from faceswap.media.timing import Timing
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


def write_sequence(
    folder: Path, frames: Iterator[Frame], timing: Timing, film: Film, *, color: Color, note: str
) -> None:
    """Write `frames` to `folder`, named as the frames of `timing`, each with `note` in its text.

    With a clip, its times go to timestamps.json beside them, so that stages.encode --frames finds them.
    An older sequence stays until this one is whole; UserError when `folder` holds anything else.
    """
    suffix = SUFFIXES[film.name]
    strange = [path.name for path in folder.glob("*") if path.suffix != suffix and path.name != NAME]
    if strange:
        raise UserError(f"{folder} holds other files too", f"the first is {strange[0]}", "move them away")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    names = [f"{stem}{suffix}" for stem, _ in timing.frames]

    def write(item: tuple[str, Frame]) -> None:
        (part / item[0]).write_bytes(encode_still(film, item[1], color, note))

    try:
        # Closed before the folder goes, whatever happens: no thread may write into it then.
        with closing(ordered_map(write, zip(names, frames, strict=True), os.cpu_count() or 1)) as written:
            deque(written, maxlen=0)
        if timing.clip is not None:
            times = (
                FrameTime(name=name, time_s=t) for name, (_, t) in zip(names, timing.frames, strict=True)
            )
            clip = timing.clip.model_copy(update={"end_s": timing.end_s})
            made = Timestamps(complete=True, choice=Choice(), clips=(clip,), frames=tuple(times))
            write_timestamps(part, made)
        replace_folder(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
