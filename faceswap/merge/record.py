"""What was merged how: the lines that let a stopped merge continue and keep other work safe."""

import json
from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import UserError
from faceswap.merge.plan import Task

RECORD_NAME = "merged.jsonl"


class Record:
    """One line a finished frame, appended once its files are in place, in `merged/merged.jsonl`.

    Every run starts with a line {"begun": identity} that says what it makes: a file that a run left
    without a line of its own (it was killed in between) may be made again without asking.
    """

    def __init__(self, folder: Path, mask_folder: Path, identity: str) -> None:
        self.folder, self.mask_folder, self._identity = folder, mask_folder, identity
        self._made: dict[str, str] = {}
        begun = ""
        for entry in _entries(self._path):
            begun = entry.get("begun", begun)
            if "frame" in entry:
                self._made[entry["frame"]] = entry.get("mark", "")
        self._continues = begun == identity

    @property
    def _path(self) -> Path:
        return self.folder / RECORD_NAME

    def outputs(self, stem: str) -> tuple[Path, Path]:
        """Where a frame's picture and mask go."""
        return self.folder / f"{stem}.png", self.mask_folder / f"{stem}.png"

    def begin(self, tasks: Sequence[Task], again: bool = False) -> list[Task]:
        """The tasks whose files are missing or were made another way; notes that a run begins.

        Raises UserError, and changes nothing, when files made another way would be replaced without
        `again`.
        """
        todo = [task for task in tasks if not self._is_done(task)]
        others = [task.stem for task in todo if self._is_anothers(task)]
        if others and not again:
            raise UserError(
                f"{self.folder} holds {len(others)} frames made with other settings, "
                "another state of the model or other faces",
                f"the first is {others[0]}.png",
                "add --again to replace them, or move merged and merged_mask away to keep them",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        # An earlier run may have been killed within a line.
        torn = self._path.is_file() and not self._path.read_bytes().endswith(b"\n")
        self._append({"begun": self._identity}, "\n" if torn else "")
        return todo

    def add(self, task: Task) -> None:
        """Note that both files of a frame are in place."""
        self._append({"frame": task.stem, "mark": task.mark})

    def _is_done(self, task: Task) -> bool:
        return self._made.get(task.stem) == task.mark and all(p.is_file() for p in self.outputs(task.stem))

    def _is_anothers(self, task: Task) -> bool:
        unlisted = task.mark if self._continues else ""
        return self._made.get(task.stem, unlisted) != task.mark and any(
            path.is_file() for path in self.outputs(task.stem)
        )

    def _append(self, entry: dict[str, str], before: str = "") -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(before + json.dumps(entry, ensure_ascii=False) + "\n")


def _entries(path: Path) -> list[dict[str, str]]:
    """The lines of a record; a line cut by a crash is passed over."""
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
