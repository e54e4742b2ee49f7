"""The batches of a training, drawn ahead, by the options that hold."""

from collections.abc import Generator
from dataclasses import replace

from faceswap.train.batches import Batch, Batches
from faceswap.train.options import StepOptions


class Feed:
    """Gives one batch after another; `close` ends the threads that draw them."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._drawn: Generator[Batch, None, None] | None = None

    def next(self, seen: int, options: StepOptions) -> Batch:
        """The batch after `seen` faces; calls go on where the one before ended unless the options changed."""
        if self._drawn is None or options != self._batches.options:
            self.close()
            self._batches = replace(self._batches, options=options)
            self._drawn = self._batches.follow(seen)
        return next(self._drawn)

    def close(self) -> None:
        if self._drawn is not None:
            self._drawn.close()
