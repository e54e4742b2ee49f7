"""The training loop of a single network: AdamW, schedule, running average, resumable at any moment."""

import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from faceswap.console import progress_bar
from faceswap.learn.state import State
from faceswap.stopping import StopRequest

_WARM_UP = 0.02
_LAST_RATE = 0.01
# Without an end in sight, the rate rises over so many steps.
_WARM_UP_STEPS = 50


class Task(ABC):
    """One network to train; a batch depends on its random generator alone."""

    name: str
    rate: float
    network: nn.Module

    @abstractmethod
    def draw(self, random: np.random.Generator) -> Any:
        """The next batch, on the CPU."""

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """The scalar to lower."""


@dataclass(frozen=True)
class Schedule:
    """How long to train: `steps`, or `minutes` of training time where given; the seed of all draws.

    annealed: the rate falls to nearly nothing at the end. Otherwise it stays, and a training that was made
    longer later equals one that was always meant to last so long. workers: threads that draw batches ahead.
    save_every_s: training time between two saves.
    """

    steps: float = 20_000
    minutes: float = 0.0
    seed: int = 0
    annealed: bool = True
    workers: int = 0
    save_every_s: float = 180.0

    def done(self, step: int, seconds: float) -> float:
        """The fraction of the training that is over, in [0, 1]."""
        return min(1.0, seconds / (60 * self.minutes) if self.minutes else step / self.steps)

    def rate(self, done: float) -> float:
        """The learning rate's factor: a short linear rise, then half a cosine (Loshchilov & Hutter 2017)."""
        if done < _WARM_UP:
            return max(done / _WARM_UP, 0.02)
        along = (done - _WARM_UP) / (1 - _WARM_UP)
        return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * along)) / 2


class Checkpointer(Protocol):
    """Where the state of a training is kept between runs, and what is done as it goes."""

    def restore(self, state: State) -> None:
        """Fill `state` with what was kept, if anything was."""

    def save(self, state: State) -> None:
        """Keep `state`."""

    def after_step(self, state: State, loss: float, seconds: float) -> bool:
        """Called after every step with its loss and duration; True ends the training."""


def train(task: Task, keeper: Checkpointer, schedule: Schedule) -> nn.Module:
    """Train `task` from the state that is kept, if any, to the schedule's end; returns the averaged network.

    The state is saved every few minutes, at the end, and on Ctrl-C or SIGTERM, always between two
    steps. A batch depends only on (seed, step): with `steps`, stopping and continuing gives the same
    weights as never having stopped.
    """
    torch.manual_seed(schedule.seed)
    task.network.to(memory_format=torch.channels_last)
    state = State.fresh(task.network, task.rate)
    keeper.restore(state)
    state.saved_at_s = state.seconds
    with StopRequest() as stop:
        for finished in _steps(task, keeper, state, schedule):
            if stop.wanted or finished:
                break
            if state.seconds - state.saved_at_s > schedule.save_every_s:
                _save(keeper, state)
        _save(keeper, state)
        stop.raise_if_wanted()
    return state.average.module


def _save(keeper: Checkpointer, state: State) -> None:
    state.saved_at_s = state.seconds
    keeper.save(state)


def _steps(task: Task, keeper: Checkpointer, state: State, schedule: Schedule) -> Iterator[bool]:
    total = int(schedule.steps) if not schedule.minutes and math.isfinite(schedule.steps) else None
    with (
        progress_bar(f"train {task.name}", "steps", total, state.step) as bar,
        closing(_batches(task, schedule, state.step)) as batches,
    ):
        while (done := schedule.done(state.step, state.seconds)) < 1:
            start = time.monotonic()
            loss = _step(task, next(batches), state, schedule, done)
            seconds = time.monotonic() - start
            state.seconds += seconds
            state.loss += (loss - state.loss) * max(0.02, 1 / (state.step + 1))
            state.step += 1
            bar.set_postfix_str(_report(state, done), refresh=False)
            bar.update()
            yield keeper.after_step(state, loss, seconds)


def _report(state: State, done: float) -> str:
    if not done:
        return f"loss {state.loss:.4f}"
    left_min = state.seconds * (1 - done) / done / 60
    return f"loss {state.loss:.4f}, {done:.1%}, {left_min:.0f} min left"


def _batches(task: Task, schedule: Schedule, step: int) -> Generator[Any, None, None]:
    """Endlessly the batches from `step` on, drawn ahead by the schedule's workers."""

    def draw(step: int) -> Any:
        return task.draw(np.random.default_rng([schedule.seed, step]))

    if not schedule.workers:
        while True:
            yield draw(step)
            step += 1
    with ThreadPoolExecutor(schedule.workers, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Any]] = deque()
        try:
            while True:
                while len(waiting) < 2 * schedule.workers:
                    waiting.append(pool.submit(draw, step))
                    step += 1
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _step(task: Task, batch: Any, state: State, schedule: Schedule, done: float) -> float:
    task.network.train()
    rate = schedule.rate(done) if schedule.annealed else min(1.0, (state.step + 1) / _WARM_UP_STEPS)
    for group in state.optimizer.param_groups:
        group["lr"] = task.rate * rate
    state.optimizer.zero_grad(set_to_none=True)
    loss: Tensor = task.loss(batch)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(task.network.parameters(), 5.0)
    state.optimizer.step()
    state.average.update_parameters(task.network)
    return float(loss.detach())
