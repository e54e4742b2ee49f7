"""Colours from the profile that a picture carries to sRGB: telephones save Display P3."""

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np

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
