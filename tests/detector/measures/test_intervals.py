"""Intervals that rest on people, not frames."""

import numpy as np
import pytest

from faceswap.detector.measures.intervals import (
    Interval,
    cluster_interval,
    hanley_mcneil_half_width,
    paired_interval,
)
from faceswap.detector.measures.metrics import auc


def mean(scores: np.ndarray, _labels: np.ndarray) -> float:
    return float(scores.mean())


def gap(scores: np.ndarray, labels: np.ndarray) -> float:
    """How much higher fakes score than reals."""
    return float(scores[labels == 1].mean() - scores[labels == 0].mean())


def dice(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy(people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of people, half of them fake, who overlap a good deal."""
    labels = np.arange(people) % 2
    return np.clip(dice(seed).normal(0.4 + 0.2 * labels, 0.2), 0, 1), labels


# Half-widths as detection.md §3.1 gives them, to its last digit.
@pytest.mark.parametrize(
    ("area", "clips", "half_width", "digit"),
    [
        (0.90, 32, 0.079, 0.001),
        (0.90, 64, 0.056, 0.001),
        (0.90, 140, 0.037, 0.001),
        (0.90, 500, 0.020, 0.001),
        (0.75, 32, 0.12, 0.01),
        (0.75, 64, 0.084, 0.001),
        (0.75, 140, 0.057, 0.001),
        (0.75, 500, 0.030, 0.001),
    ],
)
def test_hanley_mcneil_gives_the_tabled_half_widths(
    area: float, clips: int, half_width: float, digit: float
) -> None:
    assert hanley_mcneil_half_width(area, clips, clips) == pytest.approx(half_width, abs=0.51 * digit)


def test_more_fakes_than_reals_and_the_reverse_are_not_the_same() -> None:
    # By hand: Q1 = .9/1.1, Q2 = 1.62/1.9; (.09 + 9·.0081818 + 39·.0426316)/400 and its mirror.
    few_fakes, few_reals = (hanley_mcneil_half_width(0.9, n, 50 - n) for n in (10, 40))
    assert few_fakes == pytest.approx(1.96 * ((0.09 + 9 * 0.00818182 + 39 * 0.04263158) / 400) ** 0.5)
    assert few_reals == pytest.approx(1.96 * ((0.09 + 39 * 0.00818182 + 9 * 0.04263158) / 400) ** 0.5)


def test_two_people_give_the_three_means_with_a_quarter_a_half_and_a_quarter() -> None:
    found = cluster_interval(mean, [0.0, 1.0], [0, 0], ["a", "b"], dice())
    assert (found.value, found.low, found.high, found.clusters) == (0.5, 0, 1, 2)
    middle = cluster_interval(mean, [0.0, 1.0], [0, 0], ["a", "b"], dice(), level=0.4)
    assert (middle.low, middle.high) == (0.5, 0.5)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_people() -> None:
    scores = dice(1).random(400)
    found = cluster_interval(mean, scores, np.zeros(400), range(400), dice(), resamples=4000)
    half = 1.96 * scores.std() / 20
    assert found.low == pytest.approx(scores.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(scores.mean() + half, abs=0.1 * half)


def test_more_frames_of_the_same_people_prove_nothing_more() -> None:
    scores, labels = noisy(40, seed=2)
    once = cluster_interval(auc, scores, labels, range(40), dice(), resamples=200)
    often = cluster_interval(
        auc, np.repeat(scores, 20), np.repeat(labels, 20), np.repeat(np.arange(40), 20), dice(), resamples=200
    )
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    frames = cluster_interval(
        auc, np.repeat(scores, 20), np.repeat(labels, 20), range(800), dice(), resamples=200
    )
    assert frames.high - frames.low < 0.4 * (once.high - once.low)


def test_frames_of_a_person_need_not_stand_together() -> None:
    scores, labels = noisy(30, seed=3)
    people = np.arange(30) // 6
    mixed = dice(4).permutation(30)
    # People are numbered as they come, so the first frame of each must keep its turn.
    mixed = mixed[np.argsort([people[i] for i in mixed], kind="stable")]
    interleaved = np.concatenate([mixed[i::6] for i in range(6)])
    together = cluster_interval(auc, scores[mixed], labels[mixed], people[mixed].tolist(), dice())
    apart = cluster_interval(
        auc, scores[interleaved], labels[interleaved], people[interleaved].tolist(), dice()
    )
    assert (apart.low, apart.high) == (together.low, together.high)


def test_people_of_one_label_are_resampled_label_by_label() -> None:
    labels = np.array([1] * 3 + [0] * 9)
    found = cluster_interval(
        lambda _, y: float(y.mean()), np.zeros(12), labels, [f"p{i}" for i in range(12)], dice()
    )
    assert (found.low, found.high, found.redrawn) == (0.25, 0.25, 0)


def test_pairs_stay_together() -> None:
    reals = dice(5).random(20) * 0.8
    scores = np.concatenate((reals, reals + 0.1))
    found = cluster_interval(gap, scores, [0] * 20 + [1] * 20, [*range(20), *range(20)], dice())
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)
    assert found.clusters == 20


def test_resamples_without_a_class_are_drawn_again_and_counted() -> None:
    # Only one of three people has fakes: (2/3)³ = 8/27 of all draws miss it, 421 for 1,000 good ones.
    found = cluster_interval(auc, [0.2, 0.8, 0.3, 0.4], [0, 1, 0, 0], ["pair", "pair", "b", "c"], dice())
    assert 330 < found.redrawn < 510
    assert found.contains(1)


def test_the_paired_interval_sees_what_two_separate_ones_hide() -> None:
    scores, labels = noisy(60, seed=6)
    # Every fake a little higher: a small gain on top of the same large spread.
    better = np.clip(scores + 0.08 * labels, 0, 1)
    before, after = (cluster_interval(auc, arm, labels, range(60), dice()) for arm in (scores, better))
    assert after.low < before.high
    difference = paired_interval(auc, better, scores, labels, range(60), dice())
    assert difference.value == pytest.approx(after.value - before.value)
    assert difference.low > 0


def test_an_arm_does_not_differ_from_itself() -> None:
    scores, labels = noisy(20, seed=7)
    found = paired_interval(auc, scores, scores, labels, range(20), dice())
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_same_dice_give_the_same_interval() -> None:
    scores, labels = noisy(20, seed=8)
    first, again, other = (cluster_interval(auc, scores, labels, range(20), dice(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert Interval(**first.to_json()) == first


def test_chance_lies_in_the_interval_of_scores_that_know_nothing() -> None:
    scores, labels = dice(9).random(200), np.arange(200) % 2
    assert cluster_interval(auc, scores, labels, range(200), dice(), resamples=300).contains(0.5)


@pytest.mark.parametrize(
    ("labels", "clusters", "said"),
    [
        ([0, 0, 1, 1], ["a", "a", "b", "b"], "of each label, found 1 and 1"),
        ([0, 1, 0, 1], ["a"] * 4, "found 1"),
        ([0, 1, 0], ["a", "b", "c"], "4 scores, 3 labels and 3 clusters"),
    ],
)
def test_too_few_people_give_no_interval(labels: list[int], clusters: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cluster_interval(auc, [0.1, 0.2, 0.8, 0.9], labels, clusters, dice())


def test_nothing_gives_no_interval() -> None:
    with pytest.raises(ValueError, match="found none"):
        cluster_interval(auc, [], [], [], dice())


def test_arms_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="4 and 3"):
        paired_interval(auc, [0.1] * 4, [0.1] * 3, [0, 1, 0, 1], range(4), dice())
