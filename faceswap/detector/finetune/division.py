"""Which pictures train, which pick the best weights, and which the finished model is asked about once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.console import say
from faceswap.detector.finetune.folders import TEST, TRAIN, UNUSED, VALIDATION, require_both, split
from faceswap.detector.finetune.prepare import Picture
from faceswap.detector.finetune.recipe import FolderRecipe
from faceswap.detector.network.model import LABELS


@dataclass(frozen=True, eq=False)
class Division:
    """Pictures and the side of each."""

    pictures: Sequence[Picture]
    sides: Sequence[str]

    def of(self, side: str) -> list[Picture]:
        return [self.pictures[row] for row in self.rows(side)]

    def rows(self, side: str) -> NDArray[np.int64]:
        return np.array([row for row, other in enumerate(self.sides) if other == side], np.int64)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many pictures each side has of each class."""
        used = [side for side in (TRAIN, VALIDATION, TEST, UNUSED) if side in set(self.sides)]
        found = {side: dict.fromkeys(LABELS.values(), 0) for side in used}
        for picture, side in zip(self.pictures, self.sides, strict=True):
            found[side][LABELS[picture.entry.label]] += 1
        return found

    @property
    def hash(self) -> str:
        """Stands for all files, their labels and their sides, whatever they are called."""
        rows = sorted(
            f"{picture.entry.sha256} {picture.frame} {picture.entry.label} {side}"
            for picture, side in zip(self.pictures, self.sides, strict=True)
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def labels_of(pictures: Sequence[Picture]) -> NDArray[np.int64]:
    """(N,) 1 = fake."""
    return np.array([picture.entry.label for picture in pictures], np.int64)


def groups_of(pictures: Sequence[Picture]) -> list[int]:
    """(N,) equal where pictures are of one person, clip or file."""
    return [picture.entry.group for picture in pictures]


def divide(pictures: Sequence[Picture], recipe: FolderRecipe, seed: int) -> Division:
    """Each side with its share of both classes, and nobody on two of them; what is where is said.

    Raises UserError where a side would lack a class.
    """
    labels, groups = labels_of(pictures), groups_of(pictures)
    sides = split(labels, groups, _shares(recipe, len(pictures)), seed)
    require_both(labels.tolist(), groups, sides)
    division = Division(pictures, sides)
    for side, count in division.counts.items():
        say(f"{side}: " + ", ".join(f"{number} {name}" for name, number in count.items()))
    return division


def _shares(recipe: FolderRecipe, count: int) -> dict[str, float]:
    if recipe.subset is None:
        return {TRAIN: 1 - recipe.held_out, VALIDATION: recipe.held_out / 2, TEST: recipe.held_out / 2}
    train, validation = recipe.subset
    wanted = train + 2 * validation
    if count < wanted:
        say(f"fewer than {wanted} pictures: all are used, {train} to {validation} to {validation}")
    whole = wanted if count < wanted else count
    shares = {TRAIN: train / whole, VALIDATION: validation / whole, TEST: validation / whole}
    return shares | ({UNUSED: 1 - wanted / count} if count > wanted else {})
