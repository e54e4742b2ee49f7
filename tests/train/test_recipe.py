"""A phase ends when it should, and a plateau is called one only where it is sure."""

import numpy as np
import pytest
from pydantic import ValidationError

from faceswap.errors import UserError
from faceswap.models.arch import Arch, ModelSpec
from faceswap.train.options import StepOptions
from faceswap.train.schedule import Phase, averaged, is_flat
from faceswap.train.settings import LIVE
from stages.train import STEP, Settings


def curve(count: int, seed: int, rest: float, noise: float) -> list[float]:
    """Errors that fall towards `rest` and scatter."""
    generator = np.random.default_rng(seed)
    along = np.linspace(0, 1, count)
    return list((rest + 0.5 * np.exp(-16 * along)) * generator.lognormal(0, noise, count))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("noise", [0.0, 0.002, 0.02])
def test_what_still_falls_is_not_flat_however_noisy(seed: int, noise: float) -> None:
    falling = np.linspace(1.0, 0.4, 64) * np.random.default_rng(seed).lognormal(0, noise, 64)
    assert not is_flat(list(falling))


@pytest.mark.parametrize("noise", [0.0, 0.002, 0.01])
def test_what_has_come_to_rest_is_flat(noise: float) -> None:
    found = [is_flat(curve(64, seed, rest=0.3, noise=noise)) for seed in range(20)]
    assert np.mean(found) > (0.9 if noise < 0.01 else 0.5)


def test_too_few_points_and_too_much_noise_are_no_answer() -> None:
    assert not is_flat([0.3] * 15) and is_flat([0.3] * 16)
    assert sum(is_flat(curve(16, seed, rest=0.3, noise=0.2)) for seed in range(40)) <= 2


def test_what_rises_is_flat_as_it_gives_nothing_more() -> None:
    assert is_flat(list(np.linspace(0.3, 0.5, 40)))


def test_losses_are_averaged_in_order() -> None:
    assert averaged([1, 2, 3]) == [1, 2, 3]
    blocks = averaged(list(np.arange(6400)))
    assert len(blocks) == 64 and blocks == sorted(blocks) and blocks[0] == 49.5


def test_a_phase_ends_by_count_or_by_plateau_but_not_before_its_least() -> None:
    flat, falling = [0.3] * 20, list(np.linspace(1, 0.2, 20))
    phase = Phase(name="p", iterations=900, plateau=True, at_least=500)
    assert phase.end(499, flat, []) is None
    assert "held-back" in phase.end(500, flat, falling)  # type: ignore[operator]
    assert phase.end(500, falling, flat) is None, "held-back faces decide where there are any"
    assert "loss" in phase.end(500, [], [0.3] * 6400)  # type: ignore[operator]
    assert "900" in phase.end(900, falling, falling)  # type: ignore[operator]
    assert Phase(name="p").end(10**9, flat, flat) is None


@pytest.mark.parametrize("changes", [{"iterations": 0}, {"until": 3}, {"name": None}])
def test_a_phase_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Phase(**{"name": "p"} | changes)


@pytest.mark.parametrize("name", ["recipe", "recipe_liae"])
def test_the_bundled_recipes_go_from_warped_over_unwarped_to_the_critic(name: str) -> None:
    phases = Settings.parse(["--preset", name]).phases
    settings = [Settings.of(phase.settings) for phase in phases]
    assert [one.random_warp for one in settings] == [True, False, False, False]
    assert [one.gan_power > 0 for one in settings] == [False, False, False, True]
    assert all(phase.iterations is not None for phase in phases), "an unattended run ends"
    assert (settings[0].reset_inter is not None) is (name == "recipe_liae")


@pytest.mark.parametrize(
    ("name", "arch"),
    [("recipe", "DF-UD"), ("recipe", "LIAE-UDT"), ("recipe", "AMP"), ("recipe_liae", "LIAE-UD")],
)
def test_what_the_bundled_recipes_set_may_change_in_training_and_fits_the_model(name: str, arch: str) -> None:
    spec = ModelSpec.default(Arch.parse(arch))
    for phase in Settings.parse(["--preset", name]).phases:
        assert phase.settings.keys() <= (STEP - {"pretrain"}) | LIVE
        cfg = Settings.of(phase.settings)
        StepOptions(**{option: getattr(cfg, option) for option in STEP}).check(spec)


def test_a_recipe_in_a_settings_file_is_checked(tmp_path: object) -> None:
    with pytest.raises(UserError, match="iterations"):
        Settings.of({"phases": [{"name": "p", "iterations": -1}]})
