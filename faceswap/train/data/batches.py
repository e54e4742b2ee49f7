"""Which faces the next iteration sees, fetched ahead of it.

Nothing here has a memory: the rows of a batch follow from the seed and from how many faces have been
trained on before it. So a checkpoint keeps one number, prefetched batches never count as seen, and a
continued run draws what an unbroken one would have drawn.
"""

import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.augment.color import recolour
from faceswap.train.data.samples import SampleStore
from faceswap.train.data.sampling import (
    recolouring_rng,
    reference_rows,
    shuffled_rows,
    uniform_yaw_rows,
    yaw_bins,
)
from faceswap.train.distributed import ALONE, Share
from faceswap.train.options import DEFAULTS, StepOptions
from faceswap.types import Side

_PREFETCHED = 3
# Batches after which what they have read of the stores is let go: else all of them come to lie in memory.
_RELEASED_EVERY = 50


@dataclass(frozen=True)
class Batch:
    """Faces of both sides on the host, uint8: (B, R, R, 4) RGB and mask.

    src_eyes_mouth, dst_eyes_mouth: (B, 128, 128) their masks of eyes and mouth, where asked for.
    """

    src: Tensor
    dst: Tensor
    src_eyes_mouth: Tensor | None = None
    dst_eyes_mouth: Tensor | None = None


@dataclass(frozen=True)
class Batches:
    """Draws batches from two stores.

    batch_size: faces of each side an iteration. share: which rows of them this process has.
    pinned: in memory from which a GPU can copy while it computes.
    options: those in effect.
    """

    src: SampleStore
    dst: SampleStore
    batch_size: int
    seed: int
    pinned: bool = False
    share: Share = ALONE
    options: StepOptions = DEFAULTS

    def draw(self, seen: int) -> Batch:
        """The batch that follows after `seen` faces of each side."""
        own = self.share.rows(self.batch_size)
        src_rows, dst_rows = (self._rows(side, seen)[own] for side in Side)
        src, dst = self.src.take(src_rows), self.dst.take(dst_rows)
        if self.options.color_transfer != "none":
            self._recolour(src, seen, own)
        batch = Batch(self._tensor(src), self._tensor(dst))
        if not self.options.eyes_mouth_priority:
            return batch
        masks = self.src.eyes_mouth(src_rows), self.dst.eyes_mouth(dst_rows)
        return Batch(batch.src, batch.dst, *map(self._tensor, masks))

    def follow(self, seen: int) -> Generator[Batch, None, None]:
        """Endlessly the batches after `seen` faces, drawn ahead by threads that end with the iterator."""
        # Colours are the only work worth sharing: batches do not depend on one another.
        threads = 1 if self.options.color_transfer == "none" else max(1, (os.cpu_count() or 1) // 2)
        with ThreadPoolExecutor(threads, thread_name_prefix="batches") as pool:
            waiting: deque[Future[Batch]] = deque()
            drawn = 0
            try:
                while True:
                    while len(waiting) < _PREFETCHED + threads - 1:
                        waiting.append(pool.submit(self.draw, seen))
                        seen += self.batch_size
                    yield waiting.popleft().result()
                    drawn += 1
                    if drawn % _RELEASED_EVERY == 0:
                        self.src.release()
                        self.dst.release()
            finally:
                pool.shutdown(cancel_futures=True)

    def _rows(self, side: Side, seen: int) -> NDArray[np.int64]:
        if self.options.uniform_yaw:
            return uniform_yaw_rows(self._bins[side], seen, self.batch_size, self.seed, side)
        return shuffled_rows(len(self._store(side)), seen, self.batch_size, self.seed, side)

    @cached_property
    def _bins(self) -> dict[Side, list[NDArray[np.int64]]]:
        return {side: yaw_bins(self._store(side).yaws_rad()) for side in Side}

    def _store(self, side: Side) -> SampleStore:
        return self.src if side is Side.SRC else self.dst

    def _recolour(self, faces: NDArray[np.uint8], seen: int, own: slice) -> None:
        rows = reference_rows(len(self.dst), seen, self.batch_size, self.seed)[own]
        places = range(seen, seen + self.batch_size)[own]
        for face, reference, place in zip(faces, self.dst.take(rows), places, strict=True):
            recolour(face, reference, self.options.color_transfer, recolouring_rng(self.seed, place))

    def _tensor(self, values: NDArray[np.uint8]) -> Tensor:
        tensor = torch.from_numpy(values)
        return tensor.pin_memory() if self.pinned else tensor


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
