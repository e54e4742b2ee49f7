"""Give one picture the colours of another. Pictures are (H, W, 3) RGB float32 in [0, 1]."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from faceswap.color.histogram import histogram_match
from faceswap.color.linear import lct, mkl
from faceswap.color.reinhard import rct
from faceswap.color.sliced import idt, mix, sot
from faceswap.types import Image, Mask

__all__ = ["TRANSFERS", "ColorTransfer", "histogram_match", "rct"]

# How the swapped face takes on the light of its frame, by DFL's names (dfl-facts §11.7).
ColorTransfer: TypeAlias = Literal["none", "rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m"]

# (image, target, weights, rng) -> image. As in DFL, lct, mkl and idt look at the whole crop, rct and the
# names that end in -m only at what `weights` (H, W) ≥ 0 counts as face.
TRANSFERS: dict[ColorTransfer, Callable[[Image, Image, Mask | None, np.random.Generator], Image]] = {
    "none": lambda image, _target, _weights, _rng: image,
    "rct": lambda image, target, weights, _rng: rct(image, target, weights),
    "lct": lambda image, target, _weights, _rng: lct(image, target),
    "mkl": lambda image, target, _weights, _rng: mkl(image, target),
    "mkl-m": lambda image, target, weights, _rng: mkl(image, target, weights),
    "idt": lambda image, target, _weights, rng: idt(image, target, rng),
    "idt-m": lambda image, target, weights, rng: idt(image, target, rng, weights),
    "sot-m": lambda image, target, weights, rng: sot(image, target, rng, weights),
    "mix-m": lambda image, target, weights, rng: mix(image, target, rng, weights),
}
