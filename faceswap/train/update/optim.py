"""What turns gradients into steps (deepfacelab.md §8.5), and its way through a checkpoint."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor

from faceswap.train.options import OptimizerName

# Of 256: the share of weights that learning-rate dropout lets step, 30 %.
_KEPT_BYTES = 77
_COSINE_ITERATIONS = 500
# Weights that a CPU updates at a time; whole words of 8, which learning-rate dropout draws by.
_SLICE = 2**18

Named = Mapping[str, Tensor]
# Moments that are means of squares, and more steps than any training has.
_SQUARES = frozenset({"variance", "square", "exp_avg_sq"})
_MOST_STEPS = 1e9


class _Scaled(torch.optim.Optimizer):
    """w ← w − lr · numerator / (root + ε), no bias correction and no weight decay.

    dropout: what draws which 30 % of the weights the next step moves (learning-rate dropout; the moments
    follow all gradients); None moves all.
    """

    moments: ClassVar[tuple[str, ...]]
    dropout: torch.Generator | None = None

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
            params = [p for p in group["params"] if p.grad is not None]
            for part in _passes([(p, p.grad, *self._state_of(p).values()) for p in params]):
                values, gradients, *rest = map(list, zip(*part, strict=True))
                numerators, scratch = self._scale(
                    gradients, dict(zip(self.moments, rest, strict=True)), group
                )
                torch._foreach_sqrt_(scratch)
                torch._foreach_add_(scratch, group["eps"])
                if self.dropout is not None:
                    _let_few_step(scratch, self.dropout)
                torch._foreach_addcdiv_(values, numerators, scratch, -group["lr"])
        return loss

    @abstractmethod
    def _scale(
        self, gradients: list[Tensor], moments: dict[str, list[Tensor]], group: dict[str, Any]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Update the moments; returns the numerators, and the roots' squares in memory to write to."""

    def _state_of(self, param: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[param]
        if not state:
            state.update({name: torch.zeros_like(param) for name in self.moments})
        return state


class AdaBelief(_Scaled):
    """Steps are large where gradients agree with their mean (Zhuang et al. 2020, arXiv 2010.07468).

    m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·(g−m)²;  w ← w − lr·m / (√v + ε)

    No bias correction, so the first steps are several times lr; no weight decay. Scaling all gradients does
    not change a step until √v comes near ε, so one lr serves sums and means over a batch of any size.
    """

    moments = ("mean", "variance")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 5e-5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def _scale(
        self, gradients: list[Tensor], moments: dict[str, list[Tensor]], group: dict[str, Any]
    ) -> tuple[list[Tensor], list[Tensor]]:
        means, variances, betas = moments["mean"], moments["variance"], group["betas"]
        torch._foreach_lerp_(means, gradients, 1 - betas[0])
        scratch = list(torch._foreach_sub(gradients, means))
        torch._foreach_mul_(variances, betas[1])
        torch._foreach_addcmul_(variances, scratch, scratch, 1 - betas[1])
        torch._foreach_copy_(scratch, variances)
        return means, scratch


class RMSprop(_Scaled):
    """Steps of the gradient over its running size: a ← ρ·a + (1−ρ)·g²;  w ← w − lr·g / (√a + ε).

    DeepFaceLab's: ε after the root as in torch's, but ρ = 0.9 and ε = 1e-6. Half of AdaBelief's memory.
    """

    moments = ("square",)

    def __init__(
        self, params: Iterable[Tensor], lr: float = 5e-5, rho: float = 0.9, eps: float = 1e-6
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps})

    def _scale(
        self, gradients: list[Tensor], moments: dict[str, list[Tensor]], group: dict[str, Any]
    ) -> tuple[list[Tensor], list[Tensor]]:
        squares, rho = moments["square"], group["rho"]
        torch._foreach_mul_(squares, rho)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - rho)
        return gradients, [square.clone() for square in squares]


