"""What a detector set is made of: one row a crop in `manifest.csv`, and which crops show the same.

Aligned faces of different people look alike in 8 × 8 px: in one direction alone (64 bits, the usual dHash) a
quarter of unseen crops lie within 6 bits of some stranger's. Both directions tell them apart. Measured on
3,089 crops of 455 people: within LIMIT of 128 bits lie 99.9 % of crops that were compressed again (JPEG 60),
97.6 % of those shifted by 1 % of their side, 42 to 100 % of the other frames of a clip of which every second
crop is known, 0.2 % of strangers' crops, and none of the crops of any clip that is not known.

    file, sha256, label, manipulation, identity, donor, video, dataset, licence, split, twin, mask

Paths are relative to the manifest. Who belongs to which split follows from the name of the person alone,
so that a set which grows keeps its test people, and no person is ever in two splits.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.files import sha256, write_bytes
from faceswap.io.tables import read_table

Hashes = NDArray[np.uint64]

LIMIT = 10
_SIDE = 8
_BLOCK = 256


def difference_hash(crop: NDArray[np.uint8]) -> Hashes:
    """dHash of a crop (S, S, 3) RGB: (2,) words of 64 bits.

    Of the grey crop at 9 × 8 px: is each pixel brighter than its left neighbour; at 8 × 9 px: than the upper.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    wide = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    tall = cv2.resize(grey, (_SIDE, _SIDE + 1), interpolation=cv2.INTER_AREA)
    bits = np.stack([wide[:, 1:] > wide[:, :-1], tall[1:] > tall[:-1]]).reshape(2, -1)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def near(hashes: Hashes, others: Hashes, limit: int = LIMIT) -> NDArray[np.int64]:
    """(K, 2) indices into hashes (N, 2) and others (M, 2) of all pairs with at most `limit` unequal bits."""
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        apart = sum(np.bitwise_count(block[:, None, word] ^ others[None, :, word]) for word in (0, 1))
        found.append(np.argwhere(apart <= limit) + np.array([start, 0]))
    return np.concatenate(found)


def to_text(hashes: Iterable[Hashes]) -> tuple[str, ...]:
    """Each hash as 32 hexadecimal digits, sorted, without repetitions."""
    return tuple(sorted({f"{int(across):016x}{int(down):016x}" for across, down in hashes}))


def from_text(texts: Iterable[str]) -> Hashes:
    """(N, 2) hashes from what `to_text` wrote; ValueError for anything else."""
    words = [(int(text[:16], 16), int(text[16:], 16)) for text in texts]
    return np.array(words, np.uint64).reshape(-1, 2)


NAME = "manifest.csv"
Label = Literal["real", "fake"]
SPLITS = ("train", "val", "test")
# Shares of people: 70 / 15 / 15 (detection.md §4.2).
_BOUNDS = (0.70, 0.85)
# Of the seven clips chance has put none into validation, and thresholds that have seen no video promise
# nothing about it.
_ASSIGNED = {"clips/man_g_glasses": "val"}


@dataclass(frozen=True)
class Item:
    """One crop.

    manipulation: empty for reals. identity: the person whose frame it is. donor: whose face was put in,
    empty for reals. video: the clip it comes from, or the picture itself. twin: of a fake, the untouched
    crop of the same frame. mask: of a fake, its 8-bit picture of what is foreign. Unknown ones are empty.
    """

    file: str
    sha256: str
    label: Label
    identity: str
    video: str
    dataset: str
    licence: str
    split: str
    manipulation: str = ""
    donor: str = ""
    twin: str = ""
    mask: str = ""

    @property
    def is_fake(self) -> bool:
        return self.label == "fake"


_COLUMNS = [field.name for field in fields(Item)]


def read_manifest(folder: Path) -> list[Item]:
    """The rows of a set. UserError for a missing manifest, unknown columns, labels or splits."""
    path = folder / NAME
    if not path.is_file():
        hint = "make the set first: python -m stages.detector gather --help"
        raise UserError(f"no {NAME} in {folder}", "" if folder.is_dir() else "there is no such folder", hint)
    columns, rows = read_table(path, "gather it again")
    if set(columns) != set(_COLUMNS):
        raise UserError(f"{path} has other columns", ", ".join(columns)[:200], "gather it again")
    items = []
    for line, row in rows:
        item = Item(**row)  # type: ignore[arg-type]
        if item.label not in ("real", "fake") or item.split not in SPLITS:
            raise UserError(f"line {line} of {path} is not valid", f"{item.label!r}, {item.split!r}", "")
        items.append(item)
    leaks = leaked_people(items)
    if leaks:
        raise UserError(
            f"{path} has people in more than one split",
            ", ".join(sorted(leaks)[:5]),
            "gather the set again: splits follow from names",
        )
    return items


def write_manifest(folder: Path, items: Iterable[Item]) -> None:
    """Write the rows, sorted by file, whole or not at all."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(item) for item in sorted(items, key=lambda item: item.file))
    write_bytes(folder / NAME, text.getvalue().encode())


def split_of(person: str) -> str:
    """The split of a person (or, where nobody knows the person, of a video), from the name alone."""
    if person in _ASSIGNED:
        return _ASSIGNED[person]
    draw = int.from_bytes(hashlib.sha256(person.encode()).digest()[:8], "big") / 2**64
    return SPLITS[sum(draw >= bound for bound in _BOUNDS)]


def common_split(identity: str, donor: str) -> str | None:
    """The split of a swap between two people, None where they belong to different ones: unusable."""
    split = split_of(identity)
    return split if not donor or split_of(donor) == split else None


def leaked_people(items: Sequence[Item]) -> set[str]:
    """Everybody, as identity or as donor, who occurs in more than one split. Videos count as well."""
    seen: dict[str, set[str]] = {}
    for item in items:
        # Two sets may call different clips alike.
        video = f"{item.dataset}/{item.video}" if item.video else ""
        for name in filter(None, (item.identity, item.donor, video)):
            seen.setdefault(name, set()).add(item.split)
    return {name for name, splits in seen.items() if len(splits) > 1}


def changed_files(folder: Path, items: Iterable[Item]) -> list[str]:
    """The files of a set that are missing or are no longer what the manifest says."""
    return [
        item.file
        for item in items
        if not (folder / item.file).is_file() or sha256(folder / item.file) != item.sha256
    ]


def require_unchanged(folder: Path, items: Sequence[Item]) -> None:
    """Raise UserError when any file of the set is missing or has changed."""
    changed = changed_files(folder, items)
    if changed:
        raise UserError(
            f"{len(changed)} of {len(items)} files in {folder} are not what {NAME} says",
            f"first {changed[0]}",
            "gather the set again, or restore the files",
        )


def manifest_hash(items: Iterable[Item]) -> str:
    """One hash that stands for the contents of a set, whatever its order or place."""
    rows = sorted(f"{item.sha256} {item.label} {item.split}" for item in items)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
