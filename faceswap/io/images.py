"""Pictures in and out: RGB in memory, whole files on disk, damage noticed before pixels are believed."""

import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.files import write_bytes
from faceswap.types import Frame, Mask

_JPEG = (".jpg", ".jpeg")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8"
_WRITABLE = (".png", *_JPEG)


class DamagedImage(UserError):  # noqa: N818 - named for what it is, like FileNotFound
    """A picture that is no picture, cut short or corrupt; `path` and `reason` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} is damaged", reason, "restore it, extract its clip again, or move it away")
        # Rebuilt from these when it crosses from a worker process.
        self.args = (path, reason)


def read_image(path: Path) -> Frame:
    """Read (H, W, 3) RGB, uint8 or uint16; grey becomes RGB, alpha is dropped, EXIF rotation is applied.

    Raises DamagedImage for a truncated, corrupt or unknown file and FileNotFoundError for a missing one.
    """
    return decode_image(path.read_bytes(), path)


def decode_image(data: bytes, path: Path = Path("picture")) -> Frame:
    """Decode the bytes of a picture file as `read_image` does; `path` only names it in errors."""
    bgr = _decode(data, path, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
    rgb: Frame = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)
    return rgb


def write_image(path: Path, frame: Frame, quality: int = 95, compression: int = 3) -> None:
    """Write (H, W, 3) RGB to `path` atomically, as its suffix says.

    quality: 1-100, JPEG only.  compression: 0-9, PNG only; pixels do not depend on it.
    uint16 can only be written as .png. Raises ValueError for other suffixes or dtypes.
    """
    write_bytes(path, encode_image(path.suffix, frame, quality, compression))


def encode_image(suffix: str, frame: Frame, quality: int = 95, compression: int = 3) -> bytes:
    """The bytes of a picture file with `suffix` (".png", ".jpg") from (H, W, 3) RGB; see `write_image`."""
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"a frame is (H, W, 3), not {frame.shape}")
    return _encode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), quality, compression)


def as_uint8(frame: Frame) -> NDArray[np.uint8]:
    """A frame of 8 or 16 bits with 8, rounded."""
    if frame.dtype == np.uint8:
        return frame.view(np.uint8)
    narrowed: NDArray[np.uint8] = cv2.convertScaleAbs(frame, alpha=1 / 257)
    return narrowed


def read_mask(path: Path) -> Mask:
    """Read a mask (H, W) float32 in [0, 1]; 8- and 16-bit files, colour is reduced to grey."""
    grey = _decode(path.read_bytes(), path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    return grey.astype(np.float32) / np.float32(np.iinfo(grey.dtype).max)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask (H, W) in [0, 1] atomically as 8-bit grey; values outside are clipped."""
    write_bytes(path, encode_mask(mask, path.suffix))


def encode_mask(mask: Mask, suffix: str = ".png") -> bytes:
    """The bytes of an 8-bit grey picture file from a mask (H, W) in [0, 1]; values outside are clipped."""
    return _encode(suffix, as_grey(mask), quality=95, compression=3)


def as_grey(mask: Mask) -> NDArray[np.uint8]:
    """A mask (H, W) with 8 bits, rounded; values outside [0, 1] are clipped."""
    return np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8)


def _encode(suffix: str, pixels: Frame, quality: int, compression: int) -> bytes:
    suffix = suffix.lower()
    if suffix not in _WRITABLE:
        raise ValueError(f"pictures are written as {', '.join(_WRITABLE)}, not {suffix!r}")
    if pixels.dtype != np.uint8 and (pixels.dtype != np.uint16 or suffix in _JPEG):
        raise ValueError(f"{pixels.dtype} cannot be written as {suffix}")
    if suffix in _JPEG:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    else:
        # The UP filter alone: twice as fast as letting libpng choose per line, and smaller on video frames.
        up = cv2.IMWRITE_PNG_FILTER_UP
        flags = [cv2.IMWRITE_PNG_COMPRESSION, compression, cv2.IMWRITE_PNG_FILTER, up]
        flags += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
    done, data = cv2.imencode(suffix, pixels, flags)
    if not done:
        raise ValueError(f"this picture of shape {pixels.shape} cannot be written as {suffix}")
    return bytes(data)


def _decode(data: bytes, path: Path, flags: int) -> Frame:
    reason = _damage(data)
    if reason:
        raise DamagedImage(path, reason)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DamagedImage(path, f"it cannot be decoded: {error.err}") from None
    if pixels is None:
        raise DamagedImage(path, "it is no picture, or its pixels cannot be decoded")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DamagedImage(path, f"it holds {pixels.dtype} values; 8- or 16-bit integers are read")
    decoded: Frame = pixels
    return decoded


def _damage(data: bytes) -> str:
    """Why these bytes cannot be a whole picture, or "": OpenCV fills up a truncated JPEG without a word."""
    if not data:
        return "the file is empty"
    if data.startswith(_PNG_SIGNATURE):
        return _png_damage(data)
    if data.startswith(_JPEG_SIGNATURE):
        return _jpeg_damage(data)
    return ""


def _png_damage(data: bytes) -> str:
    """Walk the chunks (PNG specification §5.3: length, type, data, CRC) up to IEND."""
    view, at = memoryview(data), len(_PNG_SIGNATURE)
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


def _jpeg_damage(data: bytes) -> str:
    """Walk the segments (ITU T.81 §B.1.1) to the first scan, where FF D9 can only be the end of the image.

    Segments before the scan may hold thumbnails with end marks of their own.
    """
    at = len(_JPEG_SIGNATURE)
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return "" if data.find(b"\xff\xd9", at) >= 0 else f"it is cut short at {len(data)} bytes"
        if data[at + 1] == 0xFF:
            at += 1
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return f"it is cut short at {len(data)} bytes, before its picture begins"
