"""Signs that a model is breaking: losses that are no numbers or explode, faces that have gone flat."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from faceswap.train.preview import PreviewFaces
from faceswap.types import Image

# The running scale of a loss: its median over so many iterations, trusted from so many on.
_REFERENCE, _ENOUGH = 400, 100
# An explosion is no single bad batch: the median of so many iterations is this much above the scale, both
# as a factor and in robust deviations (1.4826 · MAD is a normal distribution's sigma).
_RECENT = 16
_TIMES, _SIGMAS = 2.0, 8.0
_MAD_TO_SIGMA = 1.4826
# Contrast of a made face against the one it should be: flat below, alive above.
_FLAT, _ALIVE = 0.2, 0.5


class CollapseError(Exception):
    """The model has broken; the text says how."""


class LossWatch:
    """Looks at the losses of both sides as they come; `see` raises CollapseError."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: after a change of the options, losses may jump for a good reason."""
        self._seen = {side: deque[float](maxlen=_REFERENCE + _RECENT) for side in ("src", "dst")}

    def see(self, src: float, dst: float) -> None:
        """Take the losses of one iteration; raises CollapseError for no number, or an explosion."""
        for side, loss in (("src", src), ("dst", dst)):
            if not math.isfinite(loss):
                raise CollapseError(f"the loss is no number any more ({side} {loss})")
            seen = self._seen[side]
            seen.append(loss)
            if len(seen) >= _ENOUGH + _RECENT:
                _refuse_explosion(side, np.array(seen))


class FlatWatch:
    """Looks at previews for a face that has lost its contrast; `see` raises CollapseError.

    A new model's faces are flat too: a column counts only after it has been alive.
    """

    def __init__(self) -> None:
        self._alive: set[str] = set()

    def see(self, faces: PreviewFaces) -> None:
        """Raises CollapseError naming what has gone flat."""
        pairs = {
            "src > src": (faces.src_src, faces.src),
            "dst > dst": (faces.dst_dst, faces.dst),
            "swap": (faces.swap, faces.dst),
        }
        for name, (made, wanted) in pairs.items():
            ratio = contrast_ratio(made, wanted)
            if not math.isfinite(ratio):
                raise CollapseError(f"the faces of {name!r} are no numbers any more")
            if ratio > _ALIVE:
                self._alive.add(name)
            elif ratio < _FLAT and name in self._alive:
                raise CollapseError(f"the faces of {name!r} have gone flat ({ratio:.0%} of their contrast)")


def contrast_ratio(made: Image, wanted: Image) -> float:
    """Median over (N, R, R, 3) faces of the standard deviation of the middle, made ÷ wanted."""
    edge = made.shape[1] // 4
    middle = (slice(None), slice(edge, -edge), slice(edge, -edge))
    deviations = [pictures[middle].std(axis=(1, 2)).mean(axis=-1) for pictures in (made, wanted)]
    return float(np.median(deviations[0] / np.maximum(deviations[1], 1e-6)))


def _refuse_explosion(side: str, seen: NDArray[np.float64]) -> None:
    before, now = seen[:-_RECENT], float(np.median(seen[-_RECENT:]))
    scale = float(np.median(before))
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(before - scale)))
    if now > max(_TIMES * scale, scale + _SIGMAS * sigma):
        raise CollapseError(f"the {side} loss has exploded from {scale:.4f} to {now:.4f}")
