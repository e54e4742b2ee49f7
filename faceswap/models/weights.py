"""What a training does with the weights of any network: which of them decay, and their running mean."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

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
