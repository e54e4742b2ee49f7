"""Backups of a model: checkpoints kept under another name, thinned with age, put back by name.

    RUN/backups/auto-00012000, hand-…, best-…, before-…     each a whole checkpoint

A checkpoint's files never change once written, so a backup is a second name for them (a hard link), made in
no time and without room on the disk; only where the disk knows no links it is a copy.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from faceswap.errors import UserError
from faceswap.io.files import remove_folder, replace_folder, sha256, sync, write_bytes
from faceswap.learn import checkpoint
from faceswap.learn.stored import check_model

# auto: every so often, thinned with age. hand: asked for. best: the best by its figures, one at a time.
# phase: the end of a recipe's phase. before: what going back has put aside.
Kind: TypeAlias = Literal["auto", "hand", "best", "phase", "before"]
FOLDER = "backups"
# What is written beside the checkpoints as training goes, and belongs to the newest of them.
RECORDS = ("history.jsonl", "quality.jsonl")
_NAME = re.compile(rf"({'|'.join(get_args(Kind))})-(\d{{8,}})(-\d+)?")
_HOUR_S, _DAY_S = 3600.0, 86400.0


@dataclass(frozen=True)
class Backup:
    """path: its directory. trained_s: training time of the model when it was saved."""

    path: Path
    kind: Kind
    iteration: int
    trained_s: float


def list_backups(run: Path) -> list[Backup]:
    """The backups of run folder `run` whose state can be read, newest first."""
    found = []
    for path in (run / FOLDER).glob("*-*"):
        match = _NAME.fullmatch(path.name)
        try:
            state = checkpoint.read_state(path) if match else {}
        except (checkpoint.DamagedError, UserError):
            continue
        if match:
            found.append(Backup(path, _kind(match[1]), int(match[2]), float(state.get("elapsed_s", 0))))
    return sorted(found, key=lambda backup: (-backup.iteration, backup.kind))


def back_up(run: Path, kind: Kind) -> Backup:
    """Keep the newest checkpoint of `run` as a backup; one of the same kind and iteration is replaced.

    May be called while another process trains `run`. Raises UserError when there is no checkpoint.
    """
    for path in (*checkpoint.saved(run), *checkpoint.saved(run)):
        try:
            made = _second_name(path, run / FOLDER / f"{kind}-{path.name}")
        except FileNotFoundError:  # the training has just dropped it
            continue
        state = checkpoint.read_state(made)
        return Backup(made, kind, int(state["iteration"]), float(state.get("elapsed_s", 0)))
    raise UserError(f"{run} has no checkpoint yet", "", "train it first: python -m stages.train")


def rotate(run: Path, keep: int) -> Backup | None:
    """Back up the newest checkpoint if an hour of training has passed, then thin out the automatic ones.

    keep: of each of the last `keep` hours and days of training in which there was one, the newest stays.
    Returns the new backup, None where none was due.
    """
    autos = [backup for backup in list_backups(run) if backup.kind == "auto"]
    state = checkpoint.read_state(checkpoint.saved(run)[0])
    if not keep or (autos and float(state["elapsed_s"]) - autos[0].trained_s < _HOUR_S):
        return None
    made = back_up(run, "auto")
    autos.insert(0, made)
    kept = thin([backup.trained_s for backup in autos], keep)
    for number, backup in enumerate(autos):
        if number not in kept:
            remove_folder(backup.path)
    return made


def thin(ages_s: Sequence[float], keep: int) -> set[int]:
    """Which of points in time, newest first, stay: the newest in each of the last `keep` hours and days."""
    kept: set[int] = set()
    for period_s in (_HOUR_S, _DAY_S):
        newest: dict[int, int] = {}
        for number, at_s in enumerate(ages_s):
            newest.setdefault(int(at_s // period_s), number)
        kept |= set(list(newest.values())[:keep])
    return kept


def keep_best(run: Path) -> Backup:
    """Make the newest checkpoint the best one; the one before is dropped after that."""
    made = back_up(run, "best")
    for backup in list_backups(run):
        if backup.kind == "best" and backup.path != made.path:
            remove_folder(backup.path)
    return made


def restore(run: Path, iteration: int | None = None) -> Backup:
    """Make a backup the model again; what is newer becomes a backup of its own, so nothing is lost.

    iteration: which one; None for the newest that is older than the model, or that can be read at all.
    Raises UserError when there is none, or it is damaged.
    """
    chosen = _choose(run, iteration)
    checkpoint.read(chosen.path, accept=_check)
    return_to(run, chosen.path)
    return chosen


def return_to(run: Path, path: Path) -> None:
    """Make the checkpoint directory `path`, a backup or an older checkpoint of `run`, its newest.

    Newer ones become backups. Killed in between, the model is the one from before or this one.
    """
    iteration = int(checkpoint.read_state(path)["iteration"])
    target = run / "checkpoints" / f"{iteration:08d}"
    displaced = [
        other
        for other in checkpoint.saved(run)
        if _number(other) >= iteration and not _same_files(path, other)
    ]
    asides = [_put_aside(run, other) for other in displaced]
    for name in RECORDS:
        if asides and (run / name).is_file() and not (asides[0] / name).exists():
            write_bytes(asides[0] / name, (run / name).read_bytes())
    _second_name(path, target)
    for name in RECORDS:
        if (path / name).is_file():
            write_bytes(run / name, (path / name).read_bytes())
    for other in displaced:
        if other != target:
            remove_folder(other)


def _check(loaded: checkpoint.Loaded) -> None:
    # Models of masks say of which kind they are.
    if {"spec", "face_type"} <= loaded.state.keys() and "kind" not in loaded.state:
        check_model(loaded)


def _choose(run: Path, iteration: int | None) -> Backup:
    found = list_backups(run)
    names = ", ".join(sorted({str(backup.iteration) for backup in found}, key=int)) or "none"
    if iteration is not None:
        fitting = [backup for backup in found if backup.iteration == iteration]
    else:
        saved = checkpoint.saved(run)
        now = _number(saved[0]) if saved else None
        fitting = [backup for backup in found if now is None or backup.iteration < now]
    if not fitting:
        what = "older than it is now" if iteration is None else f"of iteration {iteration}"
        raise UserError(
            f"the model {run.name} has no backup {what}", f"there are: {names}", "name one: --iteration N"
        )
    return fitting[0]


def _put_aside(run: Path, path: Path) -> Path:
    """Where a checkpoint is among the backups, or is put; a damaged one too, which someone may mend."""
    folder, name = run / FOLDER, f"before-{_number(path):08d}"
    known = [other for other in folder.glob(f"*-{_number(path):08d}*") if _same_files(path, other)]
    if known:
        return known[0]
    taken = len(list(folder.glob(f"{name}*")))
    return _second_name(path, folder / (f"{name}-{taken + 1}" if taken else name))


def _number(path: Path) -> int:
    return int(path.name.partition(".")[0])


def _second_name(path: Path, target: Path) -> Path:
    """Give the files of a checkpoint directory a second name in `target`, whole or not at all."""
    if target.exists() and _same_files(path, target):
        return target
    temporary = target.with_name(f".{target.name}.tmp")
    for leftover in target.parent.glob(".*.tmp"):
        shutil.rmtree(leftover)
    temporary.mkdir(parents=True)
    try:
        for file in path.iterdir():
            if file.name not in RECORDS:
                _link(file, temporary / file.name)
        sync(temporary)
        replace_folder(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _same_files(path: Path, other: Path) -> bool:
    names = {file.name for file in path.iterdir()} - set(RECORDS)
    return names <= {file.name for file in other.iterdir()} and all(
        (path / name).samefile(other / name) or sha256(path / name) == sha256(other / name)
        for name in sorted(names, key=lambda name: (path / name).stat().st_size)
    )


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, target)
        sync(target)


def _kind(name: str) -> Kind:
    return next(kind for kind in get_args(Kind) if kind == name)
