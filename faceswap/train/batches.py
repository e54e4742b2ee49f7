"""Which faces the next iteration sees, fetched ahead of it.

Nothing here has a memory: the rows of a batch follow from the seed and from how many faces have been
trained on before it. So a checkpoint keeps one number, prefetched batches never count as seen, and a
continued run draws what an unbroken one would have drawn.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.train.samples import SampleStore
from faceswap.types import Side

_PREFETCHED = 3


def shuffled_rows(count: int, start: int, length: int, seed: int, side: Side) -> NDArray[np.int64]:
    """Entries start … start + length − 1 of an endless shuffled cycle over `count` rows.

    Every row comes once a cycle (dfl-facts §9.1); each cycle has its own order, from (seed, side, cycle).
    """
    cycles = range(start // count, (start + length - 1) // count + 1)
    number = list(Side).index(side)
    orders = [np.random.default_rng([seed, number, cycle]).permutation(count) for cycle in cycles]
    first = start - cycles.start * count
    return np.concatenate(orders)[first : first + length]


@dataclass(frozen=True)
class Batch:
    """Faces of both sides, (B, R, R, 4) uint8 RGB and mask, on the host."""

    src: Tensor
    dst: Tensor


@dataclass(frozen=True)
class Batches:
    """Draws batches from two stores. pinned: in memory from which a GPU can copy while it computes."""

    src: SampleStore
    dst: SampleStore
    batch_size: int
    seed: int
    pinned: bool = False

    def draw(self, seen: int) -> Batch:
        """The batch that follows after `seen` faces of each side."""
        return Batch(self._take(self.src, Side.SRC, seen), self._take(self.dst, Side.DST, seen))

    def follow(self, seen: int) -> Generator[Batch, None, None]:
        """Endlessly the batches after `seen` faces, drawn ahead by a thread that ends with the iterator."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                while True:
                    while len(waiting) < _PREFETCHED:
                        waiting.append(pool.submit(self.draw, seen))
                        seen += self.batch_size
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _take(self, store: SampleStore, side: Side, seen: int) -> Tensor:
        rows = shuffled_rows(len(store), seen, self.batch_size, self.seed, side)
        batch = torch.from_numpy(store.take(rows))
        return batch.pin_memory() if self.pinned else batch
