"""The masks of a faceset made steady along time, and how much they flickered before.

A smoothed mask follows from the masks as their model gave them, which are kept beside it, and from the drawn
ones: smoothing twice gives what smoothing once gave, and `unsmooth` takes it back. Drawn masks stay as they
are. Faces are held in memory for a few frames only.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2

from faceswap.console import progress_bar
from faceswap.errors import UserError
from faceswap.faces.tracks import link_faces, with_gaps
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import (
    STORED_PX,
    known_mask,
    mask_info,
    mask_path,
    read_unsmoothed,
    unsmoothed_path,
    write_smoothed,
)
from faceswap.io.files import natural_order
from faceswap.io.flow import ordered_map
from faceswap.masks.temporal import Glimpse, flicker, steadied, windowed
from faceswap.types import Json


@dataclass
class Flicker:
    """Mean absolute change of the mask between neighbouring frames, over `pairs` of faces."""

    pairs: int = 0
    _before: float = 0.0
    _after: float = 0.0

    def add(self, before: float, after: float) -> None:
        self.pairs += 1
        self._before += before
        self._after += after

    @property
    def before(self) -> float:
        return self._before / max(1, self.pairs)

    @property
    def after(self) -> float:
        return self._after / max(1, self.pairs)

    def to_json(self) -> Json:
        return {"before": round(self.before, 6), "after": round(self.after, 6), "pairs": self.pairs}


class _Moment(NamedTuple):
    """A face and what is seen of it; drawn: its mask is somebody's own work."""

    face: Face
    seen: Glimpse
    drawn: bool


def smooth(faceset: Faceset, workers: int, label: str) -> Flicker:
    """Store the smoothed mask of every face that has one; returns the flicker before and after."""
    tracks, told = face_tracks(faceset), Flicker()
    # Every worker is a thread of its own; OpenCV's threads on top would only fight for the cores.
    cv2.setNumThreads(1)
    with progress_bar(f"{label} smooth", "faces", sum(map(len, tracks))) as bar:
        for track in tracks:
            last: tuple[Glimpse, Glimpse] | None = None
            seen = (moment for moment in ordered_map(_look, track, workers) if moment is not None)
            for raw, done in ordered_map(_smooth_one, windowed(seen), workers):
                if last is not None:
                    told.add(flicker(last[0], raw), flicker(last[1], done))
                last = raw, done
                bar.update()
    return told


def unsmooth(faceset: Faceset) -> int:
    """Put back what smoothing changed; returns the number of masks."""
    kept = [face for face in faceset.faces if is_smoothed(face) and unsmoothed_path(face.path).is_file()]
    for face in kept:
        os.replace(unsmoothed_path(face.path), mask_path(face.path))
    return len(kept)


def is_smoothed(face: Face) -> bool:
    """Whether the stored mask of a face is a smoothed one."""
    return bool((mask_info(mask_path(face.path)) or {}).get("smoothed"))


def face_tracks(faceset: Faceset) -> list[list[Face]]:
    """The faces of each track, in order of time, followed from frame to frame by their landmarks."""
    by_frame = faceset.by_frame()
    in_time = [by_frame[name] if name else [] for name in with_gaps(sorted(by_frame, key=natural_order))]
    tracks = link_faces([[face.meta.landmarks for face in faces] for faces in in_time])
    return [[in_time[position][index] for position, index in track] for track in tracks]


def _look(face: Face) -> _Moment | None:
    """None where there is no mask, or it or the crop cannot be read."""
    try:
        crop, meta = read_face(face.path)
        mask, origin = known_mask(face.path, meta, STORED_PX)
        drawn = origin == "polygons" or mask_info(mask_path(face.path)) is None
        found = mask if drawn else read_unsmoothed(Face(face.path, meta))
    except (UserError, OSError):
        return None
    if origin == "hull" or found is None:
        return None
    points = meta.resized(STORED_PX).crop_landmarks()
    return _Moment(Face(face.path, meta), Glimpse.of(crop, found, points), drawn)


def _smooth_one(window: Sequence[_Moment]) -> tuple[Glimpse, Glimpse]:
    """Store the mask of the face in the middle; returns it as it was before smoothing, and as it is now."""
    face, raw, drawn = window[len(window) // 2]
    if drawn:
        return raw, raw
    done = raw._replace(mask=steadied([moment.seen for moment in window]))
    write_smoothed(face, done.mask)
    return raw, done
