"""Two recipes from elsewhere for a user's own Real/ and Fake/ folder.

virtus    DeiT fine-tuned on Real/Fake faces (detection.md §1.2): turned by up to 90° either way,
          sharpened at random, minority repeated, rate 1e-6, two epochs, validated once an epoch
tutorial  a ViT on a small random subset (§1.4): 1,000 pictures, rate 2e-4, ten epochs, validated every ten
          updates, so that over-fitting can be watched

Two things are done otherwise. Virtus repeats the minority before it splits, so that copies of one picture
are on both sides, and picks its best epoch on the test set; here only the training side is balanced, and a
validation side picks, and nothing is chosen by the test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageEnhance

TURN_DEG, SHARPEN = 90.0, 2.0


@dataclass(frozen=True)
class FolderRecipe:
    """One way to fine-tune.

    warm_up: updates, at most a tenth of all. held_out: share kept from training, half to validate, half to
    test. subset: pictures to train on and to validate on, drawn at random, instead of all; as many test.
    evaluate_every: updates, None = an epoch. balance: each class as often as the larger one in every epoch.
    """

    name: str
    epochs: int
    learning_rate: float
    batch: int
    weight_decay: float
    warm_up: int
    balance: bool
    augment: bool
    held_out: float = 0.4
    subset: tuple[int, int] | None = None
    evaluate_every: int | None = None


RECIPES = {
    "virtus": FolderRecipe("virtus", 2, 1e-6, 32, 0.02, 50, balance=True, augment=True),
    "tutorial": FolderRecipe(
        "tutorial", 10, 2e-4, 16, 0.0, 0, balance=False, augment=False, subset=(1000, 200), evaluate_every=10
    ),
}


def epoch_order(labels: ArrayLike, balance: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which pictures an epoch shows, in order; labels: (N,).

    Each once; with `balance` those of the smaller class so often that both classes are shown equally often,
    no picture twice more often than another of its class. Only ever called with training labels.
    """
    y = np.asarray(labels, np.int64)
    if not balance:
        return rng.permutation(len(y))
    most = int(np.bincount(y).max())
    repeated = [np.resize(rng.permutation(np.flatnonzero(y == label)), most) for label in np.unique(y)]
    return rng.permutation(np.concatenate(repeated))


def augment(square: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Virtus's: turned by up to ±90° with black corners, and every other picture sharpened twofold.

    (S, S, 3) uint8 in and out. Nearest pixels and Pillow's sharpness, as torchvision's RandomRotation(90) and
    RandomAdjustSharpness(2) do it.
    """
    turned = Image.fromarray(square).rotate(rng.uniform(-TURN_DEG, TURN_DEG))
    if rng.random() < 0.5:
        turned = ImageEnhance.Sharpness(turned).enhance(SHARPEN)
    return np.array(turned)


def rate(recipe: FolderRecipe, iteration: int, iterations: int) -> float:
    """The learning rate of an update: up over the warm-up, then down to 0, both in a straight line.

    As transformers' Trainer schedules by default, which both sources used.
    """
    warm_up = min(recipe.warm_up, iterations // 10)
    if iteration < warm_up:
        return recipe.learning_rate * iteration / warm_up
    return recipe.learning_rate * (iterations - iteration) / (iterations - warm_up)
