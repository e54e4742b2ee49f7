"""Every colour transfer: DFL's golden values, and what all of them promise about masks, ranges and chance."""

import numpy as np
import pytest

from faceswap.color.transfer import TRANSFERS, histogram_match
from faceswap.types import Image, Mask

METHODS = [name for name in TRANSFERS if name != "none"]
MASKED = ["rct", *(name for name in METHODS if name.endswith("-m"))]
RANDOM = [name for name in METHODS if name.startswith(("idt", "sot", "mix"))]
# deepfacelab.md §15.6: channel means and pixel [5, 7], blue first.
GOLDEN = {
    "rct": ([0.395586, 0.398901, 0.416862], [0.219874, 0.376672, 0.544825]),
    "lct": ([0.399893, 0.399061, 0.400007], [0.204309, 0.378388, 0.560798]),
    "mkl": ([0.399893, 0.399061, 0.400007], [0.203938, 0.379764, 0.560422]),
    238: ([0.379253, 0.378393, 0.379366], [0.201074, 0.367025, 0.536098]),
    255: ([0.399683, 0.398845, 0.399795], [0.208523, 0.387603, 0.568595]),
}


def moved(name, image: Image, target: Image, weights: Mask | None = None, seed: int = 0) -> Image:
    return TRANSFERS[name](image, target, weights, np.random.default_rng(seed))


@pytest.mark.parametrize("method", GOLDEN)
def test_without_mask_the_values_are_dfls(method) -> None:
    y, x, c = np.meshgrid(np.arange(32), np.arange(32), np.arange(3), indexing="ij")
    a = (((7 * x + 13 * y + 29 * c) % 97) / 96).astype(np.float32)[..., ::-1].copy()
    b = (0.6 * ((11 * x + 5 * y + 17 * c + 31) % 89) / 88 + 0.1).astype(np.float32)[..., ::-1].copy()
    result = histogram_match(a, b, method) if isinstance(method, int) else moved(method, a, b)
    mean, pixel = GOLDEN[method]
    assert result.mean((0, 1), np.float64)[::-1] == pytest.approx(mean, abs=2e-6)
    assert result[5, 7][::-1] == pytest.approx(pixel, abs=2e-6)


@pytest.mark.parametrize("name", METHODS)
def test_a_picture_transferred_to_itself_stays(name, draw, soft) -> None:
    # OpenCV interpolates its Lab in a table; the others compute.
    tolerance = 5e-3 if name in ("rct", "mix-m") else 1e-5
    np.testing.assert_allclose(moved(name, draw(3), draw(3), soft), draw(3), atol=tolerance)


@pytest.mark.parametrize("name", MASKED)
def test_pixels_outside_the_mask_do_not_count(name, draw, inside) -> None:
    spoilt_image, spoilt_target = draw(1), draw(2)
    spoilt_image[inside == 0], spoilt_target[inside == 0] = 0.99, 0.0
    result = moved(name, spoilt_image, spoilt_target, inside)
    here = inside > 0
    np.testing.assert_allclose(result[here], moved(name, draw(1), draw(2), inside)[here], atol=1e-5)


@pytest.mark.parametrize("name", sorted({*METHODS} - {*MASKED}))
def test_names_without_mask_look_at_the_whole_picture(name, draw, inside) -> None:
    assert np.array_equal(moved(name, draw(1), draw(2), inside), moved(name, draw(1), draw(2)))


@pytest.mark.parametrize("name", MASKED)
def test_half_the_weight_everywhere_changes_nothing(name, draw, soft) -> None:
    half = moved(name, draw(1), draw(2), 0.5 * soft)
    np.testing.assert_allclose(half, moved(name, draw(1), draw(2), soft), atol=1e-5)


@pytest.mark.parametrize("name", MASKED)
def test_an_empty_mask_leaves_the_picture(name, draw) -> None:
    assert np.array_equal(moved(name, draw(1), draw(2), np.zeros((48, 48), np.float32)), draw(1))


@pytest.mark.parametrize("name", METHODS)
def test_neither_picture_is_written_to(name, draw, soft) -> None:
    image, target, weights = draw(1), draw(2), soft.copy()
    moved(name, image, target, weights)
    assert (
        np.array_equal(image, draw(1)) and np.array_equal(target, draw(2)) and np.array_equal(weights, soft)
    )


@pytest.mark.parametrize("name", METHODS)
def test_pictures_without_or_of_extreme_contrast_stay_within_the_range(name, draw, soft) -> None:
    grey, black = np.full((48, 48, 3), 0.5, np.float32), np.zeros((48, 48, 3), np.float32)
    stark = np.where(draw(4) > np.median(draw(4)), 1, 0).astype(np.float32)
    for image, target in [
        (grey, draw(1)),
        (draw(1), grey),
        (black, stark),
        (stark, draw(1)),
        (draw(1), stark),
    ]:
        result = moved(name, image, target, soft)
        assert result.dtype == np.float32
        assert result.min() >= 0 and result.max() <= 1  # fails on nan, too


@pytest.mark.parametrize("name", METHODS)
def test_the_target_of_one_colour_is_taken_on(name, draw) -> None:
    colour = np.array([0.6, 0.45, 0.4], np.float32)
    result = moved(name, draw(1), np.broadcast_to(colour, (48, 48, 3)).copy(), np.ones((48, 48), np.float32))
    assert result.mean((0, 1)) == pytest.approx(colour, abs=0.01)


@pytest.mark.parametrize("name", METHODS)
def test_equal_states_of_chance_give_equal_pictures(name, draw, soft) -> None:
    once = moved(name, draw(1), draw(2), soft)
    assert np.array_equal(once, moved(name, draw(1), draw(2), soft))
    assert (name in RANDOM) != np.array_equal(once, moved(name, draw(1), draw(2), soft, seed=1))
