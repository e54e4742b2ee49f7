"""The self-test's verdict and figures."""

import numpy as np
import pytest

from faceswap.detector.measures.metrics import video_score
from faceswap.detector.selftest.findings import Contamination, Figure
from faceswap.detector.selftest.selftest import clip_score, goes_with, headline, verdict
from faceswap.detector.selftest.timeline import Row, stretch_frames
from faceswap.errors import UserError
from tests.detector.toy_comparison import BOX, Toys, figure, head_of, run, timeline

CLEAN = Contamination(True, 0, 0.0, 10, False)


def test_frames_without_a_face_and_damaged_ones_are_counted_and_leave_gaps() -> None:
    test = run(Toys(30, faces=lambda index: index % 2, damaged=(3, 5)))
    compared = test.report.compared
    assert (compared.compared, compared.faces, compared.without_face) == (30, 13, 15)
    assert len(compared.damaged) == 2
    gaps = np.isnan(test.timeline.scores("fake"))
    assert gaps[[0, 2, 3, 5]].all() and not gaps[[1, 7]].any()
    assert (test.report.headline.finished.usable, test.report.headline.finished.lost) == (13, 17)


def test_no_face_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="no face could be compared"):
        run(Toys(4, faces=lambda _: 0))
    with pytest.raises(UserError, match="no face could be compared"):
        run(Toys(2, damaged=(0, 1)))


def test_a_perfect_detector_and_a_blind_one_get_the_figures_they_deserve() -> None:
    perfect = headline(timeline([0.1] * 64, [0.9] * 64), threshold=0.5)
    assert (perfect.auc.value, perfect.tpr.value, perfect.fpr.value) == (1.0, 1.0, 0.0)
    assert perfect.finished.mean == pytest.approx(0.9)
    blind = headline(timeline([0.3] * 64, [0.3] * 64), threshold=0.5)
    assert (blind.auc.value, blind.tpr.value, blind.fpr.value) == (0.5, 0.0, 0.0)


def test_intervals_rest_on_stretches_not_on_frames() -> None:
    # Every stretch of 16 frames holds one score: 128 faces, but only 8 independent ones.
    alike = np.repeat(np.random.default_rng(0).random((8, 2)), 16, axis=0)
    alone = np.random.default_rng(1).random((128, 2))
    wide, narrow = (headline(timeline(*scores.T), 0.5).auc for scores in (alike, alone))
    assert wide.stretches == narrow.stretches == 128 // stretch_frames(128)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_clip_of_three_frames_has_no_interval_no_clip_score_and_no_verdict() -> None:
    test = run(Toys(3))
    head = test.report.headline
    assert (head.auc.low, head.auc.high) == (None, None)
    assert (head.finished.mean, head.finished.segment_mean) == (None, None)
    assert test.report.verdict.word == "undetermined"
    assert test.report.controls["real against real"] is None


def test_segments_of_sixteen_frames_are_averaged_as_by_hand() -> None:
    scores = np.r_[np.full(16, 0.8), np.full(16, np.nan), np.full(8, 0.2), [np.nan, 0.5]]
    found = clip_score(scores)
    # The last, shorter segment counts as one; the one without a face is left out.
    last = (8 * 0.2 + 0.5) / 9
    assert found.segments == (pytest.approx(0.8), None, pytest.approx(last))
    assert found.segment_mean == pytest.approx((0.8 + last) / 2)
    whole = video_score(scores)
    assert whole is not None
    assert (found.mean, found.segment_mean) == (whole.mean, whole.segments)


@pytest.mark.parametrize(
    ("auc", "word"),
    [
        (figure(0.97, 0.95, 0.99), "detected"),
        (figure(0.97, 0.7, 0.99), "partly detected"),
        (figure(0.97, 0.5, 0.99), "not reliably detected"),
        (figure(0.3, 0.2, 0.4), "not reliably detected"),
    ],
)
def test_the_verdict_follows_the_lower_end_of_the_interval(auc: Figure, word: str) -> None:
    found = verdict(head_of(auc), CLEAN)
    assert found.word == word
    assert f"({100 * auc.low:.0f} to {100 * auc.high:.0f})" in found.sentence
    assert ("no evidence of authenticity" in found.sentence) == (word == "not reliably detected")


def test_contamination_outweighs_every_other_verdict() -> None:
    seen = Contamination(True, 30, 0.3, 10, True)
    assert verdict(head_of(figure(0.97, 0.95, 0.99)), seen).word == "contaminated"
    assert verdict(head_of(figure(0.97), usable=3), seen).word == "contaminated"


def test_what_rises_with_the_score_goes_with_it() -> None:
    rows = [Row("", n, 0, 0, n / 10, BOX, 1 - n / 20, (-1) ** n * n, 1.0) for n in range(10)]
    assert set(goes_with(rows[:7]).values()) == {None}
    assert goes_with(rows) == {"detail": pytest.approx(-1), "turn": pytest.approx(1), "seam": None}
