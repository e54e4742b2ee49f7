"""How much the light and the masks of a merge tremble, with and without smoothing along the clip."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from faceswap.color.matching import Moment
from faceswap.geometry.tracks import Spot
from faceswap.merge.plan import ClipFaces, Task
from faceswap.merge.render import Subject
from faceswap.merge.settings import MergeSettings
from faceswap.merge.steady import ClipMeasures
from faceswap.types import Mask

# Pairs of frames, spread over the clip, whose masks are compared: enough for a mean.
_COMPARED = 200

_Smoothed: TypeAlias = Mapping[Spot, tuple[Subject, MergeSettings]]


class Flicker(NamedTuple):
    """light: median second difference of a face's mean colour, in 255ths; mask: mean change of its masks from
    one frame to the next, as a part of their area.
    """

    light: float
    mask: float


def flicker(clip: ClipFaces, measures: ClipMeasures, tasks: Iterable[Task]) -> tuple[Flicker, Flicker] | None:
    """Before and after, of the faces of `tasks` that are smoothed; None where none is in three frames."""
    faces = (
        (face, task.settings)
        for task in tasks
        for face in task.faces
        if face.near and measures.is_measured(face.spot)
    )
    smoothed = {face.spot: (face, settings) for face, settings in faces}
    runs = [run for run in _runs(clip, smoothed) if len(run) >= 3]
    if not runs:
        return None
    pairs = [pair for run in runs for pair in pairwise(run)]
    pairs = pairs[:: max(1, len(pairs) // _COMPARED)]
    before, after = (
        Flicker(
            _tremble([_means(measures, run, smoothed, on) for run in runs]),
            float(np.mean([_change(measures, pair, smoothed, on) for pair in pairs])),
        )
        for on in (False, True)
    )
    return before, after


def _runs(clip: ClipFaces, smoothed: Mapping[Spot, Any]) -> Iterator[list[Spot]]:
    """The smoothed faces of each track in consecutive frames."""
    left = dict.fromkeys(sorted(smoothed))
    while left:
        spot = next(iter(left))
        track, run = clip.track(*spot), []
        while spot in left:
            run.append(spot)
            del left[spot]
            spot = (spot[0] + 1, track.get(spot[0] + 1, -1))
        yield run


def _means(measures: ClipMeasures, run: Sequence[Spot], smoothed: _Smoothed, on: bool) -> Moment:
    """(T, 3) mean colours of a face."""
    faces = (smoothed[spot] for spot in run)
    return np.stack(
        [measures.light(face, settings.smooth_color if on else 0)[:3] for face, settings in faces]
    )


def _change(measures: ClipMeasures, pair: tuple[Spot, Spot], smoothed: _Smoothed, on: bool) -> float:
    """Mean change of the masks between two frames, of their area."""
    faces = (smoothed[spot] for spot in pair)
    first, second = (measures.masks(face, settings.smooth_mask if on else 0) for face, settings in faces)
    return float(np.mean([_changed(mask, second[name]) for name, mask in first.items()]))


def _tremble(tracks: Iterable[Moment]) -> float:
    """Median length of the second difference of mean colours (T, 3), in 255ths."""
    lengths = [np.linalg.norm(t[:-2] - 2 * t[1:-1] + t[2:], axis=1) for t in tracks]
    return float(255 * np.median(np.concatenate(lengths)))


def _changed(first: Mask, second: Mask) -> float:
    area = float(first.mean() + second.mean()) / 2
    return float(np.abs(first - second).mean()) / area if area else 0.0
