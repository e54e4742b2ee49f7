"""Every face of a comparison, frame by frame: what it scores, and what is kept of it for a closer look.

What is needed of a long clip is kept for a fixed number of faces; of the rest only scores stay.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.console import progress
from faceswap.detector.data.fakes import turn
from faceswap.detector.data.gather import CROP_PX
from faceswap.detector.data.manifest import difference_hash
from faceswap.detector.data.pairs import Comparison, Pair, Seen
from faceswap.detector.measures.metrics import uniform_frames
from faceswap.detector.network.judge import BATCH, Judge

# Pairs kept for what needs pixels: enough for an AUC, and for the grid to end in minutes on two cores.
KEPT = 64
SHOWN = 8
# Frames that follow each other look alike: an interval counts stretches, not frames, as independent.
_STRETCH, _SHORT_STRETCH, _SHORT_CLIP = 16, 8, 64


@dataclass(frozen=True)
class Row:
    """One face of the `place`-th judged frame: P(fake) of the untouched and of the finished one.

    box: left, top, right, bottom of the landmarks in px. detail: share of the untouched face's sharpness that
    is left. turn: how far the nose tip lies off the middle of the jaw, in sides of the crop. seam: how
    steep what the swap added is along the edge of its mask, in levels of 255 a px.
    """

    frame: str
    place: int
    face: int
    real: float
    fake: float
    box: tuple[float, float, float, float]
    detail: float
    turn: float
    seam: float


@dataclass
class Timeline:
    """What one pass over all frames leaves.

    margins: fake's logit less real's of both faces of a row. looks: the untouched face's difference hash.
    kept: pairs spread evenly. shown: frames spread evenly. most, least: the most and the least suspicious
    swapped face of each of 2 · SHOWN parts of the clip, because neighbours of one frame look like it.
    """

    frames: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    margins: list[tuple[float, float]] = field(default_factory=list)
    looks: list[NDArray[np.uint64]] = field(default_factory=list)
    kept: list[Pair] = field(default_factory=list)
    shown: list[Seen] = field(default_factory=list)
    most: dict[int, tuple[float, Pair]] = field(default_factory=dict)
    least: dict[int, tuple[float, Pair]] = field(default_factory=dict)
    without_face: int = 0
    damaged: list[str] = field(default_factory=list)

    @property
    def stretches(self) -> NDArray[np.int64]:
        """The stretch of frames to which each row belongs."""
        return np.array([row.place for row in self.rows], np.int64) // stretch_frames(len(self.frames))

    @property
    def kept_stretches(self) -> NDArray[np.int64]:
        """The same of each kept pair."""
        places = {name: place for place, name in enumerate(self.frames)}
        return np.array([places[pair.frame] for pair in self.kept]) // stretch_frames(len(self.frames))

    def extremes(self) -> tuple[list[Pair], list[Pair]]:
        """The SHOWN most and least suspicious of them, most telling first."""
        most = sorted(self.most.values(), key=_score, reverse=True)[:SHOWN]
        least = sorted(self.least.values(), key=_score)[:SHOWN]
        return [pair for _, pair in most], [pair for _, pair in least]

    def scores(self, which: str) -> NDArray[np.float64]:
        """P(fake) of each frame's most suspicious face, real or fake; NaN where there is none."""
        scores = np.full(len(self.frames), np.nan)
        for row in self.rows:
            scores[row.place] = np.fmax(scores[row.place], getattr(row, which))
        return scores


def judge_frames(comparison: Comparison, judge: Judge, every: int = 1) -> Timeline:
    """One pass over all frames, 64 crops judged at a time."""
    frames, faces = comparison.count(every)
    kept, shown = set(uniform_frames(faces, KEPT).tolist()), set(uniform_frames(frames, SHOWN).tolist())
    found = Timeline()
    looked = progress(comparison.seen(every), "judge", "frames", frames)
    for chunk in _chunks(looked):
        pairs = [pair for seen in chunk for pair in seen.pairs]
        verdicts = list(judge((crop for pair in pairs for crop in (pair.real, pair.fake)), BATCH))
        answers = iter(zip(pairs, verdicts[::2], verdicts[1::2], strict=True))
        for seen in chunk:
            if len(found.frames) in shown and seen.small is not None:
                found.shown.append(seen)
            for _ in seen.pairs:
                pair, real, fake = next(answers)
                if len(found.rows) in kept:
                    found.kept.append(pair)
                found.rows.append(measure(pair, len(found.frames), real.score, fake.score))
                found.margins.append((real.logit, fake.logit))
                found.looks.append(difference_hash(pair.real))
                part, ranked = len(found.frames) * 2 * SHOWN // max(1, frames), (fake.score, pair)
                found.most[part] = max(found.most.get(part, ranked), ranked, key=_score)
                found.least[part] = min(found.least.get(part, ranked), ranked, key=_score)
            found.damaged += [seen.damage] * bool(seen.damage)
            found.without_face += not seen.pairs and not seen.damage
            found.frames.append(seen.frame)
    return found


def measure(pair: Pair, place: int, real: float, fake: float) -> Row:
    """A pair and its scores as a row."""
    left, top = pair.landmarks.min(axis=0).tolist()
    right, bottom = pair.landmarks.max(axis=0).tolist()
    return Row(
        frame=pair.frame,
        place=place,
        face=pair.face,
        real=real,
        fake=fake,
        box=(left, top, right, bottom),
        detail=sharpness(pair.fake) / max(sharpness(pair.real), 1e-6),
        turn=turn(pair.crop_landmarks) / CROP_PX,
        seam=seam(pair),
    )


def sharpness(crop: NDArray[np.uint8]) -> float:
    """The variance of the grey crop's Laplacian."""
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def seam(pair: Pair) -> float:
    """See Row; 0 where the mask has no edge."""
    added = (pair.fake.astype(np.float32) - pair.real).mean(axis=2)
    # Sobel's weights add up to 8 steps of one px.
    steps = np.hypot(cv2.Sobel(added, cv2.CV_32F, 1, 0), cv2.Sobel(added, cv2.CV_32F, 0, 1)) / 8
    around = np.ones((3, 3), np.uint8)
    edge = (cv2.dilate(pair.mask, around) > 0.02) & (cv2.erode(pair.mask, around) < 0.98)
    return float(steps[edge].mean()) if edge.any() else 0.0


def stretch_frames(count: int) -> int:
    """How many frames that follow each other count as one in the interval of a clip of `count` frames."""
    return _SHORT_STRETCH if count < _SHORT_CLIP else _STRETCH


def _score(ranked: tuple[float, Pair]) -> float:
    return ranked[0]


def _chunks(looked: Iterable[Seen]) -> Iterator[list[Seen]]:
    """Frames in groups that fill a batch of the judge's."""
    chunk: list[Seen] = []
    for seen in looked:
        chunk.append(seen)
        if sum(len(one.pairs) for one in chunk) >= BATCH // 2 or len(chunk) == BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
