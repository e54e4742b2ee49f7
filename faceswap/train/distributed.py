"""One training in several processes, on the GPUs of one machine or of several, started by torchrun.

    torchrun --nproc-per-node 4 -m stages.train --workspace DIR …

Every process draws the same global batch from seed and iteration, computes its rows of it, and takes the
mean of everybody's gradients (torch's DistributedDataParallel). So the weights stay equal everywhere and are
those of one process with the whole batch, but for rounding. The first process alone prints, writes and
decides; the others do what it says (`faceswap.train.follow`).
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from faceswap.console import silence
from faceswap.errors import UserError

D = TypeVar("D")


@dataclass(frozen=True)
class Share:
    """The part that process number `rank` of `world` has in a training; by default all of it."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Which of the `count` rows of a global batch this process computes; `check` says if it can."""
        return slice(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def of(self, drawn: D) -> D:
        """This process's rows of a dataclass or a mapping of tensors, a row for each face, or None."""
        if isinstance(drawn, dict):
            return {name: value[self.rows(len(value))] for name, value in drawn.items()}  # type: ignore[return-value]
        values = (getattr(drawn, field.name) for field in fields(drawn))  # type: ignore[arg-type]
        return type(drawn)(*(value if value is None else value[self.rows(len(value))] for value in values))

    def within(self, part: "Share") -> "Share":
        """A part of this share, as a share of the whole."""
        return Share(self.rank * part.world + part.rank, self.world * part.world)

    def check(self, batch_size: int) -> None:
        """Raise UserError where a batch cannot be divided evenly."""
        if batch_size % self.world:
            low = batch_size // self.world * self.world
            raise UserError(
                f"--batch-size {batch_size} cannot be divided among {self.world} processes",
                "it counts the faces of all of them together",
                f"type --batch-size {low or self.world} or --batch-size {low + self.world}",
            )

    def wrap(self, network: nn.Module) -> nn.Module:
        """`network` as it is called in training: its gradients are then the mean over all processes.

        Its parameters are made equal to those of the first process; each must have a part in every loss.
        """
        if self.world == 1:
            return network
        return DistributedDataParallel(network, gradient_as_bucket_view=True)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of `values`, float, over all processes."""
        if self.world > 1:
            values = values.detach().clone()
            dist.all_reduce(values)
            values /= self.world
        return values

    def send(self, text: str) -> None:
        """From the first process to the others, which `receive` it."""
        content = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        dist.broadcast(torch.tensor(len(content)), 0)
        dist.broadcast(content, 0)

    def receive(self) -> str:
        """What the first process sends; waits for it."""
        length = torch.tensor(0)
        dist.broadcast(length, 0)
        content = torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(content, 0)
        return bytes(content.tolist()).decode()

    def copy(self, tensor: Tensor) -> None:
        """Make `tensor` of all processes the first one's, in place."""
        if self.world > 1:
            dist.broadcast(tensor, 0)

    def agree(self, known: str, *more: str) -> None:
        """Raise UserError in all processes unless all know the same and more."""
        digest = int.from_bytes(hashlib.sha256(repr((known, more)).encode()).digest()[:7])
        if self._most(digest) != -self._most(-digest):
            raise UserError(
                "the processes do not train the same model on the same faces",
                f"process {self.rank} of {self.world} has {known}",
                "give all machines the same files: workspace and model on a folder they share",
            )

    @contextmanager
    def first(self) -> Iterator[None]:
        """The first process does what follows before the others: they find the files that it made."""
        if not self.is_first:
            self._most(0)
        yield
        if self.is_first:
            self._most(0)

    def _most(self, value: int) -> int:
        """The greatest `value` of all processes; waits for them."""
        if self.world == 1:
            return value
        most = torch.tensor(value)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return int(most)


ALONE = Share()


@contextmanager
def unshared(*networks: nn.Module) -> Iterator[None]:
    """While entered gradients of wrapped networks stay this process's own; the next ones take them along."""
    with ExitStack() as stack:
        for network in networks:
            if isinstance(network, DistributedDataParallel):
                stack.enter_context(network.no_sync())
        yield


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Share, torch.device]]:
    """Join the processes that torchrun started, or be alone; gives this one's share and its own device.

    Raises UserError where there are more processes than GPUs, and, in all others, when one of them ends.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Share(), device
        return
    rank = int(os.environ["RANK"])
    if rank:
        silence()
    device = _own(device, int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Share(rank, world), device
    except RuntimeError as error:
        if not is_loss_of_a_peer(error):
            raise
        raise UserError(
            f"another process of this training has ended, so process {rank} of {world} ends too",
            "what the other one said stands above",
            "the same command continues from the last save",
        ) from None
    finally:
        dist.destroy_process_group()


def _own(device: torch.device, local_rank: int) -> torch.device:
    if device.type != "cuda":
        return device
    count = torch.cuda.device_count()
    if local_rank >= count:
        found = f"this is number {local_rank + 1} on this machine"
        raise UserError(f"there are {count} GPUs for more processes", found, f"--nproc-per-node {count}")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def is_loss_of_a_peer(error: BaseException) -> bool:
    """Whether another process of this training is gone."""
    # gloo raises bare RuntimeErrors that name its source files.
    gloo = isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    return isinstance(error, dist.DistError) or gloo
