"""What was merged how: the lines that let a stopped merge continue and keep other work safe."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, StringConstraints

from faceswap.errors import UserError
from faceswap.io.documents import read_lines
from faceswap.merge.plan import Task

RECORD_NAME = "merged.jsonl"


# Which files a merge may replace: those it has made itself in the same way before they were lost; all that
# this workbench has merged here; any.
Replace: TypeAlias = Literal["none", "own", "all"]


class _Entry(BaseModel):
    frame: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    mark: Annotated[str, StringConstraints(max_length=1024)] = ""


class Record:
    """Two lines a frame in `merged/merged.jsonl`: one before its files are written, one once they are there.

    A file that a run left with the first line alone (it was killed in between) may be made again without
    asking; a file without a line is somebody else's.
    """

    def __init__(self, folder: Path, mask_folder: Path) -> None:
        self.folder, self.mask_folder = folder, mask_folder
        # By frame, how it was made; "" while it is being written.
        self._made = {entry.frame: entry.mark for entry in read_lines(self._path, _Entry)}

    @property
    def _path(self) -> Path:
        return self.folder / RECORD_NAME

    def outputs(self, stem: str) -> tuple[Path, Path]:
        """Where a frame's picture and mask go."""
        return self.folder / f"{stem}.png", self.mask_folder / f"{stem}.png"

    def begin(self, tasks: Sequence[Task], replace: Replace = "none") -> list[Task]:
        """The tasks whose files are missing or were made another way.

        Raises UserError, and changes nothing, when files would be replaced that `replace` protects.
        """
        todo = [task for task in tasks if not self.is_done(task)]
        others = [task.stem for task in todo if self._is_protected(task, replace)]
        if others:
            made = "by something else" if replace == "own" else "in another way"
            raise UserError(
                f"{self.folder} holds {len(others)} frames made {made}",
                f"the first is {others[0]}.png; settings, model, faces or program differ",
                "add --again to replace them, or move merged and merged_mask away to keep them",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        # An earlier run may have been killed within a line.
        if self._path.is_file() and not self._path.read_bytes().endswith(b"\n"):
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")
        return todo

    def announce(self, task: Task) -> None:
        """Note that a frame's files are about to be written."""
        self._append(task.stem, "")

    def add(self, task: Task) -> None:
        """Note that both files of a frame are in place."""
        self._append(task.stem, task.mark)

    def is_done(self, task: Task) -> bool:
        """Whether the files of a frame are there and would come out equal."""
        return self._made.get(task.stem) == task.mark and all(p.is_file() for p in self.outputs(task.stem))

    def _is_protected(self, task: Task, replace: Replace) -> bool:
        made = self._made.get(task.stem)
        unfinished = made in ("", task.mark)
        if replace == "all" or unfinished or (replace == "own" and made is not None):
            return False
        return any(path.is_file() for path in self.outputs(task.stem))

    def _append(self, stem: str, mark: str) -> None:
        self._made[stem] = mark
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"frame": stem, "mark": mark}, ensure_ascii=False) + "\n")
