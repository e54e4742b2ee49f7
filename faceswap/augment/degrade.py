"""What happens to pictures on their way: the grid that tests robustness and the tail of every training pair.

Both treat reals and fakes alike: nothing here knows a label, and everything random comes from a generator
or from parameters that were drawn once for both members of a pair (detection.md §2.4, §4.1, §6).
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import av
import cv2
import numpy as np

from faceswap.augment.blending import (
    ColorJitter,
    Picture,
    down_up,
    draw_color_jitter,
    jitter_color,
    warp,
    warp_mask,
)
from faceswap.types import Mask, Transform

# Five levels each, mild to severe (detection.md §2.4): JPEG quality; H.264 constant rate factor; part of
# the size that is kept; sigma in px; sigma of noise in parts of the range; part of the saturation, to which
# the contrast belongs that DeeperForensics gives in the same row; part of the size on the screen.
GRID: Mapping[str, tuple[float, ...]] = {
    "jpeg": (90, 75, 60, 40, 20),
    "h264": (18, 23, 30, 35, 40),
    "resize": (0.75, 0.5, 0.375, 0.25, 0.125),
    "blur": (0.5, 1.0, 1.5, 2.0, 3.0),
    "noise": (0.01, 0.03, 0.05, 0.1, 0.2),
    "color": (0.4, 0.3, 0.2, 0.1, 0.0),
    "screenshot": (0.9, 0.8, 0.7, 0.6, 0.5),
}
_CUT = 0.02


def degrade(name: str, level: float, frames: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    """The frames, (H, W, 3) RGB uint8 each, after `name` of GRID at `level`; count and sizes stay.

    level: one of GRID[name], or any value between them. rng: equal states give equal noise and shifts,
    so give reals and fakes generators with the same seed. h264 wants frames of one size.
    Raises ValueError for an unknown name.
    """
    if name not in _DEGRADATIONS:
        raise ValueError(f"no degradation {name!r}, only {', '.join(GRID)}")
    return _DEGRADATIONS[name](level, frames, rng) if frames else []


def jpeg(picture: Picture, quality: int) -> Picture:
    """Through OpenCV's JPEG (4:2:0) at `quality`, 1 … 100."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR_RGB), np.uint8)


def h264(frames: Sequence[Picture], crf: float) -> list[Picture]:
    """Through x264 at a constant rate factor (0 best … 51), yuv420p; one thread, so always the same."""
    shape = frames[0].shape
    if any(frame.shape != shape for frame in frames):
        raise ValueError(f"one clip has frames of one size, not {sorted({f.shape for f in frames})}")
    height, width = shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    # Colour planes have half the size, which must be whole.
    encoder.width, encoder.height = width + width % 2, height + height % 2
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuv420p", Fraction(1, 25), 1
    encoder.options = {"crf": str(crf), "preset": "fast"}
    decoder = av.CodecContext.create("h264", "r")
    packets = []
    for number, frame in enumerate(frames):
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        shown = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(format="yuv420p")
        shown.pts = number
        packets += encoder.encode(shown)
    decoded = [frame for packet in [*packets, *encoder.encode(None)] for frame in decoder.decode(packet)]
    decoded += decoder.decode(None)
    return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)[:height, :width] for frame in decoded]


