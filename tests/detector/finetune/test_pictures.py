"""The pictures that stand beside a fine-tuned model."""

import numpy as np

from faceswap.detector.finetune.pictures import confusion_picture, curves_picture
from tests.detector.toy_tuning import log


def test_the_confusion_picture_is_brighter_where_more_of_a_row_lies() -> None:
    picture = confusion_picture(np.array([[90, 10], [30, 70]]), ["Real", "Fake"], "t").astype(int)
    real_real, real_fake, fake_real, fake_fake = (
        picture[84 + row * 170 + 6, 120 + column * 170 + 6] for row in (0, 1) for column in (0, 1)
    )
    assert real_real.max() > fake_fake.max()
    assert fake_real.max() > real_fake.max()
    # Right verdicts are green, wrong ones red.
    assert real_real.argmax() == fake_fake.argmax() == 1
    assert real_fake.argmax() == fake_real.argmax() == 0


def test_curves_fall_where_losses_fall_and_mark_what_is_kept() -> None:
    evaluations = log([None, 0.6, 0.5, 0.4], [0.8, 0.6, 0.4, 0.2])
    plain, marked = curves_picture(evaluations, 0), curves_picture(evaluations, 20)
    rows, columns = np.nonzero((plain[30:214] == (255, 200, 70)).all(axis=2))
    assert np.corrcoef(columns, rows)[0, 1] > 0.99
    changed = np.nonzero((plain != marked).any(axis=(0, 2)))[0]
    # Two thirds of the way, where iteration 20 of 30 is, and at 0.
    assert {int(x) for x in changed} == {64, 64 + round(820 * 20 / 30)}
