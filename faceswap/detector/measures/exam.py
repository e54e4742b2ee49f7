"""The exam: swaps by other programs that no training and no choice has seen (detection.md §0, §4.1).

DeepFaceLive's clips show the real person at left and the swap of the same frame at right. Each half is cut
out by the landmarks of the real one, and the halves of a frame are mirrored or not by the same draw, so
that neither side nor box can tell them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.console import progress
from faceswap.detector.data.gather import cut
from faceswap.detector.measures.intervals import cluster_interval
from faceswap.detector.measures.metrics import auc, rates_at
from faceswap.detector.network.judge import Judge
from faceswap.errors import UserError
from faceswap.facepack.exams import EVALUATION_CLIPS, frames
from faceswap.types import Frame

# Pairs judged at a time, and every so many-th frame of real clips.
_GROUP, _EVERY = 32, 5
_SEED = 9_000


@dataclass(frozen=True)
class Clip:
    """Scores of a clip's frames: reals (N,) and, where the clip has swaps, fakes (N,), in [0, 1]."""

    name: str
    reals: NDArray[np.float64]
    fakes: NDArray[np.float64]


def examine(data: Path, analyst: FaceAnalyzer, judge: Judge, thresholds: dict[str, float]) -> dict[str, Any]:
    """Figures on `data`/fakes/DeepFaceLive, and false positives on real clips kept for evaluation.

    Raises UserError where the clips are not there.
    """
    paths = sorted((data / "fakes" / "DeepFaceLive").rglob("*.mp4"))
    if not paths:
        raise UserError(
            f"no clips in {data / 'fakes' / 'DeepFaceLive'}", "", "name the folder with --data DIR"
        )
    rng = np.random.default_rng(_SEED)
    swapped = [_judged(path.stem, _halves(path, rng), analyst, judge) for path in paths]
    real_paths = [path for name in EVALUATION_CLIPS for path in (data / "clips").glob(f"{name}.*")]
    real = [_judged(path.stem, _alone(path), analyst, judge) for path in real_paths]
    return {"swaps": _figures(swapped, thresholds), "real_clips": _false_positives(real, thresholds)}


def _figures(clips: list[Clip], thresholds: dict[str, float]) -> dict[str, Any]:
    scores = np.concatenate([part for clip in clips for part in (clip.reals, clip.fakes)])
    labels = np.concatenate(
        [np.full(len(part), label) for clip in clips for label, part in enumerate((clip.reals, clip.fakes))]
    )
    names = [clip.name for clip in clips for part in (clip.reals, clip.fakes) for _ in part]
    means = np.array([(clip.reals.mean(), clip.fakes.mean()) for clip in clips])
    return {
        "frames": len(scores) // 2,
        "frame_auc": auc(scores, labels),
        "frame_interval": cluster_interval(
            auc, scores, labels, names, np.random.default_rng(_SEED)
        ).to_json(),
        "clip_auc": auc(means.ravel(), np.tile([0, 1], len(clips))),
        "at_threshold": {
            fpr: rates_at(scores, labels, threshold)._asdict() for fpr, threshold in thresholds.items()
        },
        "clips": {
            clip.name: {
                "frame_auc": auc(
                    np.concatenate((clip.reals, clip.fakes)),
                    np.repeat([0, 1], [len(clip.reals), len(clip.fakes)]),
                ),
                "real": float(clip.reals.mean()),
                "fake": float(clip.fakes.mean()),
            }
            for clip in clips
        },
    }


def _false_positives(clips: list[Clip], thresholds: dict[str, float]) -> dict[str, Any]:
    return {
        clip.name: {"mean": float(clip.reals.mean())}
        | {fpr: float((clip.reals > threshold).mean()) for fpr, threshold in thresholds.items()}
        for clip in clips
        if len(clip.reals)
    }


def _judged(
    name: str, pictures: Iterator[tuple[Frame, Frame | None]], analyst: FaceAnalyzer, judge: Judge
) -> Clip:
    reals: list[float] = []
    fakes: list[float] = []
    shown = iter(progress(_crops(pictures, analyst), name, "frames"))
    while group := list(islice(shown, _GROUP)):
        reals += [verdict.score for verdict in judge([real for real, _ in group])]
        fakes += [verdict.score for verdict in judge([fake for _, fake in group if fake is not None])]
    return Clip(name, np.array(reals), np.array(fakes))


def _crops(
    pictures: Iterator[tuple[Frame, Frame | None]], analyst: FaceAnalyzer
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8] | None]]:
    for real, fake in pictures:
        for face in analyst.find(real)[:1]:
            yield cut(real, face.landmarks), None if fake is None else cut(fake, face.landmarks)


def _halves(path: Path, rng: np.random.Generator) -> Iterator[tuple[Frame, Frame | None]]:
    for frame in frames(path):
        middle = frame.shape[1] // 2
        real, fake = frame[:, :middle], frame[:, -middle:]
        mirrored = slice(None, None, -1 if rng.random() < 0.5 else 1)
        yield np.ascontiguousarray(real[:, mirrored]), np.ascontiguousarray(fake[:, mirrored])


def _alone(path: Path) -> Iterator[tuple[Frame, Frame | None]]:
    for frame in islice(frames(path), 0, None, _EVERY):
        yield frame, None
