"""One pass over all frames: every face has its row, and what is kept for a closer look is spread."""

import numpy as np
import pytest

from faceswap.detector.selftest.timeline import KEPT, Row, Timeline, judge_frames, seam
from tests.detector.toy_comparison import BOX, Toys, judge, make_pair


def test_every_face_has_a_row_and_what_needs_pixels_is_bounded_and_spread() -> None:
    found = judge_frames(Toys(KEPT + 36), judge())
    assert [row.frame for row in found.rows] == [f"{index:05d}" for index in range(KEPT + 36)]
    kept = [int(pair.frame) for pair in found.kept]
    assert len(kept) == KEPT
    # 100 frames, 64 kept: no gap of more than two, from end to end.
    assert np.diff([-1, *kept, 100]).max() <= 2


def test_scores_do_not_depend_on_how_faces_fall_into_batches() -> None:
    toys = Toys(9, faces=lambda index: (index % 4) * 11)
    found = judge_frames(toys, judge())
    singly = {(pair.frame, pair.face): pair for seen in toys.seen() for pair in seen.pairs}
    assert len(found.rows) == len(singly) == sum((index % 4) * 11 for index in range(9))
    for row in found.rows[::7]:
        pair = singly[row.frame, row.face]
        real, fake = judge()([pair.real, pair.fake])
        assert (row.real, row.fake) == pytest.approx((real.score, fake.score), abs=1e-5)


def test_a_frame_counts_by_its_most_suspicious_face_and_every_face_is_scored() -> None:
    rows = [Row("a", 0, face, 0.1, fake, BOX, 1, 0, 0) for face, fake in enumerate((0.2, 0.9, 0.4))]
    found = Timeline(["a", "b"], rows)
    assert found.scores("fake").tolist()[0] == 0.9
    assert np.isnan(found.scores("fake")[1])
    assert len(judge_frames(Toys(3, faces=lambda _: 2), judge()).rows) == 6


def test_the_extremes_are_the_best_and_worst_of_different_parts_of_the_clip() -> None:
    found = judge_frames(Toys(64), judge())
    most, least = found.extremes()
    scores = {row.frame: row.fake for row in found.rows}
    assert scores[most[0].frame] == max(scores.values())
    assert scores[least[0].frame] == min(scores.values())
    for pairs in (most, least):
        # 64 frames in 16 parts.
        assert len({int(pair.frame) // 4 for pair in pairs}) == len(pairs) == 8


def test_a_hard_seam_is_steeper_than_a_soft_one_and_an_untouched_face_has_none() -> None:
    pair = make_pair("0", 0)
    grey = np.full_like(pair.real, 100)
    hard = pair._replace(real=grey, fake=np.where(pair.mask[..., None] > 0, np.uint8(160), grey))
    # A ramp of 60 levels over 30 px, the mask with it.
    ramp = np.clip((np.arange(64) - 17) / 30, 0, 1).astype(np.float32)
    mask = np.repeat(ramp[None], 64, axis=0)
    soft = pair._replace(real=grey, fake=(grey + 60 * mask[..., None]).astype(np.uint8), mask=mask)
    assert seam(hard) > 5 * seam(soft) > 0
    assert seam(soft) == pytest.approx(60 / 30, rel=0.15)
    assert seam(hard._replace(fake=grey)) == 0
    assert seam(hard._replace(mask=np.zeros_like(mask))) == 0
