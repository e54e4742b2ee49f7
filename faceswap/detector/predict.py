"""A verdict on any picture, clip or folder of them: is there a forged face, how sure, and where."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from faceswap.detector.gather import cut
from faceswap.detector.judge import Judge
from faceswap.detector.metrics import video_score
from faceswap.errors import UserError
from faceswap.faces.analysis import Analyst
from faceswap.io.clips import VIDEO_SUFFIXES
from faceswap.io.ffmpeg import extract_command, ffmpeg_binary
from faceswap.io.files import list_images
from faceswap.io.images import DamagedImage, as_uint8, read_image
from faceswap.io.pipes import Decoder
from faceswap.io.video import probe
from faceswap.types import Frame, Json

Label = Literal["Real", "Fake", "undetermined"]
# Shorter sides show no face that could be judged.
SMALLEST_PX = 48


@dataclass(frozen=True)
class FaceVerdict:
    """One face: its frame's number and time, its box (left, top, right, bottom) in px, and P(fake)."""

    frame: int
    time_s: float
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class Prediction:
    """What is said of one file.

    score: P(fake) of a picture's most suspicious face; of a clip the mean over its frames. None where nothing
    can be said, and then `reason` says why: it is never ½.
    """

    file: str
    label: Label
    score: float | None
    faces: tuple[FaceVerdict, ...] = field(default=())
    segments: float | None = None
    reason: str = ""

    def to_json(self) -> Json:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Examiner:
    """Finds the faces of files and has them judged. threshold: P(fake) above which a file is called fake."""

    analyst: Analyst
    judge: Judge
    threshold: float

    def file(self, path: Path, most_frames: int | None = None) -> Prediction:
        """The verdict on a picture or a clip; what cannot be read or shows no face is undetermined."""
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return self.clip(path, most_frames)
        try:
            frame = as_uint8(read_image(path))
        except DamagedImage as error:
            return Prediction(path.name, "undetermined", None, reason=error.reason)
        return self.picture(path.name, frame)

    def picture(self, name: str, frame: Frame) -> Prediction:
        """The verdict on one picture (H, W, 3)."""
        if min(frame.shape[:2]) < SMALLEST_PX:
            reason = f"{frame.shape[1]}x{frame.shape[0]} px are too few to judge a face by"
            return Prediction(name, "undetermined", None, reason=reason)
        faces = tuple(self.faces([(0.0, frame)]))
        if not faces:
            return Prediction(name, "undetermined", None, reason="no face was found")
        worst = max(face.score for face in faces)
        return Prediction(name, self._label(worst), worst, faces)

    def clip(self, path: Path, most_frames: int | None = None) -> Prediction:
        """The verdict on a clip, at most its first `most_frames` frames."""
        try:
            clip = probe(path)
        except UserError as error:
            return Prediction(path.name, "undetermined", None, reason=str(error))
        with Decoder(extract_command(clip, 0, False, ffmpeg_binary())) as decoder:
            seen = _Counted(islice(decoder.frames(), most_frames))
            faces = tuple(self.faces(seen))
        scores = np.full(seen.count, np.nan)
        for face in faces:
            scores[face.frame] = np.fmax(scores[face.frame], face.score)
        whole = video_score(scores)
        if whole is None:
            usable = int(np.isfinite(scores).sum())
            reason = f"a face was found in {usable} of {seen.count} frames, which is too few"
            return Prediction(path.name, "undetermined", None, faces, reason=reason)
        return Prediction(path.name, self._label(whole.mean), whole.mean, faces, whole.segments)

    def faces(self, frames: Iterable[tuple[float, Frame]]) -> Iterator[FaceVerdict]:
        """Every face of timed frames, judged in batches."""
        found = (
            (number, time_s, face.box, cut(frame, face.landmarks))
            for number, (time_s, frame) in enumerate(frames)
            for face in self.analyst.find(frame)
        )
        while chunk := list(islice(found, 64)):
            for (number, time_s, box, _), verdict in zip(chunk, self.judge(c[3] for c in chunk), strict=True):
                left, top, right, bottom = (float(x) for x in box)
                yield FaceVerdict(number, time_s, (left, top, right, bottom), verdict.score)

    def _label(self, score: float) -> Label:
        return "Fake" if score > self.threshold else "Real"


class _Counted:
    """Passes items on and knows how many there were."""

    def __init__(self, items: Iterable[tuple[float, Frame]]) -> None:
        self._items, self.count = items, 0

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        for item in self._items:
            self.count += 1
            yield item


def files_of(path: Path) -> list[Path]:
    """A file itself, or the pictures and clips right in a folder, sorted; UserError where there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"no file {path}")
    clips = [p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith(".")]
    found = sorted([*list_images(path), *clips])
    if not found:
        raise UserError(f"no picture and no clip in {path}", "", "name a file, or a folder that holds some")
    return found
