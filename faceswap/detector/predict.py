"""A verdict on any picture, clip or folder of them: is there a forged face, how sure, and where."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.console import warn
from faceswap.detector.data.gather import cut
from faceswap.detector.measures.metrics import MINIMUM_FRAMES, video_score
from faceswap.detector.network.judge import Judge
from faceswap.errors import UserError
from faceswap.io.files import list_images, natural_order
from faceswap.io.images import DamagedImage, as_uint8, read_image
from faceswap.io.leftout import left_out, say_left_out
from faceswap.media.clips import VIDEO_SUFFIXES
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import probe
from faceswap.types import Frame, Json, Points

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


class Seen(NamedTuple):
    """A judged face and what it was judged by.

    landmarks (68, 2) in px of the frame, crop (S, S, 3), patches (G, G) in [0, 1]: how foreign each part is.
    """

    face: FaceVerdict
    landmarks: Points
    crop: NDArray[np.uint8]
    patches: NDArray[np.float32]


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

    analyst: FaceAnalyzer
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
        return self.of_picture(name, frame.shape, (seen.face for seen in self.look([(0.0, frame)])))

    def of_picture(self, name: str, shape: tuple[int, ...], faces: Iterable[FaceVerdict]) -> Prediction:
        """The verdict on a picture of `shape` (H, W, …) by its faces; in one too small none are sought."""
        if min(shape[:2]) < SMALLEST_PX:
            reason = f"{shape[1]}x{shape[0]} px are too few to judge a face by"
            return Prediction(name, "undetermined", None, reason=reason)
        faces = tuple(faces)
        if not faces:
            return Prediction(name, "undetermined", None, reason="no face was found")
        worst = max(face.score for face in faces)
        return Prediction(name, self._label(worst), worst, faces)

    def clip(self, path: Path, most_frames: int | None = None) -> Prediction:
        """The verdict on a clip, at most its first `most_frames` frames."""
        try:
            clip = surveyed(probe(path))
            if clip.several:
                warn(f"{path.name}: {clip.several}")
        except UserError as error:
            reason = "; ".join(filter(None, (error.what, error.found)))
            return Prediction(path.name, "undetermined", None, reason=reason)
        with Decoder(extract_command(clip, 0, False, ffmpeg_binary())) as decoder:
            frames = _Counted(islice(decoder.frames(), most_frames))
            faces = tuple(seen.face for seen in self.look(frames))
        return self.of_clip(path.name, frames.count, faces)

    def of_clip(self, name: str, frames: int, faces: tuple[FaceVerdict, ...]) -> Prediction:
        """The verdict on a clip by the faces of so many of its frames."""
        scores = frame_scores(frames, faces)
        whole = video_score(scores)
        if whole is None:
            usable = int(np.isfinite(scores).sum())
            reason = f"a face was found in {usable} of {frames} frames; {MINIMUM_FRAMES} are the least"
            return Prediction(name, "undetermined", None, faces, reason=reason)
        return Prediction(name, self._label(whole.mean), whole.mean, faces, whole.segments)

    def look(self, frames: Iterable[tuple[float, Frame]]) -> Iterator[Seen]:
        """Every face of timed frames, judged in batches."""
        found = (
            (number, time_s, face, cut(frame, face.landmarks))
            for number, (time_s, frame) in enumerate(frames)
            for face in self.analyst.find(frame)
        )
        while chunk := list(islice(found, 64)):
            verdicts = self.judge(crop for *_, crop in chunk)
            for (number, time_s, face, crop), verdict in zip(chunk, verdicts, strict=True):
                left, top, right, bottom = (float(x) for x in face.box)
                judged = FaceVerdict(number, time_s, (left, top, right, bottom), verdict.score)
                yield Seen(judged, face.landmarks, crop, verdict.patches)

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


def frame_scores(frames: int, faces: Iterable[FaceVerdict]) -> NDArray[np.float64]:
    """(frames,) P(fake) of each frame's most suspicious face, NaN where it has none."""
    scores = np.full(frames, np.nan)
    for face in faces:
        scores[face.frame] = np.fmax(scores[face.frame], face.score)
    return scores


def files_of(path: Path) -> list[Path]:
    """A file itself, or the pictures and clips right in a folder, sorted; UserError where there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        what = f"{path} is no regular file" if path.exists() else f"no file {path}"
        raise UserError(what, "", "name a picture, a clip, or a folder that holds some")
    clips = (p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
    both = {*list_images(path), *(p for p in clips if not p.name.startswith("."))}
    found = sorted(both, key=lambda one: natural_order(one.name))
    say_left_out(path, VIDEO_SUFFIXES)
    if not found:
        raise UserError(
            f"no picture and no clip in {path}", left_out(path), "name a file, or a folder that holds some"
        )
    return found
