"""Networks that are trained against the model: one judges its faces (GAN), one its codes (true face)."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceswap.learn.checkpoint import DamagedError
from faceswap.learn.stored import refuse_unfit
from faceswap.models.arch import ModelSpec
from faceswap.models.blocks import initialise
from faceswap.models.conv import autocast
from faceswap.models.critics import CodeCritic, PatchCritic, patch_strides
from faceswap.train.distributed import Share
from faceswap.train.options import OptimizerName, StepOptions
from faceswap.train.update.optim import load_by_name, make_optimizer, state_by_name

NETWORKS: dict[str, Callable[..., nn.Module]] = {"true_face": CodeCritic, "gan": PatchCritic}


class Critic:
    """A network that tells real from made, and what it learns with.

    name: one of NETWORKS. plan: whole numbers that decide its wiring; one of another plan is another critic.
    dtype: of its arithmetic.
    """

    def __init__(
        self,
        name: str,
        plan: Sequence[int],
        optimizer: OptimizerName,
        device: torch.device,
        dtype: torch.dtype,
        memory_format: torch.memory_format,
        share: Share,
    ) -> None:
        self.plan, self._dtype = tuple(plan), dtype
        network = NETWORKS[name](*plan)
        initialise(network, torch.Generator().manual_seed(0))
        self.network = network.to(device).to(memory_format=memory_format)
        self.trained = share.wrap(self.network)
        self._params = dict(self.network.named_parameters())
        self.use(optimizer)
        self.updates = 0

    def use(self, optimizer: OptimizerName) -> None:
        """Learn by another optimiser, from scratch."""
        self.optimizer = make_optimizer(optimizer, self._params.values())

    def doubt(self, made: Tensor) -> Tensor:
        """() what it costs the model that `made` is not taken for real; the critic itself does not learn."""
        self.network.requires_grad_(False)
        answers = self._ask(self.network, made)
        self.network.requires_grad_(True)
        return _cross_entropy(answers, real=True)

    def learn(self, real: Tensor, made: Tensor, weight: float = 1.0) -> Tensor:
        """() its own loss for both kinds, (N, …) each; adds `weight` times that to its gradients."""
        answers = self._ask(self.trained, torch.cat((real.detach(), made.detach())))
        sizes = [len(real), len(made)]
        on_real, on_made = zip(*(torch.split(answer, sizes) for answer in answers), strict=True)
        loss = (_cross_entropy(on_real, real=True) + _cross_entropy(on_made, real=False)) / 2
        torch.autograd.backward(loss * weight)
        return loss.detach()

    def _ask(self, network: nn.Module, pictures: Tensor) -> tuple[Tensor, ...]:
        with autocast(pictures.device, self._dtype):
            answers: tuple[Tensor, ...] = network(pictures)
        return answers

    def tensors(self) -> dict[str, Tensor]:
        """Everything of it, for a checkpoint."""
        named = {f"weights/{name}": value for name, value in self.network.state_dict().items()}
        named |= {
            f"optimizer/{name}": value for name, value in state_by_name(self.optimizer, self._params).items()
        }
        return named | {"plan": torch.tensor(self.plan), "updates": torch.tensor(self.updates)}

    def load(self, saved: Mapping[str, Tensor]) -> bool:
        """Restore what `tensors` gave; False, and no change, where that is another critic."""
        if "plan" not in saved or saved["plan"].dim() != 1 or tuple(saved["plan"].tolist()) != self.plan:
            return False
        updates = saved.get("updates", torch.tensor(-1))
        if updates.dim() or updates.is_floating_point() or int(updates) < 0:
            return False
        try:
            refuse_unfit(self.network.state_dict(), _part(saved, "weights/"))
        except DamagedError:
            return False
        self.network.load_state_dict(_part(saved, "weights/"))
        load_by_name(self.optimizer, self._params, _part(saved, "optimizer/"))
        self.updates = int(updates)
        return True


class Critics(dict[str, Critic]):
    """The critics that the options ask for, by name."""

    def __init__(
        self,
        spec: ModelSpec,
        device: torch.device,
        dtype: torch.dtype,
        memory_format: torch.memory_format,
        share: Share,
    ) -> None:
        super().__init__()
        self._spec, self._how = spec, (device, dtype, memory_format, share)
        self._optimizer: OptimizerName = "adabelief"

    def change(self, options: StepOptions) -> list[str]:
        """Be those of `options`; returns sentences about who starts anew."""
        if options.optimizer != self._optimizer:
            self._optimizer = options.optimizer
            for critic in self.values():
                critic.use(options.optimizer)
        plans, notes = wanted_plans(options, self._spec), []
        for name in self.keys() - plans.keys():
            del self[name]
        for name, plan in plans.items():
            if name in self and self[name].plan == plan:
                continue
            if name in self:
                notes.append(_of_another_plan(name))
            self[name] = self._fresh(name, plan)
        return notes

    def tensors(self) -> dict[str, Tensor]:
        """All of each, for a checkpoint."""
        return {
            f"{name}/{key}": value for name, critic in self.items() for key, value in critic.tensors().items()
        }

    def load(self, saved: Mapping[str, Tensor]) -> list[str]:
        """Restore what `tensors` gave; who is not there or was another starts anew, the latter is told."""
        notes = []
        for name, critic in list(self.items()):
            own = _part(saved, f"{name}/")
            if not critic.load(own):
                self[name] = self._fresh(name, critic.plan)
                notes += [_of_another_plan(name)] if own else []
        return notes

    def _fresh(self, name: str, plan: Sequence[int]) -> Critic:
        return Critic(name, plan, self._optimizer, *self._how)


def wanted_plans(options: StepOptions, spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """The critics that `options` ask for, by name, with what decides their wiring."""
    plans: dict[str, tuple[int, ...]] = {}
    if options.true_face_power:
        plans["true_face"] = (spec.ae_dims, spec.resolution >> (3 + spec.arch.d + spec.arch.t))
    if options.gan_power:
        plans["gan"] = (options.gan_dims, *patch_strides(options.patch_px(spec.resolution)))
    return plans


def _cross_entropy(answers: Sequence[Tensor], real: bool) -> Tensor:
    """Σ over the maps of logits of their mean binary cross entropy."""
    # −log σ(x) and −log(1 − σ(x)).
    losses = [F.softplus(-answer.float() if real else answer.float()).mean() for answer in answers]
    return torch.stack(losses).sum()


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _of_another_plan(name: str) -> str:
    what = "patch size or dims" if name == "gan" else "sizes"
    return f"the critic of {name.replace('_', ' ')} has other {what} now and starts anew"
