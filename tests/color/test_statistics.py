"""rct, lct, mkl and histogram match reach the statistics they are named for, where the mask counts."""

import cv2
import numpy as np
import pytest

from faceswap.color.matching import histogram_match, lct, mkl, rct


def weighted(picture: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    colours = picture.reshape(-1, 3).astype(np.float64)
    return np.average(colours, axis=0, weights=weights.ravel()), np.cov(
        colours.T, aweights=weights.ravel(), ddof=0
    )


def test_rct_reaches_mean_and_spread_in_lab(draw, soft) -> None:
    result, target = (
        weighted(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), soft)
        for picture in (rct(draw(1), draw(5), soft), draw(5))
    )
    # OpenCV interpolates its Lab in a table; 0.15 of 100 is what that leaves.
    assert result[0] == pytest.approx(target[0], abs=0.15)
    assert np.sqrt(np.diag(result[1])) == pytest.approx(np.sqrt(np.diag(target[1])), rel=0.01)


@pytest.mark.parametrize("method", [lct, mkl])
def test_linear_transfers_reach_mean_and_covariance(method, draw, soft) -> None:
    mean, covariance = weighted(method(draw(1), draw(5), soft), soft)
    wanted_mean, wanted_covariance = weighted(draw(5), soft)
    assert mean == pytest.approx(wanted_mean, abs=1e-5)
    # lct adds 1e-5 to the variances before it takes their roots.
    np.testing.assert_allclose(covariance, wanted_covariance, atol=3e-5)


def test_of_the_linear_transfers_mkl_moves_colours_least(draw) -> None:
    image, target = draw(1), draw(5)
    # Axes of the two covariances that differ, else both transfers are the same.
    image[..., 0] += image[..., 1] - 0.4
    target[..., 0] -= target[..., 2] - 0.4
    # The mean's move is the same for both.
    least, other = ((method(image, target) - image).var((0, 1)).sum() for method in (mkl, lct))
    assert least < 0.99 * other


def test_a_matched_histogram_is_the_targets(draw, inside) -> None:
    result = histogram_match(draw(1), draw(2), 255, inside)[inside > 0]
    np.testing.assert_allclose(np.sort(result, axis=0), np.sort(draw(2)[inside > 0], axis=0), atol=1e-4)


def test_matching_keeps_the_order_of_values(draw) -> None:
    order = np.argsort(draw(1)[..., 0].ravel())
    assert (np.diff(histogram_match(draw(1), draw(2), 200)[..., 0].ravel()[order]) >= 0).all()


def test_the_threshold_leaves_out_the_targets_brightest_values(draw) -> None:
    result = histogram_match(draw(1), draw(2), 127.5)
    np.testing.assert_allclose(result.max((0, 1)), np.median(draw(2), axis=(0, 1)), atol=1e-3)


def test_soft_weights_count_in_the_histogram(draw, soft) -> None:
    result = histogram_match(draw(1), draw(2), 255, soft)
    np.testing.assert_allclose(weighted(result, soft)[0], weighted(draw(2), soft)[0], atol=1e-3)


def test_matching_ignores_what_is_outside_and_leaves_all_without_weights(draw, inside) -> None:
    spoilt = draw(2)
    spoilt[inside == 0] = 1
    assert np.array_equal(
        histogram_match(draw(1), spoilt, 238, inside), histogram_match(draw(1), draw(2), 238, inside)
    )
    assert np.array_equal(histogram_match(draw(1), draw(2), 238, 0 * inside), draw(1))


def test_a_histogram_matched_to_itself_stays_even_in_one_colour(draw) -> None:
    np.testing.assert_allclose(histogram_match(draw(1), draw(1), 255), draw(1), atol=1e-6)
    grey = np.full((48, 48, 3), 0.5, np.float32)
    assert np.array_equal(histogram_match(grey, grey, 238), grey)
