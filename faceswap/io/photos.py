"""What a picture file is, by its first bytes; formats that Pillow reads, and colour profiles."""

import struct
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from faceswap.io.damage import JPEG_SIGNATURE, PNG_SIGNATURE, DamagedImage
from faceswap.types import Frame

# Without littleCMS' memory of the last pixel, which threads would share.
_NO_CACHE = 0x40


def to_srgb(frame: Frame, profile: bytes) -> Frame:
    """An (H, W, 3) RGB uint8 picture in sRGB, by relative colorimetry with black point compensation.

    profile: ICC; one that is sRGB itself, of another colour space or broken changes nothing.
    """
    from PIL import Image, ImageCms

    transform = _transform(profile)
    if transform is None:
        return frame
    return np.array(ImageCms.applyTransform(Image.fromarray(frame), transform))


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> Any:
    from PIL import ImageCms

    if profile[16:20] != b"RGB " or b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile:
        return None
    try:
        opened = ImageCms.getOpenProfile(BytesIO(profile))
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION | _NO_CACHE
        return ImageCms.buildTransform(
            opened, ImageCms.createProfile("sRGB"), "RGB", "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags(flags),
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def is_transparent(path: Path) -> bool:
    """Whether a picture that Pillow knows has an alpha channel that is not opaque all over."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if not picture.has_transparency_data:
                return False
            return bool(np.asarray(picture.convert("RGBA").getchannel("A")).min() < 255)
    except (UnidentifiedImageError, OSError, ValueError):
        return False


HEIF_HINT = "pip install '.[heif]' reads them"
_SIGNATURES = {
    "PNG": (PNG_SIGNATURE,),
    "JPEG": (JPEG_SIGNATURE,),
    "GIF": (b"GIF8",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "EXR": (b"\x76\x2f\x31\x01",),
    "HDR": (b"#?",),
    "JPEG2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "PNM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF"),
}
# Those that OpenImageIO reads.
DEEP = ("TIFF", "EXR", "HDR", "JPEG2000", "PNM")
# Brands of ISO/IEC 23000-22 and 23008-12 files.
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIF"
)
_FAULTS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, RuntimeError, MemoryError,
    OverflowError, struct.error,
)  # fmt: skip
# Pillow's own limit is below what telephones take.
MOST_PIXELS = 1 << 29


def kind_of(data: bytes, path: Path) -> str:
    """The name of a picture's format, as Pillow calls it where it has it; "" for what is no picture.

    Only TGA has no mark and goes by the suffix of `path`.
    """
    for kind, starts in _SIGNATURES.items():
        if data.startswith(starts):
            return kind
    if data[4:8] == b"ftyp":
        # Some writers name the general brand first and their own among the compatible ones.
        brands = [data[at : at + 4] for at in (8, *range(16, min(int.from_bytes(data[:4], "big"), 64), 4))]
        kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
        return "AVIF" if "AVIF" in kinds else kinds[0] if kinds else ""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return "TGA" if data and path.suffix.lower() == ".tga" else ""


def read_by_pillow(data: bytes, path: Path, kind: str) -> tuple[Frame, int]:
    """(H, W, 3) RGB uint8, upright, in sRGB, and how many pictures the file holds; the first is read.

    Raises DamagedImage.
    """
    from PIL import ImageOps, UnidentifiedImageError

    pillow = _pillow(path, kind)
    try:
        with pillow.open(BytesIO(data), formats=(kind,)) as picture:
            count = getattr(picture, "n_frames", 1)
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            frame = np.array(upright.convert("RGB"))
            profile = picture.info.get("icc_profile")
    except (*_FAULTS, pillow.DecompressionBombError) as error:
        what = f"it cannot be decoded as {kind}"
        raise DamagedImage(
            path, what if isinstance(error, UnidentifiedImageError) else f"{what}: {error}"
        ) from None
    return to_srgb(frame, profile) if profile else frame, count


def size_by_pillow(path: Path, kind: str) -> tuple[int, int]:
    """Width and height of a picture from its header. Raises DamagedImage."""
    pillow = _pillow(path, kind)
    try:
        with pillow.open(path, formats=(kind,)) as header:
            width, height = header.size
            return width, height
    except (*_FAULTS, pillow.DecompressionBombError):
        raise DamagedImage(path, f"its header is no {kind} header") from None


def _pillow(path: Path, kind: str) -> Any:
    """Pillow's module of pictures, which frames and crops of films do without; it takes a while to load."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    if kind == "HEIF":
        if find_spec("pillow_heif") is None:
            raise DamagedImage(path, f"it is HEIC: {HEIF_HINT}")
        import pillow_heif

        pillow_heif.register_heif_opener()
    return Image
