"""Filters give what DFL's give at its golden values, and leave alone what they are not meant for."""

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from faceswap.merge.filters import degrade_bicubic, degrade_colors, denoise, filter_face, treat_background
from faceswap.merge.settings import MergeSettings
from faceswap.types import Frame, Image


@pytest.fixture
def pattern() -> Image:
    """A of deepfacelab.md §15.6."""
    y, x, c = np.indices((32, 32, 3))
    return (((7 * x + 13 * y + 29 * c) % 97) / 96).astype(np.float32)


@pytest.fixture(params=[np.uint8, np.uint16])
def smooth(request: pytest.FixtureRequest) -> Frame:
    """A soft colourful picture with a little noise."""
    rng = np.random.default_rng(4)
    soft = cv2.resize(rng.random((7, 9, 3), np.float32), (160, 120), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(0.1 + 0.8 * soft + rng.normal(0, 0.02, soft.shape), 0, 1)
    return np.rint(noisy * np.iinfo(request.param).max).astype(request.param)


@pytest.mark.parametrize(
    ("mode", "amount", "wanted"),
    [
        # deepfacelab.md §15.6, pixel [5, 7].
        ("box", 10, (-0.945602, 0.479166, 0.781250)),
        ("gaussian", 10, (-0.138672, 0.479167, 0.781250)),
        ("none", -15, (0.354167, 0.479167, 0.645833)),
    ],
)
def test_sharpening_and_blur_give_dfls_golden_values(pattern, mode, amount, wanted) -> None:
    assert pattern[5, 7] == pytest.approx((0.177083, 0.479167, 0.781250), abs=1e-6)
    assert filter_face(pattern, mode, amount)[5, 7] == pytest.approx(wanted, abs=2e-5)


@pytest.mark.parametrize(("mode", "amount"), [("none", 0), ("box", 0), ("gaussian", 0), ("none", 60)])
def test_nothing_asked_for_changes_nothing(pattern, mode, amount) -> None:
    assert np.array_equal(filter_face(pattern, mode, amount), pattern)


def test_blur_is_the_same_in_every_sharpen_mode(pattern) -> None:
    blurred = [filter_face(pattern, mode, -25) for mode in ("none", "box", "gaussian")]
    assert np.array_equal(blurred[0], blurred[1]) and np.array_equal(blurred[0], blurred[2])


@pytest.mark.parametrize("mode", ["box", "gaussian"])
def test_more_sharpening_makes_more_detail_and_keeps_flat_parts(mode) -> None:
    edge = np.full((40, 40, 3), 0.3, np.float32)
    edge[:, 20:] = 0.7
    heights = [np.ptp(filter_face(edge, mode, amount)) for amount in (0, 1, 5, 20)]
    assert (np.diff(heights) > 0).all()
    sharpened = filter_face(edge, mode, 20)
    assert np.allclose(sharpened[:, :18], 0.3, atol=1e-5) and np.allclose(sharpened[:, 22:], 0.7, atol=1e-5)


def roughness(frame: Frame) -> float:
    return float(np.abs(cv2.Laplacian(frame.astype(np.float32) / np.iinfo(frame.dtype).max, -1)).mean())


def test_more_denoising_leaves_less_noise(smooth) -> None:
    rough = [roughness(denoise(smooth, power)) for power in (0, 5, 30, 100)]
    assert (np.diff(rough) < 0).all()
    assert not np.array_equal(denoise(smooth, 500), denoise(smooth, 100))
    assert denoise(smooth, 30).dtype == smooth.dtype


def test_denoising_counts_down_in_tens_as_dfl_does(smooth) -> None:
    """deepfacelab.md §11.6: at 20 a median mixed in by 0.2, then one by 0.1."""
    wanted = smooth.astype(np.float64)
    for weight in (0.2, 0.1):
        # cv2 takes a median over 5 × 5 of whole numbers and of float32 alike.
        wanted += weight * (cv2.medianBlur(wanted.astype(np.float32), 5) - wanted)
    assert np.abs(denoise(smooth, 20) - wanted).max() <= 1.5


def test_bicubic_degrading_leaves_the_size_and_less_detail(smooth) -> None:
    rough = [roughness(degrade_bicubic(smooth, power)) for power in (0, 20, 60, 100)]
    assert (np.diff(rough) < 0).all()
    degraded = degrade_bicubic(smooth, 60)
    assert degraded.shape == smooth.shape and degraded.dtype == smooth.dtype


def test_colours_are_reduced_to_256_and_half_the_power_goes_half_the_way(smooth) -> None:
    reduced = degrade_colors(smooth, 100)
    assert len(np.unique(smooth.reshape(-1, 3), axis=0)) > 256
    assert len(np.unique(reduced.reshape(-1, 3), axis=0)) <= 256
    assert np.abs(reduced.astype(np.float64) - smooth).mean() < 0.05 * np.iinfo(smooth.dtype).max
    half = (smooth.astype(np.float64) + reduced) / 2
    assert np.abs(degrade_colors(smooth, 50) - half).max() <= 0.5
    assert np.array_equal(degrade_colors(smooth, 0), smooth)


def test_every_pixel_gets_a_colour_near_its_own(smooth) -> None:
    levels = int(np.iinfo(smooth.dtype).max) // 255
    whole = Pillow.fromarray((smooth // levels).astype(np.uint8)).quantize(256, dither=Pillow.Dither.NONE)
    exact = np.asarray(whole.convert("RGB")).astype(np.float64) * levels
    away, least = (
        np.abs(made - smooth).mean() for made in (degrade_colors(smooth, 100).astype(float), exact)
    )
    assert away < 1.25 * least, "a palette of all pixels, searched for each of them"


def test_the_background_is_denoised_then_softened_and_only_if_asked(smooth) -> None:
    before = smooth.copy()
    assert treat_background(smooth, MergeSettings()) is smooth
    both = MergeSettings(image_denoise_power=40, bicubic_degrade_power=30, color_degrade_power=50)
    assert np.array_equal(treat_background(smooth, both), degrade_bicubic(denoise(smooth, 40), 30))
    assert np.array_equal(smooth, before), "the caller's frame was changed"
