"""A comparison of noise faces whose middle is smooth, and made-up scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from faceswap.detector.data.pairs import Pair, Seen
from faceswap.detector.network.files import Card
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import build
from faceswap.detector.selftest.findings import Figure, Headline
from faceswap.detector.selftest.report import about
from faceswap.detector.selftest.selftest import SelfTest, clip_score, run_selftest
from faceswap.detector.selftest.timeline import Row, Timeline
from tests.detector.toy_set import SPEC

CARD = Card(thresholds={"0.05": 0.5}, training={"data": {"noise": "ours"}, "pictures": 7})
BOX = (0.0, 0.0, 1.0, 1.0)


def make_pair(name: str, seed: int, face: int = 0) -> Pair:
    """A noise face whose middle is replaced by smooth colour."""
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    fake, mask = real.copy(), np.zeros((64, 64), np.float32)
    fake[16:48, 16:48], mask[16:48, 16:48] = 127, 1
    return Pair(name, face, real, fake, mask, rng.uniform(10, 50, (68, 2)).astype(np.float32))


@dataclass
class Toys:
    """A comparison of so many frames; faces: how many each has, damaged: those that cannot be read."""

    frames: int
    name: str = "{:05d}"
    faces: Callable[[int], int] = lambda _: 1
    damaged: Sequence[int] = ()

    def seen(self, every: int = 1) -> Iterator[Seen]:
        for index in range(0, self.frames, every):
            name = self.name.format(index)
            pairs = [make_pair(name, 1000 * face + index, face) for face in range(self.faces(index))]
            small = np.zeros((36, 64, 3), np.uint8)
            yield (
                Seen(name, [], "it is cut short") if index in self.damaged else Seen(name, pairs, "", small)
            )

    def count(self, every: int = 1) -> tuple[int, int]:
        taken = range(0, self.frames, every)
        return len(taken), sum(self.faces(index) for index in taken)

    def describe(self) -> dict[str, object]:
        return {"kind": "frames", "untouched": self.frames, "finished": self.frames}


def judge() -> Judge:
    return Judge(build(SPEC, 1))


def run(toys: Toys, card: Card = CARD, every: int = 1) -> SelfTest:
    return run_selftest(toys, judge(), card, about(Path("toy"), card, "0" * 64), every)


def timeline(real: Sequence[float], fake: Sequence[float]) -> Timeline:
    """One face a frame with these scores."""
    rows = [
        Row(str(n), n, 0, one, other, BOX, 1, 0, 0)
        for n, (one, other) in enumerate(zip(real, fake, strict=True))
    ]
    return Timeline([row.frame for row in rows], rows)


def figure(value: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(value, low, high, 9)


def head_of(auc: Figure, usable: int = 100) -> Headline:
    score = replace(clip_score(np.full(usable, 0.7)), usable=usable)
    return Headline(auc, figure(0.8, 0.7, 0.9), figure(0.04, 0.0, 0.1), 0.5, 0.05, score, score)