def add_noise(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Gaussian noise of standard deviation `sigma` (parts of the range) on each value."""
    noise = rng.standard_normal(picture.shape, np.float32)
    return np.asarray(np.clip(np.rint(picture + 255 * sigma * noise), 0, 255), np.uint8)


def _each(change: Callable[[Picture, float], Picture]) -> "_Degradation":
    return lambda level, frames, _rng: [change(frame, level) for frame in frames]


def _blur(picture: Picture, sigma_px: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.uint8)


def _smooth(picture: Picture, grain: float) -> Picture:
    return np.asarray(cv2.bilateralFilter(picture, 7, grain, 3), np.uint8)


def _grey(picture: Picture) -> Picture:
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB), np.uint8)


def _fade(picture: Picture, saturation: float) -> Picture:
    return jitter_color(picture, ColorJitter(saturation=saturation, contrast=0.35 + 1.25 * saturation))


def _noise(sigma: float, frames: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    return [add_noise(frame, sigma, rng) for frame in frames]


def _screenshot(scale: float, frames: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    """Shown at `scale`, cut out a little off, saved as JPEG 100 · scale, and shown at its size again."""
    shift = rng.uniform(-_CUT, _CUT, 2)
    return [_shoot(frame, scale, (float(shift[0]), float(shift[1]))) for frame in frames]


def _shoot(picture: Picture, scale: float, shift: tuple[float, float]) -> Picture:
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(
        picture, np.array([(1, 0, shift[0] * width), (0, 1, shift[1] * height)]), (width, height),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = jpeg(cv2.resize(moved, small, interpolation=cv2.INTER_AREA), round(100 * scale))
    return np.asarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


_Degradation: TypeAlias = Callable[[float, Sequence[Picture], np.random.Generator], list[Picture]]
_DEGRADATIONS: Mapping[str, _Degradation] = {
    "jpeg": _each(lambda picture, quality: jpeg(picture, round(quality))),
    "h264": lambda crf, frames, _rng: h264(frames, crf),
    "resize": _each(down_up),
    "blur": _each(_blur),
    "noise": _noise,
    "color": _each(_fade),
    "screenshot": _screenshot,
}


class TailParams(NamedTuple):
    """What happens to both members of a pair, drawn once.

    unit_to_unit: (2, 3) where the crop's square [0, 1]² goes in the result's, corners to corners.
    steps: what is done after that, in order, of "color", "blur", "noise", "resample", "jpeg", "h264",
    "smooth", "grey"; the other fields are their parameters. noise_sigma: parts of the range. resample:
    part of the size. smooth: of 255, the differences that an edge-preserving filter takes for grain, as
    cameras, beauty filters and denoisers do: soft skin alone must not be called a forgery.
    """

    out_px: int
    unit_to_unit: Transform
    interpolation: int
    steps: tuple[str, ...]
    color: ColorJitter
    blur_px: float
    noise_sigma: float
    noise_seed: int
    resample: float
    quality: int
    crf: float
    smooth: float


# How often each step is taken at full strength.
STEP_CHANCES = {
    "color": 0.6,
    "blur": 0.2,
    "noise": 0.2,
    "resample": 0.25,
    "jpeg": 0.45,
    "h264": 0.2,
    "smooth": 0.2,
    # Grey leaves shape and texture to judge by. A detector trained without it took colours of skin that it
    # had not seen for forgeries: most of those false alarms were gone when it was shown the faces in grey.
    "grey": 0.4,
}
_ROTATION_DEG, _ZOOM, _SHIFT = 10.0, (0.9, 1.2), 0.05


def draw_tail(rng: np.random.Generator, out_px: int, strength: float = 1.0) -> TailParams:
    """Parameters for one pair; every draw is made whatever comes of it, none knows the pictures.

    strength: in [0, 1], part of their chances that the steps have.
    """
    steps = [name for name, chance in STEP_CHANCES.items() if rng.random() < strength * chance]
    return TailParams(
        out_px=out_px,
        unit_to_unit=_draw_placing(rng),
        interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])),
        steps=tuple(str(name) for name in rng.permutation(steps)),
        color=draw_color_jitter(rng, brightness=0.15, gain=0.3, hue_deg=12),
        blur_px=rng.uniform(0.3, 1.5),
        noise_sigma=rng.uniform(0.005, 0.04),
        noise_seed=int(rng.integers(2**32)),
        resample=rng.uniform(0.4, 0.9),
        quality=int(rng.integers(40, 101)),
        crf=rng.uniform(18, 34),
        smooth=rng.uniform(10, 50),
    )


def apply_tail(params: TailParams, picture: Picture) -> Picture:
    """A square crop of any size through the tail: (out_px, out_px, 3) uint8."""
    placing = _in_pixels(params, picture.shape[0])
    result = warp(picture, placing, params.out_px, params.interpolation)
    for step in params.steps:
        result = _STEPS[step](params, result)
    return result


def apply_tail_to_mask(params: TailParams, mask: Mask) -> Mask:
    """The mask of a picture where the tail moves it: (out_px, out_px) float32 in [0, 1]."""
    return warp_mask(mask, _in_pixels(params, mask.shape[0]), params.out_px)


_STEPS: Mapping[str, Callable[[TailParams, Picture], Picture]] = {
    "color": lambda params, picture: jitter_color(picture, params.color),
    "blur": lambda params, picture: _blur(picture, params.blur_px),
    "noise": lambda params, picture: add_noise(
        picture, params.noise_sigma, np.random.default_rng(params.noise_seed)
    ),
    "resample": lambda params, picture: down_up(picture, params.resample),
    "jpeg": lambda params, picture: jpeg(picture, params.quality),
    "h264": lambda params, picture: h264([picture], params.crf)[0],
    "smooth": lambda params, picture: _smooth(picture, params.smooth),
    "grey": lambda _params, picture: _grey(picture),
}


def _draw_placing(rng: np.random.Generator) -> Transform:
    """Flip, rotation, zoom and shift of the unit square about its centre."""
    flip = -1.0 if rng.random() < 0.5 else 1.0
    angle = np.deg2rad(rng.uniform(-_ROTATION_DEG, _ROTATION_DEG))
    zoom, shift = rng.uniform(*_ZOOM), rng.uniform(-_SHIFT, _SHIFT, 2)
    cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
    linear = np.array([(cosine * flip, -sine), (sine * flip, cosine)])
    return np.column_stack([linear, 0.5 + shift - linear @ (0.5, 0.5)])


def _in_pixels(params: TailParams, side_px: int) -> Transform:
    """The placing from pixel centres of a crop of `side_px` to pixel centres of the result."""
    linear, shift = params.unit_to_unit[:, :2], params.unit_to_unit[:, 2]
    # The centre of pixel i lies at (i + ½) / side.
    gain = params.out_px / side_px * linear
    return np.column_stack([gain, params.out_px * shift + gain @ (0.5, 0.5) - 0.5])
