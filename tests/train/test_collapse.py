"""A model that breaks is noticed and taken back; one that only trains is left alone."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.train.preview import PreviewFaces
from faceswap.train.saving import CollapseError, FlatWatch, LossWatch, contrast_ratio
from faceswap.train.schedule import Schedule


def losses(count: int, seed: int = 0) -> np.ndarray:
    """Losses as trainings have them: falling, noisy, now and then a hard batch."""
    generator = np.random.default_rng(seed)
    falling = 0.5 + 2 * np.exp(-np.arange(count) / 300)
    outliers = np.where(generator.random(count) < 0.02, 4.0, 1.0)
    return falling * generator.lognormal(0, 0.15, count) * outliers


def watched(values: np.ndarray) -> int | None:
    """At which entry the watch rings."""
    watch = LossWatch()
    for number, value in enumerate(values):
        try:
            watch.see(1.0, value)
        except CollapseError:
            return number
    return None


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_falling_loss_with_hard_batches_is_no_collapse(seed: int) -> None:
    assert watched(losses(5000, seed)) is None


@pytest.mark.parametrize("times", [3.0, 50.0, 1e6])
def test_an_explosion_is_noticed_within_a_few_iterations(times: float) -> None:
    values = losses(2000)
    values[1500:] *= times
    assert 1500 < watched(values) < 1520  # type: ignore[operator]


def test_a_loss_that_doubles_every_fifty_iterations_is_noticed() -> None:
    values = losses(1500)
    values[1000:] *= 2 ** (np.arange(500) / 50)
    assert 1000 < watched(values) < 1200  # type: ignore[operator]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_is_noticed_at_once(value: float) -> None:
    with pytest.raises(CollapseError, match="no number"):
        LossWatch().see(1.0, value)


def test_after_a_change_of_options_a_new_scale_is_learnt() -> None:
    watch = LossWatch()
    for value in losses(1000):
        watch.see(1.0, value)
    watch.forget()
    for value in 20 * losses(1000, 1):
        watch.see(1.0, value)


def faces(contrast: float) -> PreviewFaces:
    wanted = np.random.default_rng(3).random((4, 32, 32, 3)).astype(np.float32)
    made = (0.5 + contrast * (wanted - 0.5)).astype(np.float32)
    mask = np.ones((4, 32, 32, 1), np.float32)
    return PreviewFaces(wanted, wanted, wanted, wanted, made, mask, mask, mask, mask)


def test_contrast_is_that_of_the_made_face_against_the_wanted() -> None:
    shown = faces(0.25)
    assert contrast_ratio(shown.swap, shown.dst) == pytest.approx(0.25, rel=1e-3)


def test_only_a_face_that_was_alive_can_go_flat() -> None:
    watch = FlatWatch()
    watch.see(faces(0.01))
    watch.see(faces(0.9))
    watch.see(faces(0.4))
    with pytest.raises(CollapseError, match="swap"):
        watch.see(faces(0.1))


def breaks_at(step: object, at: int, times: int) -> list[int]:
    """Let a step's weights become no numbers when it comes to an iteration; returns how often it did."""
    kind = type(step)
    broken: list[int] = []

    class Breaking(kind):  # type: ignore[misc, valid-type]
        def __call__(self, batch: object, seed: int, iteration: int) -> object:
            if iteration == at and len(broken) < times:
                broken.append(iteration)
                with torch.no_grad():
                    next(self.model.parameters()).fill_(math.nan)
            return super().__call__(batch, seed, iteration)

    step.__class__ = Breaking
    return broken


def test_a_broken_model_goes_on_from_the_last_checkpoint_with_half_the_step(
    tmp_path: Path, small: SimpleNamespace
) -> None:
    training = small.trainer(tmp_path, Schedule(iterations=6, save_minutes=0))
    broken = breaks_at(training.step, at=3, times=1)
    training.train()
    assert broken == [3]
    state = checkpoint.load(tmp_path).state
    assert (state["iteration"], state["step_factor"]) == (6, 0.5)
    assert state["samples"] == 2 * (6 + 1), "the batch that broke it does not come again"
    assert training.step.optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 1e-4 * 6 / 100)
    assert [line["iteration"] for line in small.lines(tmp_path / "history.jsonl")] == [1, 2, 3, 4, 5, 6]
    assert "back at the checkpoint of iteration 3" in (tmp_path / "log.txt").read_text(encoding="utf-8")
    again = small.trainer(tmp_path, Schedule(iterations=7))
    assert again.run.step_factor == 0.5, "remembered"


def test_a_model_that_breaks_again_and_again_goes_further_back_and_then_gives_up(
    tmp_path: Path, small: SimpleNamespace
) -> None:
    training = small.trainer(tmp_path, Schedule(iterations=9, save_minutes=0))
    broken = breaks_at(training.step, at=4, times=99)
    with pytest.raises(UserError, match="4 times did not help") as caught:
        training.train()
    assert len(broken) == 5 and "--learning-rate" in str(caught.value)
    loaded = checkpoint.load(tmp_path)
    assert loaded.iteration == 4 and loaded.rejected == ()
    assert all(tensor.isfinite().all() for tensor in loaded.tensors["weights"].values())


def test_weights_broken_before_the_first_save_are_a_sentence(tmp_path: Path, small: SimpleNamespace) -> None:
    training = small.trainer(tmp_path, Schedule(iterations=5))
    breaks_at(training.step, at=0, times=99)
    with pytest.raises(UserError, match="no number"):
        training.train()
    assert not (tmp_path / "checkpoints").exists()
