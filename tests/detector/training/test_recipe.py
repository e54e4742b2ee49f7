"""The arms and their schedules."""

import pytest

from faceswap.detector.training.steps import Recipe


def test_ssat_weighs_labels_by_lambda_and_reconstruction_by_the_rest_all_along() -> None:
    recipe = Recipe(arm="ssat", lambda_=0.1)
    for progress in (0.0, 0.5, 1.0):
        assert recipe.weights(progress) == (0.1, 0.9)


def test_scratch_never_reconstructs() -> None:
    assert not Recipe(arm="scratch").reconstructs
    assert Recipe(arm="scratch").weights(0.3) == (1.0, 0.0)


def test_ssl_ft_reconstructs_first_and_then_only_judges() -> None:
    recipe = Recipe(arm="ssl+ft", ssl_share=0.4)
    assert recipe.weights(0.39) == (0.0, 1.0)
    assert recipe.weights(0.41) == (1.0, 0.0)


@pytest.mark.parametrize("arm", ["scratch", "ssat"])
def test_the_rate_climbs_from_zero_to_the_peak_and_falls_to_a_thousandth(arm: str) -> None:
    recipe = Recipe(arm=arm, learning_rate=1e-3, pairs=32, warm_up=0.05)  # type: ignore[arg-type]
    assert recipe.rate(0.0) == 0.0
    assert recipe.rate(0.025) == pytest.approx(0.5e-3)
    assert recipe.rate(0.05) == pytest.approx(1e-3)
    assert recipe.rate(0.525) == pytest.approx(0.5e-3, rel=2e-3)  # half way down the cosine
    assert recipe.rate(1.0) == pytest.approx(1e-6)


def test_the_peak_grows_with_the_root_of_the_batch() -> None:
    # detection.md §4.4: AdamW 1e-3 · (batch / 64)^½, where a batch counts pictures.
    assert Recipe(pairs=128, warm_up=0.05, arm="ssat").rate(0.05) == pytest.approx(2e-3)


def test_both_phases_of_ssl_ft_warm_up_and_cool_down() -> None:
    recipe = Recipe(arm="ssl+ft", ssl_share=0.4, warm_up=0.1)
    assert recipe.rate(0.0) == 0.0
    assert recipe.rate(0.04) == pytest.approx(1e-3)
    assert recipe.rate(0.3999) < 1e-5
    assert recipe.rate(0.4) == 0.0
    assert recipe.rate(0.46) == pytest.approx(1e-3)
