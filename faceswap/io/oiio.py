"""Pictures that OpenImageIO reads: TIFF, OpenEXR, Radiance HDR, JPEG 2000 and PNM, all kinds of each.

OpenCV multiplies the colours of some TIFF files by alpha and scrambles others, Pillow cuts 16 bits.
"""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.damage import JPEG_END, DamagedImage
from faceswap.io.light import signal_of
from faceswap.io.photos import MOST_PIXELS, to_srgb
from faceswap.types import Frame

# Formats whose floats are light; in TIFF they are the values of a signal.
_LIGHT = ("openexr", "hdr", "pnm")
_FORMATS = ("tiff", "jpeg2000", *_LIGHT)
# The curve by which light becomes a signal where the file names none; ours do, by this attribute.
TRANSFER_ATTRIBUTE = "signalTransfer"
_USUAL_CURVE = "iec61966-2-1"
Pixels = NDArray[Any]


def read_by_oiio(path: Path) -> tuple[Frame, int]:
    """(H, W, 3) RGB, uint8 or uint16, upright, and how many pictures the file holds; the first is read.

    Alpha is dropped after colours that were multiplied by it are divided. Floats of a TIFF are taken as a
    signal in [0, 1], those of other formats as light, which becomes a signal by the curve that the file
    names, else sRGB's; what lies outside [0, 1] is clipped, NaN is 0. Raises DamagedImage.
    """
    with _damage_told(path):
        return _read(path)


def _read(path: Path) -> tuple[Frame, int]:
    source = _open(path)
    spec = source.spec()
    kind = source.format_name()
    if math.prod(_size(spec)) > MOST_PIXELS:
        raise DamagedImage(path, f"its header promises {spec.width}x{spec.height} px")
    colour, alpha = _channels(path, spec)
    pixels = source.read_image(0, 0, 0, spec.nchannels, _library().UNKNOWN)
    told = source.geterror()
    if pixels is None or told:
        raise DamagedImage(path, _reason(told))
    count = 2 if source.seek_subimage(1, 0) else 1
    source.geterror()
    source.close()
    if pixels.dtype == np.uint32:
        pixels = (pixels >> 16).astype(np.uint16)
    rgb = pixels[..., colour]
    if rgb.dtype == np.uint16 and spec.get_int_attribute("tiff:PhotometricInterpretation", 2) == 0:
        rgb = 65535 - rgb  # Of 8 bits OpenImageIO exchanges black and white itself.
    straight = kind not in ("tiff", "openexr") or spec.get_int_attribute("oiio:UnassociatedAlpha", 0)
    if alpha is not None and not straight:
        rgb = _divided(rgb, pixels[..., alpha])
    curve = (spec.get_string_attribute(TRANSFER_ATTRIBUTE) or _USUAL_CURVE) if kind in _LIGHT else ""
    frame = _whole_window(_as_frame(path, rgb, curve), spec)
    profile = spec.getattribute("ICCProfile")
    if profile is not None and frame.dtype == np.uint8:
        frame = to_srgb(frame, np.asarray(profile).tobytes())
    return _upright(frame, spec.get_int_attribute("Orientation", 1)), count


def size_by_oiio(path: Path) -> tuple[int, int]:
    """Width and height of a picture from its header, of what is stored or shown, whichever is more."""
    with _damage_told(path):
        return _size(_open(path).spec())


def _size(spec: Any) -> tuple[int, int]:
    return max(spec.width, spec.full_width), max(spec.height, spec.full_height)


def scan_is_whole(data: bytes) -> bool:
    """Whether a JPEG without its end mark holds all its pixels; libjpeg warns where it makes some up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jpg"
        path.write_bytes(data + JPEG_END)
        source = _library().ImageInput.open(str(path))
        if source is None:
            _library().geterror()
            return False
        pixels = source.read_image(_library().UNKNOWN)
        return pixels is not None and not source.geterror()


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Damaged headers may hold text that is none, and numbers beyond all bounds."""
    try:
        yield
    except (ValueError, RuntimeError, MemoryError, OverflowError, IndexError) as error:
        raise DamagedImage(path, f"it cannot be decoded: {error}") from None


def _library() -> Any:
    try:
        import OpenImageIO as oiio  # noqa: N813 - its own name for itself
    except ImportError as error:
        raise UserError(
            "TIFF, OpenEXR and other deep pictures are read by OpenImageIO, which cannot be loaded",
            str(error), "pip install OpenImageIO",
        ) from None  # fmt: skip
    # Frames are read side by side already.
    oiio.attribute("threads", 1)
    return oiio


