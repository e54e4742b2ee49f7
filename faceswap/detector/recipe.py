"""How a detector is trained: the arms that are compared, and their schedule."""

import math
from dataclasses import dataclass
from typing import Literal

Arm = Literal["scratch", "ssl+ft", "ssat"]


@dataclass(frozen=True)
class Recipe:
    """One way to train.

    arm: scratch = labels only; ssl+ft = masked reconstruction of reals first, then labels; ssat = both at
    once. patches: also say of every patch whether it is foreign. lambda_ and mask_ratio: SSAT's.
    pairs: reals and fakes each in a batch. ssl_share: part of the time that ssl+ft reconstructs.
    real_weight: of the weighted cross-entropy (the paper's equation 3), None = plain.
    normalise_patches: reconstruct patches less their mean and deviation. tail_at: iterations after which the
    tail has its full strength; it starts at a quarter, because a network that has not found the traces yet
    never finds them where most pictures are blurred.
    """

    arm: Arm = "ssat"
    patches: bool = True
    lambda_: float = 0.1
    patch_weight: float = 2.0
    mask_ratio: float = 0.75
    normalise_patches: bool = False
    pairs: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    ema: float = 0.999
    ssl_share: float = 0.4
    real_weight: float | None = None
    tail_at: int = 6000

    @property
    def reconstructs(self) -> bool:
        """Whether this arm has a decoder."""
        return self.arm != "scratch"

    def weights(self, progress: float) -> tuple[float, float]:
        """Of (label and patches, reconstruction) at `progress` in [0, 1] of the training."""
        if self.arm == "ssat":
            return self.lambda_, 1 - self.lambda_
        if self.arm == "ssl+ft" and progress < self.ssl_share:
            return 0.0, 1.0
        return 1.0, 0.0

    def strength(self, iteration: int) -> float:
        """Of the tail of batch `iteration`, in [¼, 1]."""
        return min(1.0, 0.25 + 0.75 * iteration / self.tail_at) if self.tail_at else 1.0

    def rate(self, progress: float) -> float:
        """Learning rate: linear from 0 over `warm_up`, then half a cosine to a thousandth of the peak."""
        start = self.ssl_share if self.arm == "ssl+ft" else 0.0
        # Each phase of ssl+ft has a schedule of its own, as two trainings would have.
        begin, end = (start, 1.0) if progress >= start else (0.0, start)
        within = (progress - begin) / (end - begin)
        peak = self.learning_rate * math.sqrt(2 * self.pairs / 64)
        if within < self.warm_up:
            return peak * within / self.warm_up
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, (within - self.warm_up) / (1 - self.warm_up))))
        return peak * (1e-3 + (1 - 1e-3) * cosine)
