"""An optimiser's state as named tensors, for files that cannot run code."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer


def to_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of each parameter, `3/exp_avg` of the fourth."""
    state = optimizer.state_dict()["state"]
    return {f"{number}/{key}": value for number, item in state.items() for key, value in item.items()}


def load_tensors(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Take over what `to_tensors` gave for the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    # Fused updates walk through memory as it lies, so moments must lie as their weights do.
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            if value.shape == parameter.shape:
                moments[key] = torch.empty_like(parameter).copy_(value)
