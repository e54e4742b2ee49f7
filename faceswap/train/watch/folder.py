"""What a run folder tells of its training: looked at again and again, without a word to who writes it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from faceswap.io.documents import parse
from faceswap.io.files import list_names
from faceswap.train.log import ENDED
from faceswap.train.watch.curves import Curve, Curves
from faceswap.train.watch.requests import Request, pending

# Of what was read, this much is compared: losses never repeat to the last digit.
_MARK_BYTES = 256


class Tail:
    """The whole lines of `path` as they come.

    Nothing is known of who writes: a file that was cut, replaced or deleted is read anew from its start, one
    that another machine copies again and again goes on where it was.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._mark = path, 0, b""
        self.behind = False

    def read(self, most: int = 1 << 20) -> tuple[list[bytes], bool]:
        """Lines that are new, from at most `most` bytes, and whether those before them are no longer true.

        The last line is left until its end is written. Raises OSError where the disk does not answer.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset - len(self._mark))
                anew = file.read(len(self._mark)) != self._mark
                if anew:
                    self._offset, self._mark = 0, b""
                    file.seek(0)
                piece = file.read(most)
        except FileNotFoundError:
            anew, piece = self._offset > 0, b""
            self._offset, self._mark = 0, b""
        self.behind = len(piece) == most
        # What has no end in a full piece is no line.
        whole = piece[: piece.rfind(b"\n") + 1] or (piece if self.behind else b"")
        self._offset += len(whole)
        self._mark = (self._mark + whole)[-_MARK_BYTES:]
        return whole.splitlines(), anew


# missing: no such folder; empty: nothing was trained; ended: it has said so; quiet: nothing was written for
# so long that no training seems to run.
State: TypeAlias = Literal["missing", "empty", "training", "ended", "quiet"]
PREVIEW, MASKED, TIMELAPSE = "preview.png", "preview_masked.png", "previews"
_QUIET_S, _QUIET_ITERATIONS = 90.0, 20
_RECENT = 51
_LOG_BYTES = 4096


class Stamp(NamedTuple):
    """By which a file is known to be another; both 0 for none."""

    changed_ns: int = 0
    size: int = 0


_NEVER = Stamp()


@dataclass(frozen=True)
class Report:
    """How a run stands. Durations are in seconds, None: not known.

    curves: of every iteration, by name: src, dst, ms, …; quality: of the held-back faces. more: there are
    lines left to read. timelapse: iterations that pictures were kept of. log: the newest sentence.
    """

    state: State
    title: str = ""
    iteration: int = 0
    recent: Mapping[str, float] = field(default_factory=dict)
    saved_iteration: int = 0
    saved_ago_s: float | None = None
    quiet_s: float = 0.0
    curves: Mapping[str, Curve] = field(default_factory=dict)
    quality: Mapping[str, Curve] = field(default_factory=dict)
    more: bool = False
    timelapse: tuple[int, ...] = ()
    previews: Mapping[str, Stamp] = field(default_factory=dict)
    log: str = ""
    asked: frozenset[Request] = frozenset()


class RunFolder:
    """One folder, which need not be there yet and may vanish. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._forget()

    def look(self) -> Report:
        """How it stands now. A disk that does not answer is as good as a missing folder."""
        try:
            return self._look()
        except OSError:
            self._forget()
            return Report("missing", self.folder.name)

    def _forget(self) -> None:
        self._losses = _Record(self.folder / "history.jsonl")
        self._figures = _Record(self.folder / "quality.jsonl")
        self._written: tuple[Stamp, ...] | None = None
        self._changed_at = 0.0
        self._timelapse: tuple[Stamp, tuple[int, ...]] = (_NEVER, ())

    def _look(self) -> Report:
        # Raises where there is no folder; what is missing in it is no error.
        self.folder.stat()
        previews = {name: _stamp(self.folder / name) for name in (PREVIEW, MASKED)}
        written = tuple(_stamp(self.folder / name) for name in ("history.jsonl", "log.txt", PREVIEW))
        newest_s = max(stamp.changed_ns for stamp in written) / 1e9
        self._losses.read()
        self._figures.read()
        recent = {name: _recent(curve) for name, curve in self._losses.curves.items()}
        quiet_s, log = self._quiet_s(written, newest_s), _last_line(self.folder / "log.txt")
        patience_s = max(_QUIET_S, _QUIET_ITERATIONS * recent.get("ms", 0.0) / 1000)
        state: State = "ended" if f"  {ENDED} " in log else "training" if quiet_s < patience_s else "quiet"
        saved, saved_s = _saved(self.folder / "checkpoints")
        # While it trains, the clock of who writes is the one that dates the files.
        now_s = newest_s if state == "training" else time.time()
        return Report(
            state=state if newest_s else "empty",
            title=_title(self.folder),
            iteration=self._losses.newest,
            recent=recent,
            saved_iteration=saved,
            saved_ago_s=max(0.0, now_s - saved_s) if saved else None,
            quiet_s=quiet_s,
            curves=self._losses.curves,
            quality=self._figures.curves,
            more=self._losses.behind or self._figures.behind,
            timelapse=self._kept(),
            previews=previews,
            log=log,
            asked=frozenset(pending(self.folder)),
        )

    def _quiet_s(self, written: tuple[Stamp, ...], newest_s: float) -> float:
        """For how long nothing was written, from the first look on by one's own clock."""
        now = time.monotonic()
        if self._written is None:
            self._changed_at = now - max(0.0, time.time() - newest_s)
        elif self._written != written:
            self._changed_at = now
        self._written = written
        return now - self._changed_at

    def _kept(self) -> tuple[int, ...]:
        stamp = _stamp(self.folder / TIMELAPSE)
        if stamp != self._timelapse[0]:
            numbers = (int(name) for name in list_names(self.folder / TIMELAPSE, ".jpg") if name.isdigit())
            self._timelapse = stamp, tuple(sorted(numbers))
        return self._timelapse[1]


class _Record:
    """The curves of a file of lines, made anew when the file was."""

    def __init__(self, path: Path) -> None:
        self._tail, self._curves = Tail(path), Curves()
        self.curves: Mapping[str, Curve] = {}

    @property
    def newest(self) -> int:
        return self._curves.newest

    @property
    def behind(self) -> bool:
        return self._tail.behind

    def read(self) -> None:
        lines, anew = self._tail.read()
        if anew:
            self._curves = Curves()
        if lines or anew:
            self._curves.add(lines)
            self.curves = self._curves.curves()


def timelapse_picture(run: Path, iteration: int) -> Path:
    """Where the picture of an iteration lies."""
    return run / TIMELAPSE / f"{iteration:07d}.jpg"


def _stamp(path: Path) -> Stamp:
    try:
        known = path.stat()
    except OSError:
        return _NEVER
    return Stamp(known.st_mtime_ns, known.st_size)


def _recent(curve: Curve) -> float:
    """The median of the newest values, because the first iteration and a busy moment say nothing."""
    start = np.searchsorted(curve.at, curve.at[-1] - _RECENT) if len(curve.at) else 0
    return float(np.median(curve.mean[start:])) if len(curve.at) else 0.0


def _saved(folder: Path) -> tuple[int, float]:
    """Iteration and time of the newest checkpoint; 0 for none."""
    try:
        newest = max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0)
    except OSError:
        return 0, 0.0
    return newest, _stamp(folder / f"{newest:08d}" / "state.json").changed_ns / 1e9


def _title(folder: Path) -> str:
    try:
        settings = parse((folder / "train.json").read_bytes())["settings"]
        return f"{folder.name}   {settings['arch']}   {settings['resolution']} px"
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
