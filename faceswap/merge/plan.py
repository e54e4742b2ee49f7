"""Which faces go into which frame and how, and what makes a merged frame the one that would be made again."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from faceswap.console import command, warn
from faceswap.errors import UserError
from faceswap.faces.tracks import Spot, link_faces
from faceswap.faceset.store import Faceset
from faceswap.io.files import list_images
from faceswap.merge.looks import Look, Looks
from faceswap.merge.motion import movement
from faceswap.merge.render import Subject, is_untouched
from faceswap.merge.settings import MergeSettings
from faceswap.types import Points


@dataclass(frozen=True)
class Task:
    """One frame, its faces in the order they are laid over it, and its settings.

    frame: its file, which need not exist where the frame comes from elsewhere.
    mark: equal for tasks whose pixels would come out equal.
    """

    frame: Path
    faces: tuple[Subject, ...]
    settings: MergeSettings
    mark: str

    @property
    def stem(self) -> str:
        return self.frame.stem


@dataclass(frozen=True)
class Cast:
    """The frames of a clip, in order, and the landmarks of all faces of each."""

    frames: tuple[Path, ...]
    faces: tuple[tuple[Points, ...], ...]

    @classmethod
    def of(cls, frames: Path, faceset: Faceset) -> "Cast":
        """Everybody in the frames of a folder; warns when frames of some faces are missing.

        Raises UserError when there are no frames, two frames of one name, or no face belongs to any frame.
        """
        paths = list_images(frames)
        if not paths:
            raise UserError(
                f"no frames in {frames}", "", f"run stages.extract_dst --workspace {frames.parent} first"
            )
        _refuse_twins(paths)
        return cls.of_frames(paths, faceset)

    @classmethod
    def of_frames(cls, paths: Sequence[Path], faceset: Faceset) -> "Cast":
        """Everybody in frames of one folder, whose files need not exist; see `of`."""
        frames, stems = paths[0].parent, {path.stem for path in paths}
        by_frame = faceset.by_frame()
        lost = sorted(by_frame.keys() - stems)
        if len(lost) == len(by_frame):
            found = f"its faces come from frames such as {lost[0]}; the frames are such as {paths[0].stem}"
            hint = f"align these frames: {command('stages.align_dst', '--workspace', frames.parent)}"
            raise UserError(f"no face in {faceset.folder} belongs to a frame in {frames}", found, hint)
        if lost:
            warn(f"{len(lost)} frames that faces come from are missing in {frames}, the first is {lost[0]}")
        faces = (tuple(face.meta.landmarks for face in by_frame.get(path.stem, [])) for path in paths)
        return cls(tuple(paths), tuple(faces))

    def track(self, index: int, number: int) -> dict[int, int]:
        """The same face in the frames before and after: by frame, its number there."""
        return self._tracks[index, number]

    @cached_property
    def _tracks(self) -> dict[Spot, dict[int, int]]:
        found = {}
        for spots in link_faces(self.faces):
            track = dict(spots)
            found.update(dict.fromkeys(spots, track))
        return found

    def subjects(self, index: int, look: Look) -> dict[int, Subject]:
        """The faces of frame `index` that are laid over it, by their number in the frame."""
        return {
            number: Subject(
                points, look.action(number) == "leave", self._motion(index, number, look.settings)
            )
            for number, points in enumerate(self.faces[index])
            if look.action(number) != "skip"
        }

    def task(self, index: int, look: Look, model: str) -> Task:
        """What is to be done to frame `index`. model: what changes when the model's answers may."""
        settings, subjects = look.settings, tuple(self.subjects(index, look).values())
        # A frame that is passed on is the same whatever the model.
        untouched = is_untouched(subjects, settings)
        mark = "no face" if untouched else fingerprint(model, settings, subjects)
        return Task(self.frames[index], subjects, settings, mark)

    def _motion(self, index: int, number: int, settings: MergeSettings) -> tuple[float, float] | None:
        """The way of a face from the frame before to the one after; its own place where one has no such."""
        if not settings.motion_blur_power:
            return None
        track = self.track(index, number)
        # At a clip's ends the frame stands for its missing neighbour; without a face there is no blur (§2.9).
        last = len(self.frames) - 1
        near = (max(0, index - 1), min(last, index + 1))
        beside = [self.faces[frame][track[frame]] for frame in near if frame in track]
        return movement(*beside) if len(beside) == 2 else None


def plan(cast: Cast, model: str, looks: Looks) -> list[Task]:
    """A task for every frame. Raises UserError where only some frames are the model's own pictures."""
    tasks = [cast.task(index, looks.at(index), model) for index in range(len(cast.frames))]
    raw = [task.stem for task in tasks if task.settings.mode == "raw-predict"]
    if raw and len(raw) < len(tasks):
        raise UserError(
            "raw-predict writes pictures of the model's size, and a clip has frames of one size",
            f"{len(raw)} of {len(tasks)} frames have that mode, the first is {raw[0]}",
            "give all frames that mode, or none",
        )
    return tasks


def fingerprint(model: str, settings: MergeSettings, subjects: Iterable[Subject] = ()) -> str:
    """Equal for frames that a merge would render equally: model, look and the frame's faces."""
    faces = [(face.landmarks.tolist(), face.leave, face.motion) for face in subjects]
    known = [model, settings.model_dump(mode="json"), faces]
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
