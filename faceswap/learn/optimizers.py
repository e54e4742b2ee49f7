"""What any training does with weights and optimizers: decay, running mean, state as named tensors."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from faceswap.learn.checkpoint import DamagedError

_Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def decay_groups(
    named: Iterable[tuple[str, nn.Parameter]], weight_decay: float, exempt: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Parameters by name in an optimiser's groups: matrices decay, biases and norms do not.

    exempt: parts of the names of matrices that do not either, such as tokens and positions.
    """
    decaying: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in named:
        decays = parameter.dim() > 1 and not any(part in name for part in exempt)
        (decaying if decays else others).append(parameter)
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def running_mean(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """An update for AveragedModel: mean ← d · mean + (1 − d) · weights, d = min(decay, (1 + n)/(10 + n)).

    n: updates so far. Without the warm-up a thousand updates later the first, random weights still weigh a
    third of it (the schedule is that of TensorFlow's ExponentialMovingAverage). Counters are taken over.
    """

    @torch.no_grad()
    def update(means: _Tensors, weights: _Tensors, updates: Tensor | int) -> None:
        n = int(updates)
        if means[0].is_floating_point():
            torch._foreach_lerp_(means, weights, 1 - min(decay, (1 + n) / (10 + n)))
        else:
            torch._foreach_copy_(means, weights)

    return update


# Of AdamW, the only one that is stored so.
_KEYS = ("step", "exp_avg", "exp_avg_sq")
_NAME = re.compile(rf"([0-9]{{1,9}})/({'|'.join(_KEYS)})")
_MOST_STEPS = 1e9


def to_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of each parameter, `3/exp_avg` of the fourth."""
    state = optimizer.state_dict()["state"]
    return {f"{number}/{key}": value for number, item in state.items() for key, value in item.items()}


def check_tensors(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Raise DamagedError where `tensors` are not what `to_tensors` gives for these parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in tensors.items():
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) >= len(parameters) or not value.is_floating_point():
            raise DamagedError(f"its optimiser has no {name[:80]}")
        if match[2] == "step" and not (value.dim() == 0 and 0 <= float(value) <= _MOST_STEPS):
            raise DamagedError(f"its optimiser has counted impossible steps in {name}")
        if match[2] != "step" and value.shape != parameters[int(match[1])].shape:
            raise DamagedError(f"its optimiser's {name} is {tuple(value.shape)}")
        if match[2] == "exp_avg_sq" and bool((value < 0).any()):
            raise DamagedError(f"its optimiser's {name} is less than 0")
    if len({name.partition("/")[0] for name in tensors}) * len(_KEYS) != len(tensors):
        raise DamagedError("its optimiser lacks some of its moments")


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
