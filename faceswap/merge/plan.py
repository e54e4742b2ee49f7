"""Which faces go into which frame and how, and what makes a merged frame the one that would be made again."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from faceswap.console import command, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Face, Faceset
from faceswap.faceset.stored_masks import mask_mark, mask_origin
from faceswap.geometry.tracks import Spot, link_faces
from faceswap.io.files import list_images, natural_order, refuse_twins
from faceswap.io.leftout import say_left_out
from faceswap.merge.face_masks import needs_own, needs_segmenter
from faceswap.merge.filters import movement
from faceswap.merge.keyframes import FrameSettings, Keyframes
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
class ClipFaces:
    """The frames of a clip, in order, and the landmarks of all faces of each.

    owners: the same faces in the faceset, where their own masks are. segmenter: gives what changes when the
    answers of the mask segmenter may; asked only for looks that need one.
    """

    frames: tuple[Path, ...]
    faces: tuple[tuple[Points, ...], ...]
    owners: tuple[tuple[Face, ...], ...] = ()
    segmenter: Callable[[], str] = str

    @classmethod
    def of(cls, frames: Path, faceset: Faceset) -> "ClipFaces":
        """Everybody in the frames of a folder; warns when frames of some faces are missing.

        Raises UserError when there are no frames, two frames of one name, or no face belongs to any frame.
        """
        paths = list_images(frames)
        say_left_out(frames)
        if not paths:
            raise UserError(
                f"no frames in {frames}", "", f"run stages.extract_dst --workspace {frames.parent} first"
            )
        refuse_twins(paths)
        return cls.of_frames(paths, faceset)

    @classmethod
    def of_frames(cls, paths: Sequence[Path], faceset: Faceset) -> "ClipFaces":
        """Everybody in frames of one folder, whose files need not exist; see `of`."""
        frames, stems = paths[0].parent, {path.stem for path in paths}
        by_frame = faceset.by_frame()
        lost = sorted(by_frame.keys() - stems, key=natural_order)
        if len(lost) == len(by_frame):
            found = f"its faces come from frames such as {lost[0]}; the frames are such as {paths[0].stem}"
            hint = f"align these frames: {command('stages.align_dst', '--workspace', frames.parent)}"
            raise UserError(f"no face in {faceset.folder} belongs to a frame in {frames}", found, hint)
        if lost:
            warn(f"{len(lost)} frames that faces come from are missing in {frames}, the first is {lost[0]}")
        owners = tuple(tuple(by_frame.get(path.stem, [])) for path in paths)
        faces = tuple(tuple(face.meta.landmarks for face in there) for there in owners)
        return cls(tuple(paths), faces, owners)

    def index(self, stem: str) -> int:
        """The place of the frame of this name."""
        return self._places[stem]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {path.stem: index for index, path in enumerate(self.frames)}

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

    def subjects(self, index: int, look: FrameSettings) -> dict[int, Subject]:
        """The faces of frame `index` that are laid over it, by their number in the frame."""
        return {
            number: Subject(
                points,
                look.action(number) == "leave",
                self._motion(index, number, look.settings),
                (index, number),
                self._near(index, number, look.settings),
                own=self._owner(index, number, look.settings),
            )
            for number, points in enumerate(self.faces[index])
            if look.action(number) != "skip"
        }

    def task(self, index: int, look: FrameSettings, model: str) -> Task:
        """What is to be done to frame `index`. model: what changes when the model's answers may."""
        settings, subjects = look.settings, tuple(self.subjects(index, look).values())
        # A frame that is passed on is the same whatever the model.
        untouched = is_untouched(subjects, settings)
        beside = [[(spot[0] - index, self._digests[spot]) for spot in face.near] for face in subjects]
        masks = [mask_mark(face.own) for face in subjects if face.own]
        if not untouched and needs_segmenter(settings.mask_mode):
            masks.append(self.segmenter())
        mark = "no face" if untouched else fingerprint(model, settings, subjects, beside, masks)
        return Task(self.frames[index], subjects, settings, mark)

    def _near(self, index: int, number: int, settings: MergeSettings) -> tuple[Spot, ...]:
        """The same face in the frames that the settings average over."""
        reach = max(settings.smooth_color, settings.smooth_mask)
        if not reach:
            return ()
        track = self.track(index, number)
        return tuple((at, track[at]) for at in range(index - reach, index + reach + 1) if at in track)

    def _owner(self, index: int, number: int, settings: MergeSettings) -> Face | None:
        """The face whose own mask the settings use; None where it has none."""
        if not self.owners or not needs_own(settings.mask_mode):
            return None
        face = self.owners[index][number]
        return face if mask_origin(face) != "hull" else None

    @cached_property
    def _digests(self) -> dict[Spot, str]:
        """Of each face's landmarks, for marks that name many."""
        return {
            (index, number): hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest()[:16]
            for index, faces in enumerate(self.faces)
            for number, points in enumerate(faces)
        }

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


def plan(clip_faces: ClipFaces, model: str, looks: Keyframes) -> list[Task]:
    """A task for every frame. Raises UserError where only some frames are the model's own pictures."""
    tasks = [clip_faces.task(index, looks.at(index), model) for index in range(len(clip_faces.frames))]
    raw = [task.stem for task in tasks if task.settings.mode == "raw-predict"]
    if raw and len(raw) < len(tasks):
        raise UserError(
            "raw-predict writes pictures of the model's size, and a clip has frames of one size",
            f"{len(raw)} of {len(tasks)} frames have that mode, the first is {raw[0]}",
            "give all frames that mode, or none",
        )
    return tasks


def fingerprint(
    model: str,
    settings: MergeSettings,
    subjects: Iterable[Subject] = (),
    beside: Sequence[Any] = (),
    masks: Sequence[str] = (),
) -> str:
    """Equal for frames that a merge would render equally.

    That is: model, look, the frame's faces, those beside, and the masks that come from elsewhere.
    """
    faces = [(face.landmarks.tolist(), face.leave, face.motion) for face in subjects]
    known = [model, settings.model_dump(mode="json"), faces, list(beside), *masks]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]
