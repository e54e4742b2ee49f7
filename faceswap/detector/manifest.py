"""What a detector set is made of: one row a crop, in `manifest.csv` beside the crops.

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

from faceswap.errors import UserError
from faceswap.io.files import sha256, write_bytes
from faceswap.io.tables import read_table

NAME = "manifest.csv"
Label = Literal["real", "fake"]
SPLITS = ("train", "val", "test")
# Shares of people: 70 / 15 / 15 (detector-facts §4.2).
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
