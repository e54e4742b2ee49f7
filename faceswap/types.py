"""The words of the workbench and its array conventions, written once.

frame, crop   (H, W, 3) RGB, uint8, or uint16 where the source has more than 8 bits
image         (H, W, 3) float32 in [0, 1]; networks (B, 3, H, W)
mask          (H, W) float32 in [0, 1], 1 = face
points        (N, 2) float32 (x, y), pixel centres at integers, origin at the top-left pixel's centre
transform     (2, 3) float64 named a_to_b, b = M @ [a, 1], from pixel centres to pixel centres
"""

from enum import StrEnum
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Frame: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Image: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.float32]
Transform: TypeAlias = NDArray[np.float64]
Json: TypeAlias = dict[str, Any]


class FaceType(StrEnum):
    """How much of the head a crop shows, in DeepFaceLab's order (deepfacelab.md §2.1)."""

    HALF = "half"
    MID_FULL = "mid-full"
    FULL = "full"
    WHOLE = "whole"
    HEAD = "head"

    @property
    def rank(self) -> int:
        """Position in the order half < mid-full < full < whole < head; a larger type contains a smaller."""
        return list(FaceType).index(self)


class Side(StrEnum):
    """The face that is wanted (src) and the frames that receive it (dst)."""

    SRC = "src"
    DST = "dst"


# DFL's modes of colour transfer that look at the whole picture, of those in `faceswap.color.transfer`.
SampleTransfer: TypeAlias = Literal["none", "rct", "lct", "mkl", "idt", "sot"]
