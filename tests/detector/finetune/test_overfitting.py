"""Over-fitting is told where it begins, and nowhere else."""

import pytest

from faceswap.detector.finetune.pictures import began_to_overfit
from tests.detector.toy_tuning import log


def test_over_fitting_is_told_with_the_evaluation_at_which_it_began() -> None:
    made_up = log([None, 0.60, 0.45, 0.30, 0.22, 0.15, 0.10], [0.70, 0.62, 0.50, 0.46, 0.50, 0.55, 0.63])
    began = began_to_overfit(made_up)
    assert began is not None
    assert began.iteration == 30
    # Two evaluations are no trend yet.
    assert began_to_overfit(made_up[:6]) is None


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ([None, 0.6, 0.5, 0.4, 0.3, 0.2], [0.7, 0.65, 0.55, 0.45, 0.40, 0.38]),
        # A plateau that trembles by two per cent.
        ([None, 0.6, 0.50, 0.48, 0.47, 0.46, 0.45], [0.7, 0.60, 0.500, 0.506, 0.503, 0.509, 0.502]),
        # The tutorial's dip, from which it recovers.
        ([None, 0.6, 0.4, 0.3, 0.25, 0.2], [0.7, 0.5, 0.40, 0.60, 0.52, 0.41]),
        # Both rise: a rate that is too high is no over-fitting.
        ([None, 0.6, 0.5, 0.7, 0.8, 0.9], [0.7, 0.6, 0.5, 0.7, 0.8, 0.9]),
        ([None], [0.7]),
    ],
)
def test_a_healthy_training_is_not_called_over_fitted(
    train: list[float | None], validation: list[float]
) -> None:
    assert began_to_overfit(log(train, validation)) is None
