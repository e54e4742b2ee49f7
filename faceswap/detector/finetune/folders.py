"""A user's folder with Real/ and Fake/ inside: its files, which of them belong together, and the split.

DIR/Real/…, DIR/Fake/…     pictures and clips, in any sub-folders; upper or lower case
DIR/groups.csv             optional: file, identity, video; files as paths from DIR
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from faceswap.console import progress, say
from faceswap.detector.network.model import LABELS
from faceswap.errors import UserError
from faceswap.io.files import IMAGE_SUFFIXES, sha256
from faceswap.io.flow import ordered_map
from faceswap.io.tables import read_table
from faceswap.media.clips import VIDEO_SUFFIXES

GROUPS = "groups.csv"
TRAIN, VALIDATION, TEST, UNUSED = "train", "validation", "test", "unused"
# Threads that read files.
READERS = 2


@dataclass(frozen=True)
class Entry:
    """One file. file: its path from the folder, with slashes. label: 1 = fake.

    group: files of one number share a person, a clip or all their bytes.
    """

    path: Path
    file: str
    label: int
    sha256: str
    group: int

    @property
    def is_clip(self) -> bool:
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def read_folder(data: Path) -> list[Entry]:
    """The pictures and clips of a folder, sorted by class and path.

    Raises UserError for a folder without both classes or with an empty one, for the same file in both, and
    for a groups.csv that does not fit.
    """
    paths = [(path, label) for label, name in LABELS.items() for path in _files(_class_folder(data, name))]
    hashes = ordered_map(sha256, progress([path for path, _ in paths], "read", "files"), READERS)
    entries = [
        Entry(path, path.relative_to(data).as_posix(), label, digest, 0)
        for (path, label), digest in zip(paths, hashes, strict=True)
    ]
    _require_one_class_each(entries)
    shared = _read_groups(data / GROUPS, entries)
    groups = connected([(("sha256", entry.sha256), *shared.get(entry.file, ())) for entry in entries])
    return [replace(entry, group=group) for entry, group in zip(entries, groups, strict=True)]


def connected(keys: Sequence[Sequence[Hashable]]) -> list[int]:
    """A number for each item; items that share a key have the same one, also through other items."""
    parents = list(range(len(keys)))

    def root(item: int) -> int:
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    first: dict[Hashable, int] = {}
    for item, shared in enumerate(keys):
        for key in shared:
            parents[root(item)] = root(first.setdefault(key, item))
    return [root(item) for item in range(len(keys))]


def split(labels: ArrayLike, groups: Sequence[int], shares: Mapping[str, float], seed: int) -> list[str]:
    """The side of each item (N,): no group is on two sides, and each side has its share of both labels.

    shares: of the items, by side, 1 together. Where every item is a group of its own, each side has of each
    label its share to within one item. As in scikit-learn's StratifiedGroupKFold, whose folds however are
    all of one size, large groups go first, each to the side that lacks its labels most.
    """
    y = np.asarray(labels, np.int64)
    _, codes = np.unique(np.asarray(groups, np.int64), return_inverse=True)
    counts = np.zeros((codes.max() + 1, len(LABELS)))
    np.add.at(counts, (codes, y), 1)
    totals = np.maximum(counts.sum(axis=0), 1)
    lacking = np.outer(list(shares.values()), totals)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    sides = np.zeros(len(counts), np.int64)
    for group in order:
        # The labels count alike, however rare one of them is.
        sides[group] = np.argmax((lacking * counts[group] / totals**2).sum(axis=1))
        lacking[sides[group]] -= counts[group]
    names = list(shares)
    return [names[side] for side in sides[codes]]


def require_both(labels: Sequence[int], groups: Sequence[int], sides: Sequence[str]) -> None:
    """Raise UserError where a side that is used lacks reals or fakes: it could teach or tell nothing."""
    for side in (TRAIN, VALIDATION, TEST):
        for label, name in LABELS.items():
            if any(s == side and y == label for s, y in zip(sides, labels, strict=True)):
                continue
            of_class = [group for group, y in zip(groups, labels, strict=True) if y == label]
            found = (
                f"its {len(of_class)} {name.lower()} pictures come from {len(set(of_class))} people or clips"
            )
            hint = "add other people or clips: nobody may be seen in training and in the test"
            raise UserError(f"there is no {name.lower()} picture left for {side}", found, hint)


def _class_folder(data: Path, name: str) -> Path:
    if not data.is_dir():
        raise UserError(f"no folder {data}", "", "name one that holds Real/ and Fake/")
    found = sorted(p for p in data.iterdir() if p.is_dir() and p.name.lower() == name.lower())
    if len(found) == 1:
        return found[0]
    there = ", ".join(path.name for path in found or sorted(data.iterdir())[:8]) or "nothing"
    hint = f"sort its pictures and clips into {data / 'Real'} and {data / 'Fake'}"
    raise UserError(f"{data} has {'two folders' if found else 'no folder'} {name}", f"found {there}", hint)


def _files(folder: Path) -> list[Path]:
    seen = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    found = [path for path in seen if path.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)]
    if not found:
        there = ", ".join(path.name for path in seen[:8]) or "it is empty"
        raise UserError(
            f"no picture and no clip in {folder}", there, "both classes are needed: copy some there"
        )
    if len(found) < len(seen):
        others = Counter(p.suffix.lower() or p.name for p in seen) - Counter(p.suffix.lower() for p in found)
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(8))
        say(f"{others.total()} files in {folder} are neither pictures nor clips and are left out: {kinds}")
    return found


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _require_one_class_each(entries: Sequence[Entry]) -> None:
    first: dict[str, Entry] = {}
    both = [
        f"{first[entry.sha256].file} = {entry.file}"
        for entry in entries
        if first.setdefault(entry.sha256, entry).label != entry.label
    ]
    if both:
        shown = ", ".join(both[:5]) + (", …" if len(both) > 5 else "")
        raise UserError(f"{len(both)} files are called real and fake at once", shown, "delete the wrong ones")


def _read_groups(path: Path, entries: Sequence[Entry]) -> dict[str, list[tuple[str, str]]]:
    """What each file shares with others: (column, name) of its person and its clip, where they are known."""
    if not path.is_file():
        return {}
    known = {entry.file for entry in entries}
    said: dict[str, dict[str, str]] = {}
    for line, row in _rows(path):
        file = (row.pop("file") or "").replace("\\", "/")
        if file not in known:
            hint = "correct the path, or take the line out"
            raise UserError(f"line {line} of {path} names a file that is not there", repr(file), hint)
        if said.setdefault(file, row) != row:
            found = f"{said[file]} and {row}"
            raise UserError(f"{path} says two things about {file}", found, "leave one line for each file")
    if len(said) < len(known):
        left = len(known) - len(said)
        say(f"{left} of {len(known)} files are not in {path.name}: each counts as a person of its own")
    shared = defaultdict(list)
    for file, row in said.items():
        shared[file] = [(column, name) for column, name in row.items() if name]
    return shared


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    columns, rows = read_table(path, "save it as CSV UTF-8, with commas")
    if not {"file"} < set(columns) <= {"file", "identity", "video"}:
        found = f"found the columns {', '.join(columns)[:200] or 'none'}"
        hint = "it needs file, and identity or video or both"
        raise UserError(f"{path} has other columns than file, identity, video", found, hint)
    return rows
