"""Batches for the detector: pairs of a real crop and a fake of the same frame, under one and the same tail.

Everything a batch holds follows from the seed and the iteration, so that a stopped training continues
with the batches it would have had.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceswap.augment.degrade import apply_tail, apply_tail_to_mask, draw_tail
from faceswap.detector.data.fakes import MANIPULATIONS, null_fake, turn
from faceswap.detector.data.manifest import Item
from faceswap.faceset.store import read_face
from faceswap.io.images import as_uint8, read_image, read_mask
from faceswap.types import Mask, Points

# Share of reals that went through a whole manipulation without a swap (detection.md §4.1).
NULL_SHARE = 0.15
# Donors among which the most alike is taken, and crops tried until one can be manipulated.
_DONORS, _TRIES = 3, 20
# Share of donors that are taken as an autoencoder has redrawn them, where it has.
_REDRAWN_SHARE = 0.3
# Pictures kept in memory, of each kind: at 160 px about 0.3 GB of crops.
_REMEMBERED = 4096

Array = TypeVar("Array", bound=NDArray[Any])


class DetectorBatch(NamedTuple):
    """crops (B, S, S, 3) uint8; labels (B,) int64, 1 fake; masks (B, S, S) float32, zero for reals.

    kinds (B,): the manipulation, of a real that of its twin. people (B,): whose frame it is.
    """

    crops: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.float32]
    kinds: tuple[str, ...]
    people: tuple[str, ...]


class Crop(NamedTuple):
    """A real crop (S, S, 3) uint8 and its landmarks (68, 2) in crop pixels."""

    picture: NDArray[np.uint8]
    landmarks: Points


class DrawnPair(NamedTuple):
    """A real crop, the fake of it with its mask (S, S), the manipulation, and whose frame it is."""

    real: Crop
    fake: NDArray[np.uint8]
    mask: Mask
    kind: str
    person: str


class Pairs(ABC):
    """Something that pairs can be drawn from.

    manipulations: the kinds of fakes among them. out_px: side of a batch's crops. null_share: part of the
    reals that went through a manipulation without a swap.
    """

    manipulations: Sequence[str]
    out_px: int
    null_share: float

    @abstractmethod
    def pair(self, rng: np.random.Generator) -> DrawnPair:
        """One pair as it is before the tail."""

    @abstractmethod
    def only(self, kind: str) -> "Pairs":
        """The same with one manipulation alone."""

    def batch(self, pairs: int, seed: int, iteration: int, strength: float = 1.0) -> DetectorBatch:
        """2 · `pairs` crops, each real followed by its fake. strength: of the tail, in [0, 1]."""
        rng = np.random.default_rng((seed, iteration))
        drawn = [self.pair(rng) for _ in range(pairs)]
        crops, masks = [], []
        for real, fake, mask, _, _ in drawn:
            untouched = real.picture
            if rng.random() < self.null_share:
                untouched = null_fake(rng, real.picture, real.landmarks).picture
            tail = draw_tail(rng, self.out_px, strength)
            crops += [apply_tail(tail, untouched), apply_tail(tail, fake)]
            masks += [np.zeros((self.out_px, self.out_px), np.float32), apply_tail_to_mask(tail, mask)]
        labels = np.tile(np.array([0, 1], np.int64), pairs)
        kinds = tuple(pair.kind for pair in drawn for _ in range(2))
        people = tuple(pair.person for pair in drawn for _ in range(2))
        return DetectorBatch(np.stack(crops), labels, np.stack(masks), kinds, people)


@dataclass(frozen=True, eq=False)
class KeptPairs(Pairs):
    """Pairs that are at hand, each drawn as often as any other; all of one manipulation."""

    kept: Sequence[DrawnPair]
    out_px: int
    null_share: float = NULL_SHARE

    @property
    def manipulations(self) -> Sequence[str]:  # type: ignore[override]
        return (self.kept[0].kind,)

    def pair(self, rng: np.random.Generator) -> DrawnPair:
        return self.kept[int(rng.integers(len(self.kept)))]

    def only(self, kind: str) -> "KeptPairs":
        if (kind,) != tuple(self.manipulations):
            raise ValueError(f"only {self.manipulations[0]} is at hand, not {kind}")
        return self


class _Pool(NamedTuple):
    """A collection: its people, who lends them faces, their stored fakes, how often it is drawn."""

    people: list[str]
    donors: list[str]
    stored: dict[str, list[Item]]
    weight: float


@dataclass(frozen=True, eq=False)
class PairSource(Pairs):
    """Draws pairs from the real crops and stored fakes of one split of a set.

    manipulations: names of fakes.MANIPULATIONS and of stored swaps; leave one out to hold it back.
    A collection is drawn as often as the square root of its crops, so that few people in video are not lost
    among many in photographs; of it people evenly, then their crops, so that nobody with many frames
    dominates. Donors come from the same collection, and some of them as an autoencoder has redrawn them:
    finished swaps by other programs are a decoder's picture of another person.
    """

    folder: Path
    items: Sequence[Item]
    manipulations: Sequence[str]
    out_px: int
    null_share: float = NULL_SHARE
    _by_person: dict[str, list[Item]] = field(init=False, default_factory=dict)
    _stored: dict[str, list[Item]] = field(init=False, default_factory=dict)
    _redrawn: dict[str, list[Item]] = field(init=False, default_factory=dict)
    _pools: list[_Pool] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        splits = {item.split for item in self.items}
        if len(splits) > 1:
            raise ValueError(f"a source draws from one split, not from {sorted(splits)}")
        for item in self.items:
            if item.is_fake:
                self._stored.setdefault(item.manipulation, []).append(item)
            else:
                self._by_person.setdefault(item.identity, []).append(item)
        unknown = set(self.manipulations) - MANIPULATIONS.keys() - self._stored.keys()
        if unknown:
            raise ValueError(f"no way to make {sorted(unknown)} from this set")
        if len(self._by_person) < 2:
            raise ValueError("a set needs real crops of at least two people")
        for kind in set(self.manipulations) & self._stored.keys():
            for item in self._stored[kind]:
                self._redrawn.setdefault(item.twin, []).append(item)
        names = {items[0].dataset for items in self._by_person.values()}
        self._pools.extend(self._pool(name) for name in sorted(names))

    def only(self, kind: str) -> "PairSource":
        return replace(self, manipulations=(kind,))

    def pair(self, rng: np.random.Generator) -> DrawnPair:
        kind, pool = self._draw_kind(rng), self._draw_pool(rng)
        if kind in self._stored:
            fakes = pool.stored.get(kind) or self._stored[kind]
            fake = fakes[rng.integers(len(fakes))]
            real = _read(self.folder / fake.twin)
            picture, mask = _read_fake(self.folder / fake.file), _read_mask(self.folder / fake.mask)
            return DrawnPair(real, picture, mask, kind, fake.identity)
        for _ in range(_TRIES):
            person = pool.people[rng.integers(len(pool.people))]
            real = _read(self.folder / self._one_of(person, rng).file)
            lenders = rng.permutation([name for name in pool.donors if name != person])[:_DONORS]
            donor = self._likest(real, [self._one_of(str(name), rng) for name in lenders], rng)
            made = MANIPULATIONS[kind](rng, real.picture, real.landmarks, donor.picture, donor.landmarks)
            # Where landmarks have failed nothing is swapped, and a fake without a forgery would be a lie.
            if made.mask.any():
                return DrawnPair(real, made.picture, made.mask, kind, person)
        raise ValueError(f"{_TRIES} crops in a row cannot be manipulated: their landmarks are no faces")

    def _pool(self, dataset: str) -> _Pool:
        people = [name for name, items in self._by_person.items() if items[0].dataset == dataset]
        # Who is alone in a collection borrows from all.
        donors = people if len(people) > 1 else list(self._by_person)
        stored = {
            kind: [item for item in items if item.dataset == dataset] for kind, items in self._stored.items()
        }
        return _Pool(people, donors, stored, sum(len(self._by_person[name]) for name in people) ** 0.5)

    def _draw_pool(self, rng: np.random.Generator) -> _Pool:
        weights = np.array([pool.weight for pool in self._pools])
        return self._pools[rng.choice(len(weights), p=weights / weights.sum())]

    def _draw_kind(self, rng: np.random.Generator) -> str:
        """Each manipulation as often as any other; ae-early and ae-late are varieties of one."""
        kinds = sorted({name.partition("-")[0] for name in self.manipulations})
        kind = kinds[rng.integers(len(kinds))]
        varieties = [name for name in self.manipulations if name.partition("-")[0] == kind]
        return varieties[rng.integers(len(varieties))]

    def _one_of(self, person: str, rng: np.random.Generator) -> Item:
        return self._by_person[person][rng.integers(len(self._by_person[person]))]

    def _likest(self, real: Crop, donors: Sequence[Item], rng: np.random.Generator) -> Crop:
        """The donor that is turned most like the real face: a profile on a frontal face fools nobody."""
        wanted = turn(real.landmarks)
        crops = [_read(self.folder / item.file) for item in donors]
        likest = int(np.argmin([abs(turn(crop.landmarks) - wanted) for crop in crops]))
        redrawn = self._redrawn.get(donors[likest].file)
        if not redrawn or rng.random() >= _REDRAWN_SHARE:
            return crops[likest]
        picture = _read_fake(self.folder / redrawn[rng.integers(len(redrawn))].file)
        return Crop(picture, crops[likest].landmarks)


# A crop is drawn hundreds of times in a training, and decoding it is a third of making a pair.
@lru_cache(_REMEMBERED)
def _read(path: Path) -> Crop:
    picture, meta = read_face(path)
    return Crop(_still(as_uint8(picture)), _still(meta.crop_landmarks()))


@lru_cache(_REMEMBERED)
def _read_fake(path: Path) -> NDArray[np.uint8]:
    return _still(as_uint8(read_image(path)))


@lru_cache(_REMEMBERED)
def _read_mask(path: Path) -> Mask:
    return _still(read_mask(path))


def _still(array: Array) -> Array:
    """The array, which nobody may change: everybody gets the same one."""
    array.setflags(write=False)
    return array
