"""A network asked about many crops, so many at a time."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Crop = TypeVar("Crop")
Answer = TypeVar("Answer")


def in_batches(
    network: Callable[[Sequence[Crop]], list[Answer]], crops: Sequence[Crop], batch_size: int
) -> list[Answer]:
    """The answers to all crops, from batches that are filled up where crops are few.

    Libraries choose other kernels for other sizes, whose sums differ in the last bit: a frame that is merged
    again on its own must come out as it does among others.
    """
    answers: list[Answer] = []
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        filler = [batch[0]] * (batch_size - len(batch))
        answers += network([*batch, *filler])[: len(batch)]
    return answers
