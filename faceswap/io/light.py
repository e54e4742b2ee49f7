"""From the values of a video signal to linear light and back, for pictures that hold light (OpenEXR)."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
# Light of a display in the PQ curve is absolute; 1.0 is this many cd/m², as compositing programs take it.
PQ_WHITE_CD_M2 = 100.0


def linear_table(transfer: str) -> NDArray[np.float32]:
    """The linear light of each 16-bit signal value, (65536,); 1.0 is white, for PQ 100 cd/m².

    transfer: ffmpeg's name of the curve. Inverses of the functions in ITU-T H.273 (2021), table 3.
    """
    signal = np.arange(65536, dtype=np.float64) / 65535
    return _CURVES[transfer](signal).astype(np.float32)


def signal_of(light: NDArray[Any], transfer: str) -> NDArray[np.uint16]:
    """The 16-bit signal nearest to linear light of any shape: the inverse of `linear_table`.

    light: float16, or wider. What lies outside [0, brightest] is clipped, NaN is 0. An unknown transfer is
    taken for sRGB's.
    """
    transfer = transfer if transfer in _CURVES else "iec61966-2-1"
    if light.dtype == np.float16:
        return _of_halves(transfer)[np.ascontiguousarray(light).view(np.uint16)]
    return _nearest(light, transfer)


@cache
def _of_halves(transfer: str) -> NDArray[np.uint16]:
    """The signal of every half float, by its 16 bits: looking them up is quicker than computing them."""
    return _nearest(np.arange(65536, dtype=np.uint16).view(np.float16), transfer)


def _nearest(light: NDArray[Any], transfer: str) -> NDArray[np.uint16]:
    known = np.nan_to_num(light.astype(np.float64), nan=0.0)
    return np.rint(np.interp(known, linear_table(transfer), np.arange(65536))).astype(np.uint16)


def _camera(alpha: float, beta: float, slope: float) -> Curve:
    """V = slope L below beta, else alpha L^0.45 - (alpha - 1)."""
    return lambda v: np.where(v < slope * beta, v / slope, ((v + alpha - 1) / alpha) ** (1 / 0.45))


def _power(gamma: float) -> Curve:
    return lambda v: v**gamma


def _log(decades: float) -> Curve:
    """V = 1 + log10(L) / decades, and 0 is no light."""
    return lambda v: np.where(v > 0, 10 ** (decades * (v - 1)), 0)


def _srgb(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _pq(v: NDArray[np.float64]) -> NDArray[np.float64]:
    c1, c2, c3, n, m = 107 / 128, 2413 / 128, 2392 / 128, 2610 / 16384, 2523 / 32
    root = v ** (1 / m)
    return 10_000 / PQ_WHITE_CD_M2 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / n)


def _hlg(v: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(v <= 0.5, v**2 / 3, (np.exp((v - c) / a) + b) / 12)


# Of the two printed precisions the longer, which leaves no step between the two parts of the curve.
_BT709 = _camera(1.09929682680944, 0.018053968510807, 4.5)
_CURVES: dict[str, Curve] = {
    "bt709": _BT709,
    "smpte170m": _BT709,
    "bt2020-10": _BT709,
    "bt2020-12": _BT709,
    "smpte240m": _camera(1.111572195921731, 0.022821585529445, 4.0),
    "iec61966-2-4": _BT709,
    "bt1361e": _BT709,
    "bt470m": _power(2.2),
    "bt470bg": _power(2.8),
    "log100": _log(2.0),
    "log316": _log(2.5),
    "smpte428": lambda v: v**2.6 * 52.37 / 48,
    "linear": _power(1.0),
    "iec61966-2-1": _srgb,
    "smpte2084": _pq,
    "arib-std-b67": _hlg,
}
