"""One process leads a training and the others follow it, update by update.

What decides over a training happens in one place then: its schedule, its clock, signals, requests, the answer
to a collapse. A follower knows none of that. Before each update the leader says which one it is and by which
options; and where its weights were changed by anything but an update (a checkpoint that was loaded, parts
that were drawn anew) it hands all its tensors over.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import torch
from torch import Tensor

from faceswap.stopping import StopRequest
from faceswap.train.base import WEIGHTS
from faceswap.train.data.batches import Batch, Batches, Feed
from faceswap.train.options import StepOptions
from faceswap.train.run import Run
from faceswap.train.update.steps import Losses, TrainStep

_Parts = dict[str, dict[str, Tensor]]


class SharedStep(TrainStep):
    """A step of which every process has a share. The first one's leads: where it goes, the others follow."""

    _run: Run
    _known: tuple[int, ...] = ()

    def __call__(self, batch: Batch, seed: int, iteration: int) -> Losses:
        """See TrainStep."""
        if self._leads:
            self._announce(iteration)
        losses = super().__call__(batch, seed, iteration)
        self._known = self._versions()
        return losses

    @contextmanager
    def led(self, run: Run) -> Iterator[None]:
        """While entered the others do what is done to `run`. They notice where it breaks."""
        self._run = run
        try:
            yield
        except KeyboardInterrupt:
            self._release()
            raise
        self._release()

    @property
    def _leads(self) -> bool:
        return self.share.is_first and self.share.world > 1

    def _announce(self, iteration: int) -> None:
        parts = {} if self._versions() == self._known else _parts(self)
        described = [
            (part, name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape))
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        ]
        options, factor = self.options.model_dump(mode="json"), self.rate_factor
        word = {"iteration": iteration, "samples": self._run.samples, "tensors": described}
        self.share.send(json.dumps(word | {"options": options, "rate_factor": factor}))
        for part, name, *_ in described:
            # What is sent must lie in memory as it will lie there, without a layout of its own.
            self.share.copy(parts[part][name].detach().to(self.device).contiguous())

    def _release(self) -> None:
        if self._leads:
            self.share.send(json.dumps({"iteration": None}))

    def _versions(self) -> tuple[int, ...]:
        """Changes with every write into a weight."""
        return tuple(parameter._version for parameter in self.model.parameters())


def follow(step: TrainStep, batches: Batches, run: Run) -> None:
    """Do the leader's updates until it ends, whatever signals come here; those are for the leader."""
    with StopRequest(), closing(Feed(batches)) as feed:
        while (word := json.loads(step.share.receive()))["iteration"] is not None:
            options, factor = StepOptions.model_validate(word["options"]), word["rate_factor"]
            if (options, factor) != (step.options, step.rate_factor):
                step.change(options, factor)
            if word["tensors"]:
                _take(step, word["tensors"])
            step(feed.next(word["samples"], step.options), run.seed, word["iteration"])


def _parts(step: TrainStep) -> _Parts:
    return {WEIGHTS: step.model.state_dict(), **step.tensors()}


def _take(step: TrainStep, described: list[tuple[str, str, str, list[int]]]) -> None:
    """Receive the leader's tensors and put them in the place of one's own."""
    parts: _Parts = {}
    for part, name, kind, shape in described:
        tensor = torch.empty(shape, dtype=getattr(torch, kind), device=step.device)
        step.share.copy(tensor)
        parts.setdefault(part, {})[name] = tensor
    step.model.load_state_dict(parts.pop(WEIGHTS))
    step.load_tensors(parts)
