"""Every figure against a value worked out by hand, and what must hold for any scores."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from faceswap.detector.measures import metrics
from faceswap.detector.measures.metrics import (
    Figures,
    VideoKey,
    VideoScore,
    threshold_at_fpr,
    tpr_at_fpr,
    uniform_frames,
    video_score,
    video_scores,
)

# Reals .1 .4 .6 .6, fakes .3 .6 .8 .9, with ties between the classes and inside one.
SCORES = np.array([0.1, 0.3, 0.4, 0.6, 0.6, 0.6, 0.8, 0.9])
LABELS = np.array([0, 1, 0, 0, 1, 0, 1, 1])

# Few different values, so that ties are common.
judged = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=2, max_size=40
).filter(lambda rows: len({label for _, label in rows}) == 2)


def test_auc_counts_the_pairs_in_order_with_ties_as_halves() -> None:
    # Per fake: 1, 2 + 2/2, 4 and 4 of four reals.
    assert metrics.auc(SCORES, LABELS) == pytest.approx(12 / 16)


@settings(max_examples=40, deadline=None)
@given(judged)
def test_auc_is_the_area_under_scikit_learns_roc(rows: list[tuple[float, bool]]) -> None:
    scores, labels = zip(*rows, strict=True)
    assert metrics.auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


@given(judged)
def test_swapping_the_classes_mirrors_the_auc(rows: list[tuple[float, bool]]) -> None:
    scores, labels = map(np.array, zip(*rows, strict=True))
    assert metrics.auc(scores, ~labels) == pytest.approx(1 - metrics.auc(scores, labels))


def test_average_precision_steps_over_tied_scores_at_once() -> None:
    # Precisions 1, 1, 3/5 and 4/7 at the four steps of recall of a quarter each.
    assert metrics.average_precision(SCORES, LABELS) == pytest.approx((1 + 1 + 3 / 5 + 4 / 7) / 4)
    assert metrics.prevalence([1, 0, 0, 0]) == 0.25


def test_equal_error_rate_lies_between_the_points_of_the_roc() -> None:
    # On the line from (0, ½) to (½, ¾); the nearest points would give ½ or ⅜.
    assert metrics.equal_error_rate(SCORES, LABELS) == pytest.approx(1 / 3)
    assert metrics.equal_error_rate([0.1, 0.9], [0, 1]) == 0
    assert metrics.equal_error_rate([0.9, 0.1], [0, 1]) == 1
    assert metrics.equal_error_rate([0.5, 0.5], [0, 1]) == 0.5


def test_verdicts_are_counted_with_the_truth_in_rows() -> None:
    assert metrics.confusion(SCORES, LABELS).tolist() == [[2, 2], [1, 3]]
    assert metrics.accuracy(SCORES, LABELS) == 5 / 8
    assert metrics.macro_f1(SCORES, LABELS) == pytest.approx((2 * 2 / (4 + 3) + 2 * 3 / (4 + 5)) / 2)
    assert metrics.rates_at(SCORES, LABELS, 0.5) == (3 / 4, 2 / 4)


def test_balanced_accuracy_weighs_classes_not_crops() -> None:
    scores, labels = [0.1, 0.2, 0.9, 0.8], [0, 0, 0, 1]
    assert metrics.accuracy(scores, labels) == 3 / 4
    assert metrics.balanced_accuracy(scores, labels) == pytest.approx((2 / 3 + 1) / 2)


def test_a_score_on_the_threshold_is_not_called_fake() -> None:
    assert metrics.confusion([0.5, 0.5], [0, 1]).tolist() == [[1, 0], [1, 0]]
    # As float32 0.6 is above the double 0.6, which is not what a frozen threshold of 0.6 means to it.
    reals = np.array([0.2, 0.6], np.float32)
    assert metrics.rates_at(np.append(reals, 1), [0, 0, 1], threshold_at_fpr(reals, 0)).fpr == 0


def test_a_threshold_lets_exactly_the_allowed_reals_through() -> None:
    reals = np.arange(1, 101) / 100
    assert threshold_at_fpr(reals, 0.01) == 0.99
    assert threshold_at_fpr(reals, 0.05) == 0.95
    assert threshold_at_fpr(reals, 0.29) == 0.71
    assert threshold_at_fpr(reals, 0) == 1.0


def test_tied_reals_are_all_let_off() -> None:
    # Two of four may be called fake, but the three at .9 stand or fall together.
    assert threshold_at_fpr([0.2, 0.9, 0.9, 0.9], 0.5) == 0.9
    assert tpr_at_fpr([0.2, 0.9, 0.9, 0.9, 0.9, 0.95], [0, 0, 0, 0, 1, 1], 0.5) == 0.5


def test_a_threshold_over_groups_keeps_its_promise_on_their_mean() -> None:
    rng = np.random.default_rng(0)
    easy, hard = rng.uniform(0, 0.5, 900), rng.uniform(0, 1, 100)
    groups = ["easy"] * 900 + ["hard"] * 100
    threshold = threshold_at_fpr(np.concatenate([easy, hard]), 0.05, groups)
    assert ((easy > threshold).mean() + (hard > threshold).mean()) / 2 == pytest.approx(0.05)
    # Ninety in a hundred reals are easy: they would have let every second hard one be called fake.
    assert (hard > threshold_at_fpr(np.concatenate([easy, hard]), 0.05)).mean() > 0.3
    assert threshold_at_fpr(easy, 0.05, ["one"] * 900) == threshold_at_fpr(easy, 0.05)


@given(judged, st.sampled_from([0.0, 0.01, 0.05, 0.3, 0.5, 0.99]))
def test_a_threshold_never_breaks_its_promise_and_is_the_lowest_that_keeps_it(
    rows: list[tuple[float, bool]], promised: float
) -> None:
    reals = np.array([score for score, label in rows if not label])
    threshold = threshold_at_fpr(reals, promised)
    assert (reals > threshold).mean() <= promised
    assert (reals >= threshold).mean() > promised


@pytest.mark.parametrize("fpr", [-0.1, 1, math.nan])
def test_a_promise_outside_0_to_1_is_refused(fpr: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        threshold_at_fpr([0.5], fpr)


def test_brier_and_log_loss_are_the_published_sums() -> None:
    squares = 0.01 + 0.16 + 0.36 + 0.36 + 0.49 + 0.16 + 0.04 + 0.01
    assert metrics.brier(SCORES, LABELS) == pytest.approx(squares / 8)
    assert metrics.log_loss([0.4, 0.8], [0, 1]) == pytest.approx(-(math.log(0.6) + math.log(0.8)) / 2)
    assert 30 < metrics.log_loss([0.0, 1.0], [1, 0]) < math.inf


def test_calibration_error_weighs_the_gaps_of_fifteen_bins() -> None:
    # Gaps .47 of two, .5 of one and .04 of two; the score of 1 belongs to the last bin.
    scores, labels = [0.02, 0.04, 0.5, 0.96, 1.0], [0, 1, 0, 1, 1]
    expected = (2 * (0.5 - 0.03) + 0.5 + 2 * (1 - 0.98)) / 5
    assert metrics.expected_calibration_error(scores, labels) == pytest.approx(expected)


def test_the_table_holds_each_figure_and_the_counts() -> None:
    table = Figures.of(SCORES[1:], LABELS[1:])
    found = table.to_json()
    assert found["auc"] == metrics.auc(SCORES[1:], LABELS[1:])
    assert found["tpr_at_fpr_5"] == tpr_at_fpr(SCORES[1:], LABELS[1:], 0.05) == 0.5
    assert (found["reals"], found["fakes"], found["prevalence"]) == (3, 4, 4 / 7)
    assert Figures(**found) == table


FIGURES = [
    metrics.auc,
    metrics.average_precision,
    metrics.equal_error_rate,
    metrics.confusion,
    metrics.accuracy,
    metrics.balanced_accuracy,
    metrics.macro_f1,
    metrics.brier,
    metrics.log_loss,
    metrics.expected_calibration_error,
    Figures.of,
]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.__qualname__)
@pytest.mark.parametrize(
    ("scores", "labels", "missing"),
    [
        ([0.1, 0.2], [0, 0], "no fakes"),
        ([0.1, 0.2], [1, 1], "no reals"),
        ([], [], "no scores"),
        ([0.1, 0.2], [0], "2 scores, but 1 labels"),
        ([0.1, 0.2], [0, 2], "label"),
        ([0.1, 1.2], [0, 1], "probabilities"),
        ([0.1, math.nan], [0, 1], "probabilities"),
    ],
)
def test_every_figure_says_what_is_missing(figure, scores, labels, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        figure(scores, labels)


def test_no_reals_give_no_threshold() -> None:
    with pytest.raises(ValueError, match="no reals"):
        threshold_at_fpr([], 0.01)


def test_a_short_last_segment_counts_like_a_whole_one() -> None:
    found = video_score([0.5] * 16 + [0.8] * 2)
    assert found is not None
    assert found.segments == pytest.approx((0.5 + 0.8) / 2)
    assert found.mean == pytest.approx((16 * 0.5 + 2 * 0.8) / 18)
    assert found.median == 0.5
    # A quarter of 18 frames is five of them.
    assert found.top_quarter == pytest.approx((2 * 0.8 + 3 * 0.5) / 5)


def test_lost_frames_are_counted_and_keep_their_place_in_time() -> None:
    # Half a segment, a lost segment, and one frame of a third.
    frames = [math.nan, 0.2] * 8 + [math.nan] * 16 + [0.6]
    assert video_score(frames) == VideoScore(
        mean=pytest.approx(2.2 / 9),
        median=0.2,
        top_quarter=pytest.approx((0.6 + 0.2 + 0.2) / 3),
        segments=pytest.approx((0.2 + 0.6) / 2),
        usable=9,
        lost=24,
    )


def test_below_eight_usable_frames_a_video_is_undetermined() -> None:
    assert video_score([0.9] * 7 + [math.nan] * 40) is None
    assert video_score([]) is None
    assert video_score([0.9] * 8) is not None


def test_equal_names_under_two_manipulations_are_two_videos() -> None:
    face_swap = VideoKey("ff", "faceswap", "", "000_003")
    deepfakes = VideoKey("ff", "deepfakes", "", "000_003")
    early, late = VideoKey("own", "ae", "1000", "a"), VideoKey("own", "ae", "9000", "a")
    keys = [face_swap, deepfakes, early, late] * 8
    found = video_scores([0.1, 0.7, 0.9, 0.4] * 8, keys)
    assert list(found) == [face_swap, deepfakes, early, late]
    assert [score and score.median for score in found.values()] == [0.1, 0.7, 0.9, 0.4]


def test_each_frame_needs_a_key() -> None:
    with pytest.raises(ValueError, match="shorter"):
        video_scores([0.1, 0.2], [VideoKey("", "", "", "a")])


def test_uniform_frames_are_the_middles_of_equal_stretches() -> None:
    assert uniform_frames(320).tolist() == list(range(5, 320, 10))
    assert uniform_frames(10, 3).tolist() == [1, 5, 8]
    assert uniform_frames(5).tolist() == [0, 1, 2, 3, 4]
    assert uniform_frames(0).size == 0


@given(st.integers(1, 500), st.integers(1, 64))
def test_uniform_frames_are_different_and_evenly_spread(count: int, wanted: int) -> None:
    chosen = uniform_frames(count, wanted)
    assert chosen.size == min(count, wanted)
    assert chosen.min() >= 0
    assert chosen.max() < count
    if chosen.size > 1:
        steps = np.diff(chosen)
        assert steps.min() >= 1
        assert steps.max() - steps.min() <= 1
