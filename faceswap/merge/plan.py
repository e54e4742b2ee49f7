"""Which faces go into which frame, and what makes a merged frame the one that would be made again."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from faceswap.console import command, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.io.files import list_images
from faceswap.merge.settings import MergeSettings
from faceswap.types import Points


@dataclass(frozen=True)
class Task:
    """One frame and the landmarks of the faces to swap in it, in the order they are merged.

    mark: equal for tasks whose pixels would come out equal.
    """

    frame: Path
    faces: tuple[Points, ...]
    mark: str

    @property
    def stem(self) -> str:
        return self.frame.stem


def plan(frames: Path, faceset: Faceset, model: str, settings: MergeSettings) -> list[Task]:
    """A task for every frame of a folder; warns when frames of some faces are missing.

    model: what changes when the model's answers may.
    Raises UserError when there are no frames, two frames of one name, or no face belongs to any frame.
    """
    paths = list_images(frames)
    if not paths:
        raise UserError(
            f"no frames in {frames}", "", f"run stages.extract_dst --workspace {frames.parent} first"
        )
    _refuse_twins(paths)
    stems = {path.stem for path in paths}
    by_frame = faceset.by_frame()
    lost = sorted(by_frame.keys() - stems)
    if len(lost) == len(by_frame):
        found = f"its faces come from frames such as {lost[0]}; the frames are such as {paths[0].stem}"
        hint = f"align these frames: {command('stages.align_dst', '--workspace', frames.parent)}"
        raise UserError(f"no face in {faceset.folder} belongs to a frame in {frames}", found, hint)
    if lost:
        warn(f"{len(lost)} frames that faces come from are missing in {frames}, the first is {lost[0]}")
    tasks = []
    for path in paths:
        faces = tuple(face.meta.landmarks for face in by_frame.get(path.stem, []))
        # A frame without a face is the same whatever the model.
        mark = fingerprint(model, settings, faces) if faces else "no face"
        tasks.append(Task(path, faces, mark))
    return tasks


def fingerprint(model: str, settings: MergeSettings, faces: Iterable[Points] = ()) -> str:
    """Equal for frames that a merge would render equally: model, look and the frame's landmarks."""
    known = [model, settings.model_dump(mode="json"), [points.tolist() for points in faces]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def _refuse_twins(paths: list[Path]) -> None:
    """Raise UserError when two frames would be written under one name."""
    names: dict[str, str] = {}
    for path in paths:
        other = names.setdefault(path.stem, path.name)
        if other != path.name:
            raise UserError(
                f"{path.parent} holds several frames of one name", f"{other}, {path.name}", "move one away"
            )
