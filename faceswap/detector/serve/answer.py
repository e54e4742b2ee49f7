"""What the service says of one file: the verdict, where every face looks foreign, and what was looked at."""

import base64
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from faceswap.detector.data.gather import CROP_PX, FACE_TYPE
from faceswap.detector.network.judge import overlaid
from faceswap.detector.network.model import LIMITATIONS
from faceswap.detector.predict import Examiner, Seen, frame_scores
from faceswap.geometry.geometry import apply_transform, crop_transform, invert_transform
from faceswap.io.images import encode_image
from faceswap.media import guarded
from faceswap.types import Frame

# Faces with a heat map of their own, the most suspicious first; a long clip has hundreds of faces.
HEAT_MAPS = 16
# Longer side of what is sent back to be looked at.
_PICTURE_PX, _FRAME_PX = 960, 640


class Known(BaseModel):
    """Which detector judged: its folder's name, and the SHA-256 of its weights."""

    name: str
    sha256: str


class Face(BaseModel):
    """One face of one frame, in px of the upright picture as it was sent; pixel centres are at integers.

    box: left, top, right, bottom. score: P(fake). patches: how foreign each part of the face is, in [0, 1],
    rows from the top. corners: where the top-left, top-right and bottom-left corner of these patches lie.
    heat_map: the face in grey with the patches over it as a PNG data URI, for the 16 most suspicious faces.
    """

    frame: int
    time_s: float | None
    box: tuple[float, float, float, float]
    score: float
    patches: list[list[float]]
    corners: list[tuple[float, float]]
    heat_map: str | None


class Shown(BaseModel):
    """One frame that was looked at. score: of its most suspicious face, None without a face.

    width, height: in px, as sent; picture: a JPEG data URI, perhaps smaller.
    """

    frame: int
    time_s: float | None
    score: float | None
    width: int
    height: int
    picture: str


class Answer(BaseModel):
    """What is said of one file.

    probability: P(fake), of a picture its most suspicious face's, of a clip the mean over its frames; None
    where the label is undetermined, and then `reason` says why. threshold: above it a file is called fake.
    note: which frames of a long clip were judged. limits: what this verdict does not mean.
    """

    kind: Literal["picture", "clip"]
    label: Literal["real", "fake", "undetermined"]
    probability: float | None
    threshold: float
    reason: str
    note: str
    faces: list[Face]
    frames: list[Shown]
    detector: Known
    limits: list[str]


def examine(examiner: Examiner, path: Path, limits: guarded.Limits, detector: Known) -> Answer:
    """The answer on the file at `path`; raises guarded.TooLarge and guarded.Undecodable."""
    shown: list[Shown] = []
    with guarded.Guarded(path, limits) as file:
        still = file.kind == "picture"
        seen = list(examiner.look(_kept(file.frames(), shown, still)))
    judged = tuple(one.face for one in seen)
    if still:
        found = examiner.of_picture("", (shown[0].height, shown[0].width), judged)
    else:
        found = examiner.of_clip("", len(shown), judged)
    for frame, score in zip(shown, frame_scores(len(shown), found.faces).tolist(), strict=True):
        frame.score = None if math.isnan(score) else score
    ranked = sorted(range(len(found.faces)), key=lambda index: -found.faces[index].score)[:HEAT_MAPS]
    labels: dict[str, Literal["real", "fake"]] = {"Real": "real", "Fake": "fake"}
    return Answer(
        kind=file.kind,
        label=labels.get(found.label, "undetermined"),
        probability=found.score,
        threshold=examiner.threshold,
        reason=found.reason,
        note=_note(len(shown), file.total, limits.frames),
        faces=[_face(seen[index], still, index in ranked) for index in range(len(found.faces))],
        frames=shown,
        detector=detector,
        limits=list(LIMITATIONS),
    )


def _note(judged: int, total: int, most: int) -> str:
    if total > most:
        return f"{judged} of its {total} frames were judged, evenly spaced"
    return f"only {judged} of its {total} frames could be decoded" if judged < total else ""


def _kept(
    frames: Iterable[tuple[float, Frame]], kept: list[Shown], still: bool
) -> Iterator[tuple[float, Frame]]:
    """Pass frames on, and keep of each what is sent back."""
    most_px = _PICTURE_PX if still else _FRAME_PX
    for time_s, frame in frames:
        height, width = frame.shape[:2]
        kept.append(
            Shown(
                frame=len(kept), time_s=None if still else time_s, score=None, width=width, height=height,
                picture=_data_url("jpeg", _shrunk(frame, most_px)),
            )
        )  # fmt: skip
        yield time_s, frame


def _shrunk(frame: Frame, most_px: int) -> NDArray[np.uint8]:
    scale = min(1.0, most_px / max(frame.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _face(seen: Seen, still: bool, mapped: bool) -> Face:
    face = seen.face
    crop_to_frame = invert_transform(crop_transform(seen.landmarks, CROP_PX, FACE_TYPE))
    outer = np.array([(0, 0), (CROP_PX, 0), (0, CROP_PX)], np.float64)
    corners = apply_transform(crop_to_frame, outer - 0.5)
    return Face(
        frame=face.frame,
        time_s=None if still else face.time_s,
        box=face.box,
        score=face.score,
        patches=seen.patches.astype(np.float64).round(3).tolist(),
        corners=corners.astype(np.float64).round(2).tolist(),
        heat_map=_data_url("png", overlaid(seen.crop, seen.patches)) if mapped else None,
    )


def _data_url(kind: Literal["png", "jpeg"], picture: NDArray[np.uint8]) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(encode_image(f'.{kind}', picture, 85)).decode()}"
