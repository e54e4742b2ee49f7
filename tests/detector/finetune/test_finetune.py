"""The loop of a fine-tuning: any stop is survived, and the best weights are kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from faceswap.detector.finetune.recipe import RECIPES
from faceswap.errors import UserError
from tests.detector.toy_tuning import QUICK, Interrupted, tuning_of


def test_a_training_that_was_stopped_ends_bit_for_bit_as_if_it_had_not_been(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    straight = tuning_of(tmp_path / "straight", toys, tiny)
    straight.run()
    with pytest.raises(KeyboardInterrupt):
        tuning_of(tmp_path / "stopped", toys, tiny, kind=Interrupted).run()
    # Judged as far as it came, which must not change what follows.
    halfway = tuning_of(tmp_path / "stopped", toys, tiny)
    assert 0 < halfway.progress < 1
    halfway.run(minutes=0)
    assert halfway.evaluations[-1].iteration == halfway.iteration
    # Another process has drawn other numbers before; dropout must not depend on them.
    torch.manual_seed(99)
    rest = tuning_of(tmp_path / "stopped", toys, tiny)
    rest.run()
    assert rest.progress == 1
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name
    assert [e._replace(seconds=0) for e in rest.evaluations] == [
        e._replace(seconds=0) for e in straight.evaluations
    ]


def test_the_kept_weights_are_those_of_the_lowest_validation_loss(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    tuning = tuning_of(tmp_path, toys, tiny)
    # Judged by swapped labels it gets worse the more it learns.
    tuning.validation = [
        picture._replace(entry=replace(picture.entry, label=1 - picture.entry.label))
        for picture in tuning.validation
    ]
    tuning.run()
    losses = [evaluation.validation_loss for evaluation in tuning.evaluations]
    assert tuning.best.validation_loss == min(losses) < losses[-1]
    tuning.take_best()
    labels = torch.tensor([picture.entry.label for picture in tuning.validation])
    logits = torch.from_numpy(tuning.logits(tuning.validation))
    assert float(torch.nn.functional.cross_entropy(logits, labels)) == pytest.approx(min(losses), abs=1e-9)


def test_a_training_continued_another_way_is_refused(tmp_path: Path, toys: Path, tiny: Path) -> None:
    tuning_of(tmp_path, toys, tiny).run(minutes=0)
    with pytest.raises(UserError, match="learning_rate"):
        tuning_of(tmp_path, toys, tiny, replace(QUICK, learning_rate=1e-4))
    with pytest.raises(UserError, match="data these there, others now"):
        tuning_of(tmp_path, toys, tiny, data="others")


def test_the_tutorial_evaluates_every_ten_updates_and_virtus_every_epoch(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    # 50 pictures are 5 : 1 : 1, 36 of them in 9 batches of 4 an epoch.
    tutorial = tuning_of(tmp_path / "t", toys, tiny, replace(RECIPES["tutorial"], batch=4, epochs=3))
    tutorial.run()
    total = tutorial.iterations
    assert [e.iteration for e in tutorial.evaluations] == [*range(0, total, 10), total]
    virtus = tuning_of(tmp_path / "v", toys, tiny, replace(QUICK, epochs=2))
    virtus.run()
    assert [e.epoch for e in virtus.evaluations] == [0, 1, 2]


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(
    tmp_path: Path, toys: Path, tiny: Path
) -> None:
    with pytest.raises(UserError, match="no number"):
        tuning_of(tmp_path, toys, tiny, replace(QUICK, learning_rate=1e30, warm_up=0, epochs=8)).run()
