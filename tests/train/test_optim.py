"""AdaBelief against the golden values of dfl-facts §15.4, and its way through a checkpoint."""

import copy

import pytest
import torch
from torch import Tensor, nn

from faceswap.train.optim import AdaBelief


def test_three_steps_give_the_golden_weights() -> None:
    weight = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    weight.grad = torch.tensor([0.5, -0.25, 0.0])
    optimiser = AdaBelief([weight], lr=0.1)
    for golden in ((0.648660, -1.648685), (0.152332, -1.152383), (-0.454334, -0.545744)):
        optimiser.step()
        assert weight.tolist() == pytest.approx([*golden, 0.5], abs=5e-6)


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


def trained(model: nn.Module, optimiser: AdaBelief, steps: range) -> list[Tensor]:
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


def test_continuing_from_a_state_dict_equals_never_having_stopped() -> None:
    model = small_model()
    whole = trained(model, AdaBelief(model.parameters(), lr=1e-2), range(6))

    model = small_model()
    optimiser = AdaBelief(model.parameters(), lr=1e-2)
    trained(model, optimiser, range(3))
    state = copy.deepcopy(optimiser.state_dict())
    for moments in state["state"].values():
        # Files hold plain rows: safetensors refuses channels-last.
        moments.update({name: value.contiguous() for name, value in moments.items()})
    resumed = AdaBelief(model.parameters())
    resumed.load_state_dict(state)
    for param in model.parameters():
        assert all(value.stride() == param.stride() for value in resumed.state[param].values())
    assert all(torch.equal(a, b) for a, b in zip(whole, trained(model, resumed, range(3, 6)), strict=True))


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
