"""The training loop: AdamW, cosine schedule, running average of the weights, resumable at any moment."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from faceswap.console import progress_bar
from faceswap.facepack.state import State, load_state, save_state
from faceswap.facepack.tasks import Task
from faceswap.stopping import StopRequest

_WARM_UP = 0.02
_LAST_RATE = 0.01
_SAVE_EVERY_S = 180.0


@dataclass(frozen=True)
class Schedule:
    """How long to train: `steps`, or `minutes` of training time where given; the seed of all draws."""

    steps: int = 20_000
    minutes: float = 0.0
    seed: int = 0

    def done(self, step: int, seconds: float) -> float:
        """The fraction of the training that is over, in [0, 1]."""
        return min(1.0, seconds / (60 * self.minutes) if self.minutes else step / self.steps)

    def rate(self, done: float) -> float:
        """The learning rate's factor: a short linear rise, then half a cosine (Loshchilov & Hutter 2017)."""
        if done < _WARM_UP:
            return max(done / _WARM_UP, 0.02)
        along = (done - _WARM_UP) / (1 - _WARM_UP)
        return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * along)) / 2


def train(task: Task, path: Path, schedule: Schedule, on_save: Callable[[nn.Module], None]) -> nn.Module:
    """Train `task` from the state at `path`, if any, to the schedule's end; returns the averaged network.

    The state is saved every three minutes, at the end, and on Ctrl-C or SIGTERM, always between two
    steps; each save hands the averaged network to `on_save`. A batch depends only on (seed, step):
    with `steps`, stopping and continuing gives the same weights as never having stopped.
    """
    torch.manual_seed(schedule.seed)
    task.network.to(memory_format=torch.channels_last)
    state = State.fresh(task.network, task.rate)
    if path.is_file():
        load_state(path, state)
    with StopRequest() as stop:
        for _ in _steps(task, state, schedule):
            if stop.wanted:
                break
            if state.seconds - state.saved_at_s > _SAVE_EVERY_S:
                _save(path, state, on_save)
        _save(path, state, on_save)
        stop.raise_if_wanted()
    return state.average.module


def _save(path: Path, state: State, on_save: Callable[[nn.Module], None]) -> None:
    state.saved_at_s = state.seconds
    save_state(path, state)
    on_save(state.average.module)


def _steps(task: Task, state: State, schedule: Schedule) -> Iterator[int]:
    total = schedule.steps if not schedule.minutes else None
    with progress_bar(f"train {task.name}", "steps", total, state.step) as bar:
        while (done := schedule.done(state.step, state.seconds)) < 1:
            start = time.monotonic()
            loss = _step(task, state, schedule, done)
            state.seconds += time.monotonic() - start
            state.loss += (loss - state.loss) * max(0.02, 1 / (state.step + 1))
            state.step += 1
            left_min = state.seconds * (1 - done) / max(done, 1e-9) / 60
            bar.set_postfix_str(f"loss {state.loss:.4f}, {done:.1%}, {left_min:.0f} min left", refresh=False)
            bar.update()
            yield state.step


def _step(task: Task, state: State, schedule: Schedule, done: float) -> float:
    random = np.random.default_rng([schedule.seed, state.step])
    batch = task.draw(random)
    task.network.train()
    for group in state.optimizer.param_groups:
        group["lr"] = task.rate * schedule.rate(done)
    state.optimizer.zero_grad(set_to_none=True)
    loss: Tensor = task.loss(batch)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(task.network.parameters(), 5.0)
    state.optimizer.step()
    state.average.update_parameters(task.network)
    return float(loss.detach())