class AdamW(torch.optim.AdamW):
    """torch's, fused; its bias correction and decoupled weight decay are not DeepFaceLab's."""

    moments = ("step", "exp_avg", "exp_avg_sq")
    # Learning-rate dropout is for the others: `StepOptions.check`.
    dropout: torch.Generator | None = None

    def __init__(self, params: Iterable[Tensor], lr: float = 5e-5) -> None:
        super().__init__(params, lr=lr, fused=True)


Optimizer: TypeAlias = AdaBelief | RMSprop | AdamW

_KINDS: dict[OptimizerName, type[Optimizer]] = {
    "adabelief": AdaBelief, "rmsprop": RMSprop, "adamw": AdamW,
}  # fmt: skip


def make_optimizer(name: OptimizerName, params: Iterable[Tensor]) -> Optimizer:
    """The optimiser by its name."""
    return _KINDS[name](params)


def cosine_factor(counter: int) -> float:
    """(cos(2π · counter / 500) + 1) / 2, what learning-rate dropout scales its step by."""
    return (math.cos(2 * math.pi * counter / _COSINE_ITERATIONS) + 1) / 2


def state_by_name(optimizer: Optimizer, params: Named) -> dict[str, Tensor]:
    """The moments by parameter, `mean/decoder.up0.conv1.weight`, for a checkpoint."""
    return {
        f"{moment}/{name}": value
        for name, param in params.items()
        for moment, value in optimizer.state.get(param, {}).items()
    }


def load_by_name(optimizer: Optimizer, params: Named, saved: Named) -> bool:
    """Restore what `state_by_name` gave; parameters whose moments are not all there start afresh.

    Returns whether anything was there to take. The moments take their parameter's memory layout, which
    files lose.
    """
    optimizer.state.clear()
    for name, param in params.items():
        found = {moment: saved.get(f"{moment}/{name}") for moment in optimizer.moments}
        whole = {moment: value for moment, value in found.items() if value is not None}
        if len(whole) == len(found) and all(_fits(*item, param) for item in whole.items()):
            optimizer.state[param] = {moment: _laid_out_as(param, value) for moment, value in whole.items()}
    return bool(optimizer.state)


def _fits(moment: str, value: Tensor, param: Tensor) -> bool:
    """Whether a value can be a moment of a parameter: a counter, or a mean of its shape."""
    if not value.is_floating_point():
        return False
    if moment == "step":
        return value.dim() == 0 and 0 <= float(value) <= _MOST_STEPS
    return value.shape == param.shape and not (moment in _SQUARES and bool((value < 0).any()))


def _laid_out_as(param: Tensor, value: Tensor) -> Tensor:
    if value.dim() == 0:
        return value.to(param.device, copy=True)
    return torch.empty_like(param, requires_grad=False).copy_(value)


def _passes(params: list[tuple[Tensor, ...]]) -> Iterator[list[tuple[Tensor, ...]]]:
    """Parameters with their gradients and moments, as many as are best updated at once.

    A GPU wants one launch for all. A CPU wants little enough that it is still in the cache from one operation
    to the next: 55 M weights take 49 ms on two cores, 74 ms by whole tensors, four times that all at once.
    """
    if any(value.device.type != "cpu" for tensors in params for value in tensors):
        yield params
        return
    for tensors in params:
        if len({value.stride() for value in tensors}) > 1:
            yield [tensors]
            continue
        flat = [value.as_strided((value.numel(),), (1,)) for value in tensors]
        for begin in range(0, len(flat[0]), _SLICE):
            yield [tuple(value[begin : begin + _SLICE] for value in flat)]


def _let_few_step(denominators: list[Tensor], generator: torch.Generator) -> None:
    """Make seven of ten denominators infinite."""
    for denominator in denominators:
        # Whole words of random bits: a sixth of the time of one Bernoulli draw a weight.
        words = torch.empty(-(-denominator.numel() // 8), dtype=torch.int64, device=denominator.device)
        words.random_(-(2**63), None, generator=generator)
        bytes_ = words.view(torch.uint8).as_strided(denominator.shape, denominator.stride())
        # Divided by 1 or 0: four times as fast on a CPU as filling by a mask of booleans.
        denominator.div_(torch.lt(bytes_, _KEPT_BYTES, out=torch.empty_like(denominator)))
