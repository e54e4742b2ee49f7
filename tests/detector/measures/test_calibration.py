"""Probabilities that mean what they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.detector.measures.calibration import (
    COLDEST,
    HOTTEST,
    apply_temperature,
    fit_temperature,
    ppv,
    reliability,
)
from faceswap.detector.measures.metrics import auc, expected_calibration_error, log_loss


def test_the_temperature_makes_the_confidence_the_share_of_right_answers() -> None:
    # Logits of ±2 that are right three times in four: σ(2/T) = ¾, T = 2 / ln 3.
    logits, labels = [2, 2, 2, 2, -2, -2, -2, -2], [1, 1, 1, 0, 0, 0, 0, 1]
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(2 / math.log(3), rel=1e-5)
    assert apply_temperature(logits, temperature).tolist() == pytest.approx([0.75] * 4 + [0.25] * 4, abs=1e-5)
    assert expected_calibration_error(apply_temperature(logits, temperature), labels) < 1e-4


def test_logits_three_times_too_sure_ask_for_a_temperature_of_three() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 20_000)
    labels = rng.random(20_000) < apply_temperature(honest)
    assert fit_temperature(3 * honest, labels) == pytest.approx(3, rel=0.05)
    assert fit_temperature(honest, labels) == pytest.approx(1, rel=0.05)
    assert fit_temperature(honest / 4, labels) == pytest.approx(1 / 4, rel=0.05)


# In eighths, so that no two logits differ by less than probabilities can tell.
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-64, 64).map(lambda eighths: eighths / 8), st.booleans()), max_size=30))
def test_no_other_temperature_has_a_lower_loss_and_the_order_stays(rows: list[tuple[float, bool]]) -> None:
    logits, labels = map(np.array, zip(*[*rows, (0.5, True), (-0.5, False), (1.0, False)], strict=True))
    temperature = fit_temperature(logits, labels)
    best = log_loss(apply_temperature(logits, temperature), labels)
    for other in (COLDEST, 0.3, 1.0, temperature * 0.9, temperature * 1.1, 5.0, HOTTEST):
        if COLDEST <= other <= HOTTEST:
            assert best <= log_loss(apply_temperature(logits, other), labels) + 1e-6
    if temperature > COLDEST * 10:
        calibrated = auc(apply_temperature(logits, temperature), labels)
        assert calibrated == pytest.approx(auc(apply_temperature(logits), labels), abs=1e-9)


def test_a_temperature_without_an_optimum_stays_within_its_bounds() -> None:
    assert fit_temperature([-1, 1], [0, 1]) == pytest.approx(COLDEST, rel=1e-3)
    assert fit_temperature([-1, 1], [1, 0]) == pytest.approx(HOTTEST, rel=1e-3)


def test_a_temperature_is_above_zero_and_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="above 0"):
        apply_temperature([1.0], 0)
    with pytest.raises(ValueError, match="no fakes"):
        fit_temperature([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match="no reals"):
        fit_temperature([1.0, 2.0], [1, 1])


def test_huge_logits_stay_probabilities() -> None:
    assert apply_temperature([-1e6, 1e6], 0.1).tolist() == [0, 1]


def test_reliability_counts_each_score_once_and_averages_within_bins() -> None:
    # Of four bins: [0, ¼) holds two, [¼, ½) one on its lower end, [¾, 1] two with the upper end.
    found = reliability([0.1, 0.2, 0.25, 0.9, 1.0], [0, 1, 0, 1, 1], bins=4)
    assert found.counts.tolist() == [2, 1, 0, 2]
    assert found.confidence.tolist() == pytest.approx([0.15, 0.25, math.nan, 0.95], nan_ok=True)
    assert found.fraction_fake.tolist() == pytest.approx([0.5, 0, math.nan, 1], nan_ok=True)
    assert found.error == pytest.approx((2 * 0.35 + 0.25 + 2 * 0.05) / 5)


def test_reliability_of_one_class_is_allowed_and_of_nothing_refused() -> None:
    assert reliability([0.0, 0.0], [0, 0]).error == 0
    with pytest.raises(ValueError, match="no scores"):
        reliability([], [])


# Bayes by hand: .9·.01 / (.9·.01 + .01·.99), then priors of 10 % and 50 %.
@pytest.mark.parametrize(
    ("prior", "expected"), [(0.01, 0.009 / 0.0189), (0.1, 0.09 / 0.099), (0.5, 0.45 / 0.455), (0.0, 0.0)]
)
def test_an_alarm_is_worth_less_where_fakes_are_rare(prior: float, expected: float) -> None:
    assert ppv(0.9, 0.01, prior) == pytest.approx(expected)


def test_without_alarms_there_is_nothing_to_be_worth() -> None:
    assert ppv(0.0, 0.0, 0.5) is None
