"""Colour transfer: DFL's golden values, and what it promises about statistics and masks."""

import cv2
import numpy as np
import pytest

from faceswap.color.transfer import rct
from faceswap.types import Image, Mask


def golden_pictures() -> tuple[Image, Image]:
    """A and B of dfl-facts §15.6, whose channels are blue, green, red, as RGB."""
    y, x, c = np.meshgrid(np.arange(32), np.arange(32), np.arange(3), indexing="ij")
    a = ((7 * x + 13 * y + 29 * c) % 97) / 96
    b = 0.6 * ((11 * x + 5 * y + 17 * c + 31) % 89) / 88 + 0.1
    return tuple(np.ascontiguousarray(picture[..., ::-1], np.float32) for picture in (a, b))  # type: ignore[return-value]


def statistics(picture: Image, inside: Mask) -> tuple[np.ndarray, np.ndarray]:
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[inside > 0].astype(np.float64)
    return lab.mean(0), lab.std(0)


def mild(seed: int) -> Image:
    """Smooth colours away from the gamut's edges, so that nothing has to be clipped."""
    noise = np.random.default_rng(seed).random((8, 8, 3), np.float32)
    return cv2.resize(noise * 0.2 + 0.35 + 0.02 * seed, (48, 48), interpolation=cv2.INTER_CUBIC)


def test_rct_without_mask_matches_dfl() -> None:
    result = rct(*golden_pictures())
    assert result.mean((0, 1))[::-1] == pytest.approx([0.395586, 0.398901, 0.416862], abs=2e-4)
    assert result[5, 7][::-1] == pytest.approx([0.219874, 0.376672, 0.544825], abs=2e-4)


def test_statistics_inside_the_mask_become_those_of_the_target() -> None:
    inside = np.zeros((48, 48), np.float32)
    inside[10:40, 5:30] = 1
    mean, spread = statistics(rct(mild(1), mild(5), inside), inside)
    wanted_mean, wanted_spread = statistics(mild(5), inside)
    # OpenCV interpolates its Lab in a table; 0.15 of 100 is what that leaves.
    assert mean == pytest.approx(wanted_mean, abs=0.15)
    assert spread == pytest.approx(wanted_spread, rel=0.01)


def test_pixels_outside_the_mask_do_not_count() -> None:
    inside = np.zeros((48, 48), np.float32)
    inside[10:40, 5:30] = 1
    image, target = mild(1), mild(2)
    spoilt_image, spoilt_target = image.copy(), target.copy()
    spoilt_image[inside == 0], spoilt_target[inside == 0] = 0.99, 0.0
    here = inside > 0
    np.testing.assert_allclose(
        rct(spoilt_image, spoilt_target, inside)[here], rct(image, target, inside)[here], atol=1e-5
    )


def test_half_the_weight_everywhere_changes_nothing() -> None:
    half = np.full((48, 48), 0.5, np.float32)
    np.testing.assert_allclose(rct(mild(1), mild(2), half), rct(mild(1), mild(2)), atol=1e-5)


def test_a_picture_transferred_to_itself_stays() -> None:
    np.testing.assert_allclose(rct(mild(3), mild(3)), mild(3), atol=2e-3)


def test_an_empty_mask_leaves_the_picture() -> None:
    assert np.array_equal(rct(mild(1), mild(2), np.zeros((48, 48), np.float32)), mild(1))


def test_a_picture_of_one_colour_takes_the_mean() -> None:
    result = rct(np.full((48, 48, 3), 0.5, np.float32), mild(4))
    assert np.isfinite(result).all()
    wanted, _ = statistics(mild(4), np.ones((48, 48), np.float32))
    assert statistics(result, np.ones((48, 48), np.float32))[0] == pytest.approx(wanted, abs=0.3)


def test_extreme_targets_stay_within_the_range() -> None:
    y = np.linspace(0, 1, 48, dtype=np.float32)[:, None, None]
    result = rct(mild(1), np.broadcast_to(np.float32(y > 0.5), (48, 48, 3)).copy())
    assert result.min() >= 0 and result.max() <= 1
