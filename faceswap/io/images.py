"""Pictures in and out: RGB in memory, whole files on disk, damage noticed before pixels are believed."""

from collections.abc import Collection
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.console import warn
from faceswap.io.damage import (
    JPEG_END,
    JPEG_SIGNATURE,
    PNG_SIGNATURE,
    jpeg_scan,
    lacks_scans,
    png_damage,
    tiff_damage,
)
from faceswap.io.damage import DamagedImage as DamagedImage
from faceswap.io.files import write_bytes
from faceswap.io.oiio import read_by_oiio, scan_is_whole, size_by_oiio
from faceswap.io.photos import DEEP, kind_of, read_by_pillow, size_by_pillow, to_srgb
from faceswap.types import Frame, Mask

_JPEG = (".jpg", ".jpeg")
WRITABLE = (".png", *_JPEG)
_COLOUR = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH


def read_image(path: Path) -> Frame:
    """Read (H, W, 3) RGB, uint8 or uint16, of any format in IMAGE_SUFFIXES, told by its content.

    Grey becomes RGB, alpha is dropped (colours that were multiplied by it are divided first), EXIF rotation
    is applied, 8-bit colours with a profile become sRGB. Of a file with several pictures the first is read,
    and that is said. For floats see `read_by_oiio`.

    Raises DamagedImage for a truncated, corrupt or unknown file and FileNotFoundError for a missing one.
    """
    return decode_image(path.read_bytes(), path)


def decode_image(data: bytes, path: Path = Path("picture")) -> Frame:
    """Decode the bytes of a picture file as `read_image` does.

    path: where they come from; only PNG and JPEG can be decoded without the file itself.
    """
    kind = kind_of(data, path)
    if kind in ("PNG", "JPEG"):
        data = _undamaged(data, path)
        bgr = _decode(data, path, _COLOUR)
        rgb: Frame = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)
        profile = _profile(data) if rgb.dtype == np.uint8 else b""
        return to_srgb(rgb, profile) if profile else rgb
    if kind in DEEP:
        reason = tiff_damage(data) if kind == "TIFF" else ""
        if reason:
            raise DamagedImage(path, reason)
        rgb, count = read_by_oiio(path)
    elif kind:
        rgb, count = read_by_pillow(data, path, kind)
    else:
        raise DamagedImage(path, "it is no picture" if data else "the file is empty")
    if count > 1:
        _warn_once(f"{path} holds several pictures; only the first is taken")
    return rgb


def picture_size(path: Path, kinds: Collection[str]) -> tuple[int, int] | None:
    """Width and height of a picture by its header; None, and nothing is opened, if it is of no such format.

    kinds: formats as `kind_of` names them. Raises DamagedImage.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(32), path)
    if kind not in kinds:
        return None
    return size_by_oiio(path) if kind in DEEP else size_by_pillow(path, kind)


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
    data = path.read_bytes()
    if kind_of(data, path) in ("PNG", "JPEG"):
        grey = _decode(_undamaged(data, path), path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    else:
        grey = cv2.cvtColor(decode_image(data, path), cv2.COLOR_RGB2GRAY)
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
    if suffix not in WRITABLE:
        raise ValueError(f"pictures are written as {', '.join(WRITABLE)}, not {suffix!r}")
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
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        limit = "CV_IO_MAX_IMAGE" in error.err
        found = "it has more pixels than are read" if limit else f"it cannot be decoded: {error.err}"
        raise DamagedImage(path, found) from None
    except MemoryError:
        raise DamagedImage(path, "it is larger than the memory") from None
    if pixels is None:
        raise DamagedImage(path, "it is no picture, or its pixels cannot be decoded")
    decoded: Frame = pixels
    return decoded


def _undamaged(data: bytes, path: Path) -> bytes:
    """The bytes of a whole PNG or JPEG, of which OpenCV fills up what is missing without a word.

    A JPEG that lacks nothing but its end mark, as some cameras and broken downloads leave them, gets one.
    """
    reason = ""
    if data.startswith(PNG_SIGNATURE):
        reason = png_damage(data)
    elif not (scan := jpeg_scan(data)):
        reason = f"it is cut short at {len(data)} bytes, before its picture begins"
    elif data.find(JPEG_END, scan) < 0:
        if not lacks_scans(data) and scan_is_whole(data):
            _warn_once(f"{path} lacks the mark at its end; its picture is whole")
            return data + JPEG_END
        reason = f"it is cut short at {len(data)} bytes"
    if reason:
        raise DamagedImage(path, reason)
    return data


def _profile(data: bytes) -> bytes:
    """The colour profile of a PNG or JPEG, b"" where it has none; it comes before the pixels."""
    if data.startswith(JPEG_SIGNATURE):
        found = data.find(b"ICC_PROFILE\0", 0, jpeg_scan(data)) >= 0
    else:
        found = data.find(b"iCCP", 0, data.find(b"IDAT")) >= 0
    if not found:
        return b""
    from PIL import Image

    with Image.open(BytesIO(data), formats=("PNG", "JPEG")) as picture:
        return picture.info.get("icc_profile") or b""


@lru_cache(maxsize=1000)
def _warn_once(text: str) -> None:
    warn(text)
