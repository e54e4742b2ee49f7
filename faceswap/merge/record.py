"""What was merged how: the lines that let a stopped merge continue and keep others' work safe."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from faceswap.errors import UserError
from faceswap.merge.settings import MergeSettings
from faceswap.types import Points

RECORD_NAME = "merged.jsonl"


def fingerprint(model: str, settings: MergeSettings, faces: Iterable[Points]) -> str:
    """Equal for frames that a merge would render equally: model, look and the frame's landmarks."""
    known = [model, settings.model_dump(mode="json"), [points.tolist() for points in faces]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


class Record:
    """One line a finished frame, appended after its files are in place, in `merged/merged.jsonl`.

    The first line of each run, {"begun": identity}, says what it makes: a file that such a run left
    without a line of its own (it was killed in between) may be made again without asking.
    """

    def __init__(self, folder: Path, mask_folder: Path) -> None:
        self._path = folder / RECORD_NAME
        self._folders = (folder, mask_folder)
        self._made: dict[str, str] = {}
        self._begun = ""
        self._file: TextIO | None = None
        for entry in _lines(self._path):
            self._begun = entry.get("begun", self._begun)
            if "frame" in entry:
                self._made[entry["frame"]] = entry["fingerprint"]

    def outputs(self, stem: str) -> tuple[Path, Path]:
        """Where a frame's picture and mask go."""
        return self._folders[0] / f"{stem}.png", self._folders[1] / f"{stem}.png"

    def is_done(self, stem: str, mark: str) -> bool:
        """Whether both files are there and were made as `mark` says."""
        return self._made.get(stem) == mark and all(path.is_file() for path in self.outputs(stem))

    def others(self, stems: Iterable[str], identity: str) -> Sequence[str]:
        """Frames among `stems` whose files were made some other way and would be replaced."""
        return [
            stem
            for stem in stems
            if any(path.is_file() for path in self.outputs(stem))
            and (stem in self._made or self._begun != identity)
        ]

    def begin(self, identity: str) -> None:
        """Open the file for a run that makes `identity`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        torn = self._path.is_file() and not self._path.read_bytes().endswith(b"\n")
        self._file = self._path.open("a", encoding="utf-8")
        self._write({"begun": identity}, "\n" if torn and self._path.stat().st_size else "")

    def add(self, stem: str, mark: str) -> None:
        """Note that both files of a frame are in place."""
        self._write({"frame": stem, "fingerprint": mark})

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, entry: dict[str, str], before: str = "") -> None:
        assert self._file is not None, "begin() comes first"
        self._file.write(before + json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()


def refuse_others(others: Sequence[str], folder: Path) -> None:
    """Raise UserError when frames made some other way would be replaced without being asked to."""
    if others:
        raise UserError(
            f"{folder} holds {len(others)} frames made with other settings, another state of the model or faces",
            f"the first is {others[0]}.png",
            "add --again to replace them, or move the folders merged and merged_mask away to keep them",
        )


def _lines(path: Path) -> list[dict[str, str]]:
    """The entries of a record; a last line cut by a crash is passed over."""
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries
