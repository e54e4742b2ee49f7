"""The same face followed through consecutive frames, by where its landmarks are and where they were going."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from faceswap.types import Points

# Where a face stands: position of its frame, and of the face among those of that frame.
Spot: TypeAlias = tuple[int, int]

# Farthest that landmarks lie, on average, from where they were or were going, in sides of the face. The
# evaluation clips reach 0.1 (a telephone in a shaking hand, 24 frames/s), shot and counter-shot 0.2 to 8; a
# cut to nearly the same place is left to the filter, which does not smooth across it.
_FARTHEST = 0.2
_NEVER = 1e6


@dataclass
class _Track:
    """A track that may go on: its spots, and the landmarks (68, 2) of its last face and of the one before."""

    spots: list[Spot]
    last: Points
    before: Points

    def costs(self, faces: Sequence[Points]) -> list[float]:
        """Distance of each face to where this one should be by now; `_NEVER` where it cannot be this one."""
        side = float(np.sqrt(np.ptp(self.last, axis=0).prod())) or 1.0
        expected = 2 * self.last - self.before
        costs = []
        for face in faces:
            moved, missed = (_distance(face, points) / side for points in (self.last, expected))
            costs.append(missed if min(moved, missed) <= _FARTHEST else _NEVER)
        return costs

    def go_on(self, spot: Spot, face: Points) -> None:
        self.spots.append(spot)
        self.before, self.last = self.last, face


def link_faces(frames: Iterable[Sequence[Points]]) -> list[list[Spot]]:
    """Tracks of faces through frames, each given by the landmarks (68, 2) of its faces in px.

    A frame that is missing or has no face is an empty sequence, which ends all tracks. Every face is in
    exactly one track. Of several ways to continue, the one that fits the movement best over all faces is
    taken (Hungarian method), so that faces which pass each other keep apart.
    """
    tracks: list[_Track] = []
    open_tracks: list[_Track] = []
    for position, faces in enumerate(frames):
        continued = _assign(open_tracks, faces)
        now = []
        for index, face in enumerate(faces):
            track = continued.get(index)
            if track is None:
                track = _Track([(position, index)], face, face)
                tracks.append(track)
            else:
                track.go_on((position, index), face)
            now.append(track)
        open_tracks = now
    return [track.spots for track in tracks]


def with_gaps(names: Sequence[str]) -> Iterator[str | None]:
    """Frame names in order, with None where the numbers at their ends skip one or count something else."""
    yield from names[:1]
    for before, name in pairwise(names):
        if not _follows(before, name):
            yield None
        yield name


def _assign(tracks: Sequence[_Track], faces: Sequence[Points]) -> dict[int, _Track]:
    """The track that each face continues, for those that continue one."""
    if not tracks or not faces:
        return {}
    costs = np.array([track.costs(faces) for track in tracks])
    # A tenth of a second to load, which most stages do not need.
    from scipy.optimize import linear_sum_assignment

    chosen = zip(*linear_sum_assignment(costs), strict=True)
    return {int(face): tracks[track] for track, face in chosen if costs[track, face] < _NEVER}


def _distance(first: Points, second: Points) -> float:
    return float(np.linalg.norm(first - second, axis=1).mean())


def _follows(before: str, name: str) -> bool:
    """Names without a number at the end follow by their order alone."""
    (stem, number), (next_stem, next_number) = _split(before), _split(name)
    if not number and not next_number:
        return True
    return bool(stem == next_stem and number and next_number) and int(next_number) == int(number) + 1


def _split(name: str) -> tuple[str, str]:
    stem = name.rstrip("0123456789")
    return stem, name[len(stem) :]