def _open(path: Path) -> Any:
    oiio = _library()
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    source = oiio.ImageInput.open(str(path), config)
    told = oiio.geterror()
    if source is None:
        raise DamagedImage(path, _reason(told))
    # What its own reader refuses is offered to all others, and Targa has no mark to tell it by.
    if source.format_name() not in _FORMATS:
        raise DamagedImage(path, "its header is damaged")
    return source


def _reason(told: str) -> str:
    """The first of what may be a line for every line of pixels."""
    return told.strip().splitlines()[0] if told.strip() else "its pixels cannot be decoded"


def _channels(path: Path, spec: Any) -> tuple[list[int], int | None]:
    """Which channels are red, green and blue, and alpha; grey is all three."""
    names = [str(name) for name in spec.channelnames]
    space = spec.get_string_attribute("tiff:ColorSpace")
    unread = {
        "samples of several depths": spec.deep,
        "Lab colours": space.endswith("LAB"),
        # OpenImageIO 3.2 returns what happens to be in memory.
        "tiles of 64-bit floats": spec.tile_width and str(spec.format) == "double",
    }
    for what in (what for what, there in unread.items() if there):
        raise DamagedImage(path, f"it holds {what}, which cannot be read; save it as RGB of 16 bits")
    # Compositing programs name their layers: ViewLayer.Combined.R beside ViewLayer.Depth.Z.
    layers = [name[:-1] for name in names if name[-1:] == "R" and name[:-1][-1:] in ("", ".")]
    whole = [layer for layer in layers if {f"{layer}G", f"{layer}B"} <= set(names)]
    if whole:
        layer = min(whole, key=lambda name: (name != "", "Combined" not in name))
        alpha = names.index(f"{layer}A") if f"{layer}A" in names else None
        return [names.index(layer + letter) for letter in "RGB"], alpha
    if names[0] in ("Y", "L", "I") and "RY" not in names:
        return [0, 0, 0], names.index("A") if "A" in names else None
    raise DamagedImage(
        path, f"it holds the channels {', '.join(names[:8])}, none of them colours that are known"
    )


def _divided(rgb: Pixels, alpha: Pixels) -> Pixels:
    """Colours before they were multiplied by alpha; without alpha there are none, and they stay."""
    most = 1.0 if rgb.dtype.kind == "f" else float(np.iinfo(rgb.dtype).max)
    alpha = alpha.astype(np.float32)[..., None]
    straight = np.divide(rgb * np.float32(most), alpha, out=rgb.astype(np.float32), where=alpha > 0)
    if rgb.dtype.kind == "f":
        return straight.astype(rgb.dtype)
    return np.rint(np.minimum(straight, most)).astype(rgb.dtype)


def _as_frame(path: Path, rgb: Pixels, curve: str) -> Frame:
    if rgb.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(rgb)
    if rgb.dtype.kind != "f":
        raise DamagedImage(path, f"it holds {rgb.dtype} values; unsigned integers and floats are read")
    if curve:
        return signal_of(rgb, curve)
    return np.rint(np.clip(np.nan_to_num(rgb.astype(np.float32)), 0, 1) * 65535).astype(np.uint16)


def _whole_window(frame: Frame, spec: Any) -> Frame:
    """The picture that is shown, of which OpenEXR may store a part or more; black where nothing is stored."""
    shown = (spec.full_height, spec.full_width)
    down, right = spec.y - spec.full_y, spec.x - spec.full_x
    if frame.shape[:2] == shown and not down and not right:
        return frame
    whole = np.zeros((*shown, 3), frame.dtype)
    top, left = max(down, 0), max(right, 0)
    bottom, end = max(down + spec.height, 0), max(right + spec.width, 0)
    whole[top:bottom, left:end] = frame[top - down : shown[0] - down, left - right : shown[1] - right]
    return whole


def _upright(frame: Frame, orientation: int) -> Frame:
    """Turned and mirrored as the tag Orientation says (TIFF 6.0, §8), 1 to 8."""
    if orientation in (5, 6, 7, 8):
        frame = cv2.transpose(frame)
    # After the transposition 6 and 7 still lie mirrored, 7 and 8 upside down.
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    if across or down:
        frame = cv2.flip(frame, -1 if across and down else int(across))
    return frame
