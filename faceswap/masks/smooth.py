"""The masks of a faceset made steady along time, and how much they flickered before.

The bilateral filter along time: neighbours are laid over the face by their landmarks and weighed by how far
away they are and, pixel by pixel, by how alike the pictures are (Tomasi and Manduchi, "Bilateral filtering
for gray and color images", ICCV 1998; over pictures of another kind as in Petschnigg et al., "Digital
photography with flash and no-flash image pairs", SIGGRAPH 2004). A mask that trembles over a picture that
does not is noise and is averaged; where a hand moves over the face the pictures differ, and each frame keeps
its own. Windows and weights are symmetric in time, so nothing lags behind, not even at a track's ends.

A smoothed mask follows from the masks as their model gave them, which are kept beside it, and from the drawn
ones: smoothing twice gives what smoothing once gave, and `unsmooth` takes it back. Drawn masks stay as they
are. Faces are held in memory for a few frames only.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from faceswap.console import progress_bar
from faceswap.errors import UserError
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
from faceswap.geometry.geometry import compose_transforms, resize_transform
from faceswap.geometry.tracks import link_faces, with_gaps
from faceswap.io.files import natural_order
from faceswap.io.flow import ordered_map
from faceswap.types import Frame, Image, Json, Mask, Points, Transform

T = TypeVar("T")

# Frames on either side that count, and the standard deviation of their weights, in frames.
REACH = 8
_SIGMA_FRAMES = 8.0
# Pictures are compared at this size, blurred, and averaged over patches of this side.
_PICTURE_PX = 128
_BLUR_PX = 1.0
_PATCH_PX = 7
# Differences of pictures (root mean square over a patch) and of masks at which a neighbour counts e^-½. A
# mask that differs no more than that is no moving edge, whatever the picture does.
_SIGMA_PICTURE = 0.02
_SIGMA_MASK = 0.15


class Glimpse(NamedTuple):
    """A face at one moment. mask: (S, S); points: (68, 2) landmarks in its pixels; picture: to compare."""

    mask: Mask
    points: Points
    picture: Image

    @classmethod
    def of(cls, crop: Frame, mask: Mask, points: Points) -> "Glimpse":
        """crop: of any size, showing the mask's square."""
        small = cv2.resize(crop, (_PICTURE_PX, _PICTURE_PX), interpolation=cv2.INTER_AREA)
        picture = small.astype(np.float32) / np.float32(np.iinfo(crop.dtype).max)
        return cls(mask, points, np.asarray(cv2.GaussianBlur(picture, (0, 0), _BLUR_PX), np.float32))


def windowed(items: Iterable[T], reach: int = REACH) -> Iterator[list[T]]:
    """Each item in the middle of as many neighbours before it as after, at most `reach` on either side."""
    held: deque[T] = deque(maxlen=2 * reach + 1)
    place = 0
    for item in items:
        place -= len(held) == held.maxlen
        held.append(item)
        if place == len(held) - 1 - reach:
            yield _around(held, place, reach)
            place += 1
    for rest in range(place, len(held)):
        yield _around(held, rest, reach)


def steadied(window: Sequence[Glimpse]) -> Mask:
    """The mask in the middle of a window of odd length, averaged with those of its neighbours in time."""
    middle = len(window) // 2
    own = window[middle]
    total, weights = own.mask.copy(), np.ones_like(own.mask)
    for place, other in enumerate(window):
        if place == middle:
            continue
        near = np.exp(-(((place - middle) / _SIGMA_FRAMES) ** 2) / 2)
        to_own = fit_affine(other.points, own.points)
        laid = _laid(other.mask, to_own)
        close = np.exp(-((laid - own.mask) ** 2) / (2 * _SIGMA_MASK**2)) * _shown(other.mask.shape, to_own)
        weight = np.float32(near) * np.maximum(_likeness(other, own, to_own), close)
        total += weight * laid
        weights += weight
    return np.asarray(total / weights, np.float32)


def flicker(before: Glimpse, after: Glimpse) -> float:
    """Mean absolute change of the mask from one frame to the next, laid over each other by the landmarks.

    Over those pixels of the crop that both show.
    """
    to_after = fit_affine(before.points, after.points)
    both = _shown(before.mask.shape, to_after) == 1
    change = np.abs(_laid(before.mask, to_after) - after.mask)[both]
    return float(change.mean()) if change.size else 0.0


def fit_affine(source: Points, target: Points) -> Transform:
    """The affine transform source_to_target of least squares; both (N, 2)."""
    homogeneous = np.column_stack([source.astype(np.float64), np.ones(len(source))])
    solved = np.linalg.lstsq(homogeneous, target.astype(np.float64), rcond=None)[0]
    return np.asarray(solved.T, np.float64)


def _around(held: Sequence[T], place: int, reach: int) -> list[T]:
    near = min(reach, place, len(held) - 1 - place)
    return list(held)[place - near : place + near + 1]


def _likeness(other: Glimpse, own: Glimpse, to_own: Transform) -> Mask:
    """How much each pixel of the mask shows the same in both, 0 … 1; 0 beyond what the other shows."""
    size_px = len(own.mask)
    down, up = resize_transform(size_px, _PICTURE_PX), resize_transform(_PICTURE_PX, size_px)
    moved = compose_transforms(down, compose_transforms(to_own, up))
    side = (_PICTURE_PX, _PICTURE_PX)
    laid = cv2.warpAffine(other.picture, moved, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    squared = cv2.blur(((laid - own.picture) ** 2).mean(2), (_PATCH_PX, _PATCH_PX))
    alike = np.exp(-squared / (2 * _SIGMA_PICTURE**2)) * _shown(side, moved)
    return np.asarray(cv2.resize(alike, (size_px, size_px), interpolation=cv2.INTER_LINEAR), np.float32)


def _laid(mask: Mask, a_to_b: Transform) -> Mask:
    return np.asarray(cv2.warpAffine(mask, a_to_b, mask.shape[1::-1], flags=cv2.INTER_LINEAR), np.float32)


def _shown(shape: tuple[int, ...], a_to_b: Transform) -> Mask:
    """1 where b shows what a shows, 0 beyond."""
    return _laid(np.ones(shape, np.float32), a_to_b)


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
