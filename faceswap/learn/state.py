"""All of a training in one file: weights, their running average, optimiser and counters.

safetensors holds no checksum, so the digest of the tensors travels in its metadata.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import torch
from pydantic import BaseModel, Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from faceswap.errors import UserError
from faceswap.io.documents import Digest, DocumentError, Finite, fitted
from faceswap.io.files import atomic_path
from faceswap.learn import optimizers
from faceswap.learn.checkpoint import DamagedError, not_finite
from faceswap.learn.optimizers import decay_groups, running_mean
from faceswap.learn.stored import refuse_unfit

_ANEW = "delete it to start anew"
_MEAN_DECAY, _WEIGHT_DECAY = 0.9985, 0.02


@dataclass
class State:
    """What a training needs to go on: networks, optimiser, steps done, seconds spent, smoothed loss."""

    network: nn.Module
    average: AveragedModel
    optimizer: torch.optim.AdamW
    step: int = 0
    seconds: float = 0.0
    loss: float = 0.0
    saved_at_s: float = 0.0

    @classmethod
    def fresh(cls, network: nn.Module, rate: float) -> Self:
        """A training that has not begun; biases and normalisations are not decayed."""
        average = AveragedModel(network, multi_avg_fn=running_mean(_MEAN_DECAY), use_buffers=True)
        groups = decay_groups(network.named_parameters(), _WEIGHT_DECAY)
        return cls(network, average, torch.optim.AdamW(groups, lr=rate))

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes while training, by name."""
        named = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        named |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        named |= {f"optimizer.{name}": value for name, value in optimizers.to_tensors(self.optimizer).items()}
        return {name: value.detach().contiguous().clone() for name, value in named.items()}


@dataclass(frozen=True)
class StateFile:
    """Keeps a training in one file; each save hands the averaged network to `on_save`."""

    path: Path
    on_save: Callable[[nn.Module], None]

    def restore(self, state: State) -> None:
        """Fill `state` from the file, if there is one."""
        if self.path.is_file():
            load_state(self.path, state)

    def save(self, state: State) -> None:
        """Write the file, then call `on_save`."""
        save_state(self.path, state)
        self.on_save(state.average.module)

    def after_step(self, state: State, loss: float, seconds: float) -> bool:
        """Never ends a training before its schedule does."""
        return False


class _Metadata(BaseModel):
    digest: Digest
    step: Annotated[int, Field(ge=0, le=10**9)]
    seconds: Annotated[Finite, Field(ge=0)]
    loss: Finite


def save_state(path: Path, state: State) -> None:
    """Write the state to `path` atomically."""
    tensors = state.tensors()
    metadata = {"step": str(state.step), "seconds": repr(state.seconds), "loss": repr(state.loss)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata | {"digest": _digest(tensors)})


def load_state(path: Path, state: State) -> None:
    """Fill `state` from `path`; raises UserError where the file is damaged or of another network."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read", str(error), "delete it to train from the start") from None
    try:
        known = fitted(metadata, _Metadata)
    except DocumentError as error:
        raise UserError(f"{path} is damaged", str(error), _ANEW) from None
    if _digest(tensors) != known.digest:
        raise UserError(f"{path} is damaged", "its contents do not fit its digest", _ANEW)
    if odd := not_finite(tensors):
        raise UserError(f"{path} is damaged", odd, _ANEW)
    try:
        refuse_unfit(state.network.state_dict(), _part(tensors, "network."))
        refuse_unfit(state.average.state_dict(), _part(tensors, "average."))
        optimizers.check_tensors(state.optimizer, _part(tensors, "optimizer."))
    except DamagedError as error:
        raise UserError(f"{path} is of another network", str(error), _ANEW) from None
    state.network.load_state_dict(_part(tensors, "network."))
    state.average.load_state_dict(_part(tensors, "average."))
    optimizers.load_tensors(state.optimizer, _part(tensors, "optimizer."))
    state.step, state.seconds = known.step, known.seconds
    state.loss, state.saved_at_s = known.loss, known.seconds


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
