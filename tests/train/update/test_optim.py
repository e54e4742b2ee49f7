"""Optimisers against the golden values of deepfacelab.md §15.4, dropout, and checkpoints."""

import pytest
import torch
from torch import Tensor, nn

from faceswap.train.options import OptimizerName
from faceswap.train.update.optim import (
    AdaBelief,
    cosine_factor,
    load_by_name,
    make_optimizer,
    state_by_name,
)

# deepfacelab.md §15.4: after steps 1 to 3.
GOLDEN = {
    "adabelief": [(0.648660, -1.648685), (0.152332, -1.152383), (-0.454334, -0.545744)],
    "rmsprop": [(0.683774, -1.683776), (0.454360, -1.454363), (0.262266, -1.262269)],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_three_steps_give_the_golden_weights(name: OptimizerName) -> None:
    weight = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    weight.grad = torch.tensor([0.5, -0.25, 0.0])
    optimiser = make_optimizer(name, [weight])
    optimiser.param_groups[0]["lr"] = 0.1
    for golden in GOLDEN[name]:
        optimiser.step()
        assert weight.tolist() == pytest.approx([*golden, 0.5], abs=5e-6)


def test_the_cosine_gives_the_golden_factors() -> None:
    # deepfacelab.md §15.4.
    factors = [cosine_factor(counter) for counter in (0, 125, 250, 375, 500)]
    assert factors == pytest.approx([1, 0.5, 0, 0.5, 1], abs=1e-12)


@pytest.mark.parametrize("name", ["adabelief", "rmsprop"])
def test_dropout_keeps_three_of_ten_steps_whole_and_all_moments(name: OptimizerName) -> None:
    whole, few = (torch.zeros(300, 100, requires_grad=True) for _ in range(2))
    optimisers = [make_optimizer(name, [weight]) for weight in (whole, few)]
    optimisers[1].dropout = torch.Generator().manual_seed(0)
    for weight, optimiser in zip((whole, few), optimisers, strict=True):
        weight.grad = torch.randn(300, 100, generator=torch.Generator().manual_seed(1))
        optimiser.step()
    moved = few != 0
    assert abs(moved.float().mean().item() - 0.3) < 0.01
    assert torch.equal(few[moved], whole[moved])
    for moment in optimisers[0].moments:
        assert torch.equal(optimisers[0].state[whole][moment], optimisers[1].state[few][moment])
    # No byte of a word is drawn more often than the others.
    shares = moved.flatten().view(-1, 8).float().mean(dim=0)
    assert shares.min() > 0.27 and shares.max() < 0.33


def test_every_step_drops_others_and_a_seed_repeats_them() -> None:
    def moved(seed: int) -> Tensor:
        weight = torch.zeros(1000, requires_grad=True)
        weight.grad = torch.ones(1000)
        optimiser = AdaBelief([weight])
        optimiser.dropout = torch.Generator().manual_seed(seed)
        optimiser.step()
        return weight.detach() != 0

    assert torch.equal(moved(1), moved(1)) and not torch.equal(moved(1), moved(2))


def test_steps_follow_the_formula_in_double_precision() -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(40, generator=draw, requires_grad=True)
    w, m, v = weight.detach().double(), torch.zeros(40).double(), torch.zeros(40).double()
    optimiser = AdaBelief([weight], lr=1e-2)
    for _ in range(20):
        weight.grad = torch.randn(40, generator=draw) * torch.logspace(-8, 0, 40)
        g = weight.grad.double()
        optimiser.step()
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * (g - m) ** 2
        w = w - 1e-2 * m / (v.sqrt() + 1e-6)
    torch.testing.assert_close(weight.detach().double(), w, atol=1e-5, rtol=1e-5)


def trained(model: nn.Module, optimiser: torch.optim.Optimizer, steps: range) -> list[Tensor]:
    """Weights after these steps; step k always sees the same batch."""
    for step in steps:
        x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        model(x).square().mean().backward()
        optimiser.step()
    return [p.detach().clone() for p in model.parameters()]


def small_model() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.1), nn.Conv2d(8, 2, 3))
    return model.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["adabelief", "rmsprop", "adamw"])
def test_continuing_from_saved_moments_equals_never_having_stopped(name: OptimizerName) -> None:
    model = small_model()
    whole = trained(model, make_optimizer(name, model.parameters()), range(6))

    model = small_model()
    params = dict(model.named_parameters())
    optimiser = make_optimizer(name, params.values())
    trained(model, optimiser, range(3))
    # Files hold plain rows: safetensors refuses channels-last.
    saved = {key: value.clone().contiguous() for key, value in state_by_name(optimiser, params).items()}
    resumed = make_optimizer(name, params.values())
    assert load_by_name(resumed, params, saved)
    for param in params.values():
        moments = [value for value in resumed.state[param].values() if value.dim()]
        assert all(value.stride() == param.stride() for value in moments)
    assert all(torch.equal(a, b) for a, b in zip(whole, trained(model, resumed, range(3, 6)), strict=True))


def test_moments_of_another_optimiser_are_not_taken() -> None:
    model = small_model()
    params = dict(model.named_parameters())
    first = make_optimizer("adabelief", params.values())
    trained(model, first, range(1))
    second = make_optimizer("rmsprop", params.values())
    assert not load_by_name(second, params, state_by_name(first, params)) and not second.state


def test_scaling_all_gradients_leaves_large_ones_their_step() -> None:
    steps = []
    for scale in (1.0, 8.0):
        weight = torch.zeros(3, requires_grad=True)
        weight.grad = scale * torch.tensor([0.5, -0.25, 1.0])
        AdaBelief([weight]).step()
        steps.append(weight.detach())
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-3, atol=0)


def test_parameters_without_a_gradient_stay() -> None:
    frozen, free = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    free.grad = torch.ones(2)
    optimiser = AdaBelief([frozen, free])
    optimiser.step()
    assert frozen.tolist() == [1, 1]
    assert (free < 1).all()
    assert frozen not in optimiser.state


@pytest.mark.parametrize("name", ["adabelief", "rmsprop"])
def test_a_large_weight_steps_like_its_parts_in_any_memory_layout(name: OptimizerName) -> None:
    values, gradients = torch.randn(2, 96, 64, 9, 11, generator=torch.Generator().manual_seed(0))

    def stepped(weight: Tensor, gradient: Tensor) -> Tensor:
        weight.requires_grad_()
        weight.grad = gradient
        optimiser = make_optimizer(name, [weight])
        for _ in range(2):
            optimiser.step()
        return weight.detach()

    def laid_out(value: Tensor) -> Tensor:
        return value.clone(memory_format=torch.channels_last)

    parts = torch.cat([stepped(v.clone(), g) for v, g in zip(values, gradients, strict=True)]).view_as(values)
    assert torch.equal(stepped(values.clone(), gradients), parts)
    assert torch.equal(stepped(laid_out(values), laid_out(gradients)), parts)
    assert torch.equal(stepped(laid_out(values), gradients), parts), "a gradient laid out otherwise"
