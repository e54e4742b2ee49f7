"""How detectable a model's swaps became while it was trained: its checkpoints on the same few frames.

For developers and teaching. It chooses nothing: what merges takes the newest checkpoint, and reads no report.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap.console import progress, warn
from faceswap.detector.data.gather import cut
from faceswap.detector.measures.metrics import uniform_frames
from faceswap.detector.network.judge import Judge
from faceswap.errors import UserError
from faceswap.geometry.warp import crop_face
from faceswap.io.documents import DocumentError, fitted, read_settings
from faceswap.io.images import DamagedImage, read_image
from faceswap.learn import checkpoint
from faceswap.merge.predict import Predictor, predictor_of
from faceswap.merge.render import Subject, render
from faceswap.merge.settings import MergeSettings
from faceswap.types import Points


class Shot(NamedTuple):
    """A frame that every checkpoint merges: its place among all, its file, its faces and their crops."""

    place: int
    file: Path
    faces: list[Points]
    crops: list[NDArray[np.uint8]]


class Judged(NamedTuple):
    """Scores (N,) of the untouched and the merged faces of one checkpoint, and the place of each's frame."""

    iteration: int
    real: NDArray[np.float64]
    fake: NDArray[np.float64]
    places: NDArray[np.int64]


def judge_checkpoints(
    run: Path, shots: Sequence[Shot], look: MergeSettings, judge: Judge, dtype: torch.dtype
) -> Iterator[Judged]:
    """Every intact checkpoint of model folder `run`, by iteration, merged alike over the same frames."""
    paths = sorted(path for path in (run / "checkpoints").glob("*") if path.name.isdigit())
    places = np.array([shot.place for shot in shots for _ in shot.faces], np.int64)
    real = _scores(judge, (crop for shot in shots for crop in shot.crops))
    for path in progress(paths, "checkpoints", "checkpoints"):
        try:
            predictor = load_checkpoint(path, judge.device, dtype)
        except UserError as error:
            warn(str(error))
            continue
        merged = (crop for shot in shots for crop in _merged(shot, predictor, look))
        yield Judged(int(path.name), real, _scores(judge, merged), places)


def load_checkpoint(path: Path, device: torch.device, dtype: torch.dtype) -> Predictor:
    """The model of one checkpoint directory; UserError when it is damaged or no face-swap model."""
    return predictor_of(checkpoint.read(path, ["weights"]), path.parent.parent.name, device, dtype)


def take_shots(frames: dict[str, Path], faces: dict[str, list[Points]], wanted: int) -> list[Shot]:
    """`wanted` frames with a face, spread evenly; damaged ones are passed over."""
    there = [(place, stem) for place, stem in enumerate(frames) if faces.get(stem)]
    shots = []
    for place, stem in (there[index] for index in uniform_frames(len(there), wanted)):
        try:
            frame = read_image(frames[stem])
        except DamagedImage as error:
            warn(str(error))
            continue
        shots.append(Shot(place, frames[stem], faces[stem], [cut(frame, where) for where in faces[stem]]))
    return shots


def merged_look(path: Path) -> MergeSettings:
    """The look that stages.merge saved in `path`, or the usual one where nothing is saved."""
    if not path.is_file():
        return MergeSettings()
    saved = read_settings(path, "merge again")
    try:
        known = {name: saved[name] for name in MergeSettings.model_fields if name in saved}
        return fitted(known, MergeSettings)
    except DocumentError as error:
        raise UserError(f"{path} holds no settings of a merge", str(error), "merge again") from None


def _merged(shot: Shot, predictor: Predictor, look: MergeSettings) -> list[NDArray[np.uint8]]:
    """The crops of a frame's faces after the swap."""
    frame = read_image(shot.file)
    crops = [crop_face(frame, where, predictor.resolution, predictor.face_type) for where in shot.faces]
    subjects = [Subject(where) for where in shot.faces]
    merged, _ = render(frame, subjects, predictor(crops), predictor.face_type, look, predictor.resolution)
    return [cut(merged, where) for where in shot.faces]


def _scores(judge: Judge, crops: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.array([verdict.score for verdict in judge(crops)], np.float64)
