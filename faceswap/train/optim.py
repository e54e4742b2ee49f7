"""AdaBelief as DeepFaceLab trains with it (dfl-facts §8.5)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, overload

import torch
from torch import Tensor


class AdaBelief(torch.optim.Optimizer):
    """Steps are large where gradients agree with their mean (Zhuang et al. 2020, arXiv 2010.07468).

    m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·(g−m)²;  w ← w − lr·m / (√v + ε)

    No bias correction, so the first steps are several times lr; no weight decay. Scaling all gradients does
    not change a step until √v comes near ε, so one lr serves sums and means over a batch of any size.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 5e-5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Updates every parameter that has a gradient, in place."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for params in _passes([p for p in group["params"] if p.grad is not None]):
                states = [self._state_of(p) for p in params]
                means = [state["mean"] for state in states]
                variances = [state["variance"] for state in states]
                _update(params, means, variances, group["lr"], group["betas"], group["eps"])
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores `state_dict()`; the moments take their parameter's memory layout, which files lose."""
        super().load_state_dict(state_dict)
        for param, state in self.state.items():
            for name, value in state.items():
                state[name] = torch.empty_like(param, requires_grad=False).copy_(value)

    def _state_of(self, param: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[param]
        if not state:
            state["mean"], state["variance"] = torch.zeros_like(param), torch.zeros_like(param)
        return state


def _passes(params: list[Tensor]) -> Iterator[list[Tensor]]:
    # A GPU wants one launch for all; a CPU one tensor at a time, so that the temporary is small and still in
    # the cache when it is read (4 × faster on two cores than temporaries for 55 M weights at once).
    if all(p.device.type == "cpu" for p in params):
        yield from ([p] for p in params)
    else:
        yield params


def _update(
    params: list[Tensor],
    means: list[Tensor],
    variances: list[Tensor],
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> None:
    gradients = [p.grad for p in params if p.grad is not None]
    torch._foreach_lerp_(means, gradients, 1 - betas[0])
    scratch = torch._foreach_sub(gradients, means)
    torch._foreach_mul_(variances, betas[1])
    torch._foreach_addcmul_(variances, scratch, scratch, 1 - betas[1])
    torch._foreach_copy_(scratch, variances)
    torch._foreach_sqrt_(scratch)
    torch._foreach_add_(scratch, eps)
    torch._foreach_addcdiv_(params, means, scratch, -lr)
