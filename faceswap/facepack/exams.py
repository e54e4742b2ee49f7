"""What the pack is measured on: pictures with true faces, none of which was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.augment.pictures import Picture, resize
from faceswap.errors import UserError
from faceswap.facepack.labels import hand_exact, landmarked
from faceswap.facepack.teachers import Teachers
from faceswap.geometry.boxes import Boxes, box_from_landmarks
from faceswap.geometry.landmarks import EYES, INNER, JAW, LIPS
from faceswap.io.documents import read_json
from faceswap.io.files import atomic_path
from faceswap.types import Points

EVALUATION_CLIPS = (
    "man_e_glasses", "woman_e_720p", "man_suit", "woman_earbuds", "host_1080p", "man_selfie_256",
)  # fmt: skip
JAW_YAW_DEG = 15.0
TEACHERS_PX = 640
EYES_AND_LIPS = np.concatenate([EYES, LIPS])


@dataclass(frozen=True)
class Question:
    """A picture and its truth: boxes (N, 4) that must be found, boxes (M, 4) that may be, points (68, 2) of
    the first face in px with the indices that count (none where there is no truth)."""

    name: str
    frame: Picture
    must: Boxes
    may: Boxes
    points: Points
    counted: NDArray[np.int64]


def actor(data: Path, which: str) -> Iterator[Question]:
    """All frames of actor "a" or "b" with rendered truth; the jaw counts within 15° of frontal."""
    told = read_json(data / "actors" / f"actor_{which}.json")["frames"]
    for truth, frame in zip(told, frames(data / "actors" / f"actor_{which}.mp4"), strict=True):
        # The files count from the pixel's corner, we from its centre.
        points = np.array(truth["landmarks68"], np.float32) - 0.5
        box = box_from_landmarks(points)[None]
        counted = np.concatenate([JAW, INNER]) if abs(truth["yaw"]) <= JAW_YAW_DEG else INNER
        yield Question(f"actor_{which} {truth['frame']}", frame, box, box, points, counted)


def held_back(data: Path) -> Iterator[Question]:
    """The 20 people of `landmarked` that never train, with their hand-placed eyes and lips."""
    teachers, counted = Teachers(data / "teachers"), hand_exact(data)
    for face in landmarked(data, teachers, held_back=True):
        box = box_from_landmarks(face.points)[None]
        yield Question(face.name, face.picture, box, box, face.points, counted)


def clip(data: Path, name: str, work: Path) -> Iterator[Question]:
    """All frames of an evaluation clip; truth is what YuNet and RFB-640 agree on, and FaceMesh."""
    path = next((data / "clips").glob(f"{name}.*"))
    stored = work / "answers" / f"{name}.npz"
    if not stored.is_file():
        _ask_teachers(path, stored, Teachers(data / "teachers"))
    answers = np.load(stored)
    for index, frame in enumerate(frames(path)):
        must, may = (answers[key][answers[f"{key}_at"] == index] for key in ("must", "may"))
        counted = EYES_AND_LIPS if len(must) else np.zeros(0, np.int64)
        yield Question(f"{name} {index}", frame, must, may, answers["points"][index], counted)


def frames(path: Path) -> Iterator[Picture]:
    """All frames of a clip, RGB uint8."""
    if not path.is_file():
        raise UserError(f"no clip {path}", "", "start the command again with --data DIR")
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def _ask_teachers(path: Path, stored: Path, teachers: Teachers) -> None:
    """The teachers' answers to all frames, kept, because they take longer than the pack's own."""
    must, may, points = [], [], []
    for frame in frames(path):
        scale = TEACHERS_PX / max(frame.shape[:2])
        small = resize(frame, round(frame.shape[1] * scale), round(frame.shape[0] * scale))
        found = teachers.agreed(small)
        must.append(found.boxes / scale)
        may.append(np.concatenate([teachers.yunet(small, 0.3).boxes, teachers.rfb(small, 0.3)]) / scale)
        # FaceMesh crops from the frame itself: the clips' faces are larger than its input.
        if len(found.boxes):
            largest = int((found.boxes[:, 2:] - found.boxes[:, :2]).prod(1).argmax())
            points.append(teachers.mesh(frame, found.five[largest] / scale))
        else:
            points.append(np.zeros((68, 2), np.float32))
    must_at, may_at = (
        np.repeat(np.arange(len(kind)), [len(boxes) for boxes in kind]) for kind in (must, may)
    )
    with atomic_path(stored) as temporary:
        np.savez(
            temporary,
            points=np.array(points, np.float32),
            must=np.concatenate(must),
            may=np.concatenate(may),
            must_at=must_at,
            may_at=may_at,
        )
