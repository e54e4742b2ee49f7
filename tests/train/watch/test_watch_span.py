"""Which iterations are looked at, and what is drawn of them."""

import numpy as np
import pytest

from faceswap.train.watch.curves import Curve
from faceswap.train.watch.span import SMOOTHINGS, Span, columns, fitted, next_smoothing, smooth


def curve_of(values: np.ndarray) -> Curve:
    at = np.arange(1.0, len(values) + 1)
    return Curve(at, values, values, values, np.ones(len(values)))


@pytest.fixture
def span() -> Span:
    span = Span()
    span.grow(1, 1_000_000)
    return span


def test_the_key_l_goes_through_deepfacelabs_ranges(span: Span) -> None:
    seen = []
    for _ in range(5):
        span.cycle()
        seen.append(span.bounds[1] - span.bounds[0])
    # deepfacelab.md §8.6: all → 5000 → 10000 → 50000 → 100000 → all
    assert seen == [5000, 10000, 50000, 100000, 999_999]
    assert span.bounds[1] == 1_000_000


def test_the_newest_is_followed_where_it_is_seen_and_only_there(span: Span) -> None:
    span.zoom(0.1, 1_000_000)
    span.grow(1, 1_000_500)
    assert span.bounds[1] == 1_000_500
    span.pan(-50_000)
    before = span.bounds
    span.grow(1, 1_001_000)
    assert span.bounds == before
    span.pan(10_000_000)
    span.grow(1, 1_002_000)
    assert span.bounds[1] == 1_002_000


def test_zooming_keeps_the_iteration_under_the_cursor(span: Span) -> None:
    span.zoom(0.5, 300_000)
    first, last = span.bounds
    assert (300_000 - first) / (last - first) == pytest.approx(0.3, abs=1e-5)
    span.zoom(1000, 300_000)
    assert span.bounds == (1, 1_000_000)


def test_one_cannot_leave_what_there_is(span: Span) -> None:
    span.zoom(0.01, 500_000)
    span.pan(-10_000_000)
    assert span.bounds[0] == 1
    span.zoom(1e-9, 1)
    assert span.bounds[1] - span.bounds[0] >= 10


def test_a_training_that_went_back_is_followed_again(span: Span) -> None:
    span.zoom(0.01, 900_000)
    span.grow(1, 1000)
    assert span.bounds == (1, 1000)


def test_every_column_shows_least_greatest_and_mean_of_its_iterations() -> None:
    values = np.random.default_rng(0).random(1000)
    shown = columns(curve_of(values), (0.5, 1000.5), 100)
    assert len(shown.x) == 100
    groups = values.reshape(100, 10)
    np.testing.assert_allclose(shown.low, groups.min(axis=1))
    np.testing.assert_allclose(shown.high, groups.max(axis=1))
    np.testing.assert_allclose(shown.mean, groups.mean(axis=1))


def test_a_line_goes_on_beyond_the_edges() -> None:
    shown = columns(curve_of(np.arange(100.0)), (40, 50), 200)
    assert shown.x[0] < 0 and shown.x[-1] > 200
    np.testing.assert_allclose(shown.x, (shown.mean + 1 - 40) * 20)


def test_smoothing_is_the_mean_around_each_iteration() -> None:
    values = np.random.default_rng(1).random(200)
    smoothed = smooth(curve_of(values), 10, 0, 200)
    assert smoothed[100] == pytest.approx(values[95:106].mean())
    assert smoothed[0] == pytest.approx(values[:6].mean()), "of as many as there are"
    assert np.array_equal(smooth(curve_of(values), 1, 0, 200), values)


def test_outliers_do_not_flatten_the_rest() -> None:
    values = np.ones(1000) + 0.01 * np.sin(np.arange(1000))
    values[::97] = 1000
    low, high = fitted([columns(curve_of(values), (1, 1000), 50, 1)._replace(mean=np.ones(50))])
    assert low < 1 < high < 2
    assert fitted([]) == (0.0, 1.0)
    few = [columns(curve_of(np.array([1.0, 1, 1, 1, 3])), (0, 6), 50)]
    assert fitted(few, whole=True)[1] > 3, "the best of few figures is not cut off"


def test_smoothings_end_at_their_ends() -> None:
    assert next_smoothing(SMOOTHINGS[0], -1) == SMOOTHINGS[0]
    assert next_smoothing(SMOOTHINGS[0], 1) == SMOOTHINGS[1]
    assert next_smoothing(SMOOTHINGS[-1], 1) == SMOOTHINGS[-1]
