"""What is measured besides the scores: degradations, contamination, controls, spectra, calibration."""

import numpy as np
import pytest

from faceswap.augment.degrade import GRID
from faceswap.detector.data.manifest import difference_hash, to_text
from faceswap.detector.selftest import analyses
from faceswap.detector.selftest.findings import Contamination
from faceswap.detector.selftest.selftest import SelfTest
from tests.detector.toy_comparison import figure, head_of, judge, make_pair


def test_the_grid_has_every_degradation_at_five_levels(tested: SelfTest) -> None:
    assert {(cell.name, cell.level) for cell in tested.report.grid} == {
        (name, level) for name, levels in GRID.items() for level in levels
    }


@pytest.mark.parametrize(("known", "stamped"), [(0, False), (2, False), (3, True), (40, True)])
def test_more_than_a_twentieth_of_known_faces_is_contamination(known: int, stamped: bool) -> None:
    crops = [make_pair("", seed).real for seed in range(41)]
    hashes = np.stack([difference_hash(crop) for crop in crops])
    found = analyses.contamination(hashes[:40], to_text([*hashes[:known], hashes[40]]))
    assert found == Contamination(True, known, known / 40, 10, stamped)


def test_a_card_that_does_not_tell_what_was_learnt_from_is_not_taken_for_clean(tested: SelfTest) -> None:
    assert not tested.report.contamination.known
    assert not tested.report.contamination.contaminated


def test_controls_of_scores_that_know_nothing_contain_one_half() -> None:
    scores = np.random.default_rng(5).random(640)
    labels, stretches = np.tile([0, 1], 320), np.repeat(np.arange(320) // 16, 2)
    kept = [make_pair(str(index), index) for index in range(4)]
    found = analyses.controls(scores, labels, stretches, kept, np.arange(4), judge())
    assert set(found) == {"real against real", "null fake", "shuffled labels"}
    for name in ("real against real", "shuffled labels"):
        assert found[name].is_chance, name


@pytest.mark.parametrize(
    ("low", "high", "chance"),
    [(0.4, 0.6, True), (0.3, 0.46, True), (0.3, 0.44, False), (0.54, 0.7, True), (0.56, 0.7, False)],
)
def test_a_control_passes_while_its_interval_reaches_chance(low: float, high: float, chance: bool) -> None:
    assert figure((low + high) / 2, low, high).is_chance is chance
    assert figure(0.5).is_chance is None


def test_a_detector_of_scenes_fails_the_control_of_real_against_real() -> None:
    # A planted leak: every second stretch of the untouched clip is lit in another way, and gets other scores.
    stretches = np.arange(320) // 16
    scores = np.column_stack([0.2 + 0.5 * (stretches % 2) + 1e-4 * (np.arange(320) % 7), np.full(320, 0.9)])
    kept = [make_pair("0", 0)]
    found = analyses.controls(
        scores.reshape(-1), np.tile([0, 1], 320), np.repeat(stretches, 2), kept, np.zeros(1, int), judge()
    )
    assert found["real against real"].is_chance is False
    assert found["real against real"].value > 0.9


def test_the_spectrum_of_a_wave_peaks_at_its_frequency() -> None:
    wave = 127 + 100 * np.sin(2 * np.pi * 10 * np.arange(64) / 64)
    crop = np.repeat(np.repeat(wave[None, :, None], 64, axis=0), 3, axis=2).astype(np.uint8)
    assert int(analyses.spectrum(crop).argmax()) == 10


def test_calibration_of_scores_that_mean_what_they_say_and_of_overconfident_ones() -> None:
    # Logits of ±2 that are right in 88.08 % of cases, as P = σ(2) says; then the same, twice as sure.
    share = 1 / (1 + np.exp(-2))
    right = np.arange(1000) < 1000 * share
    # A pair each: the untouched face gets the opposite of the finished one.
    fake = np.where(right, 2.0, -2.0)
    margins = np.column_stack([-fake, fake])
    head = head_of(figure(0.9))
    honest = analyses.trust(margins.tolist(), 1.0, head)
    assert honest.calibration_error < 0.001
    assert honest.brier == pytest.approx(share * (1 - share), abs=0.001)
    sure = analyses.trust((2 * margins).tolist(), 2.0, head)
    assert sure.calibration_error == pytest.approx(honest.calibration_error)
    assert sure.calibration_error_plain == pytest.approx(1 / (1 + np.exp(-4)) - share, abs=0.001)
    assert sum(sure.counts) == 2000
    # Bayes by hand at a prior of one half: 0.8 / (0.8 + 0.05), the promised rate being above the clip's.
    assert sure.worth["0.5"] == pytest.approx(0.8 / 0.85)
