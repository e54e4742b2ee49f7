"""An optimiser's state on its way into a file and back."""

import pytest
import torch
from torch import nn

from faceswap.learn import optimizers as moments


def trained(fused: bool, layout: torch.memory_format) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = nn.Conv2d(4, 6, 3).to(memory_format=layout)  # type: ignore[call-overload]
    return network, torch.optim.AdamW(network.parameters(), lr=0.1, fused=fused)


def update(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    batch = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    network(batch).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_updates_go_on_bit_for_bit(fused: bool, layout: torch.memory_format) -> None:
    network, optimizer = trained(fused, layout)
    for seed in range(3):
        update(network, optimizer, seed)
    # A file holds values in row-major order, whatever their layout was.
    kept = {name: value.contiguous().clone() for name, value in moments.to_tensors(optimizer).items()}
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    again, other = trained(fused, layout)
    again.load_state_dict(weights)
    moments.load_tensors(other, kept)
    for seed in range(3, 6):
        update(network, optimizer, seed)
        update(again, other, seed)
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
