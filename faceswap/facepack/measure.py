"""How good a pack is: faces found, boxes without a face, landmark error; measured as the stages use it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from faceswap.align.analysis import FaceAnalyzer, FoundFace
from faceswap.align.packs import load_pack
from faceswap.console import progress
from faceswap.facepack import exams
from faceswap.facepack.exams import Question
from faceswap.geometry.boxes import iou_matrix
from faceswap.geometry.landmarks import outer_eye_distance
from faceswap.io.files import atomic_path
from faceswap.types import Frame, Json

LEAST_IOU = 0.5
# A box is without a face when it overlaps nothing that any teacher suspects, not even loosely.
_FACELESS_IOU = 0.3
_MOST_SHOWN = 48


@dataclass
class Score:
    """Counts of one exam; errors are fractions of the outer-eye distance, one a picture."""

    pictures: int = 0
    wanted: int = 0
    found: int = 0
    with_empty_box: int = 0
    errors: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def as_json(self) -> Json:
        """The figures people read: fractions, rounded to 1/10,000."""
        return {
            "pictures": self.pictures,
            "faces": self.wanted,
            "found": round(self.found / max(self.wanted, 1), 4),
            "pictures_with_a_box_without_a_face": round(self.with_empty_box / max(self.pictures, 1), 4),
            "landmark_error": round(float(np.mean(self.errors)), 4) if self.errors else None,
            "missed": self.missed[:_MOST_SHOWN],
            "empty_boxes": self.empty[:_MOST_SHOWN],
        }


def measure(pack: Path, data: Path, work: Path, every: int = 1) -> dict[str, Json]:
    """Run every exam on the pack in folder `pack`; `every` n-th picture only, for a quick look.

    Pictures of misses and of boxes without a face go to work/misses.
    """
    analyst = FaceAnalyzer(load_pack(str(pack)), min_face_px=0)
    papers: dict[str, Iterable[Question]] = {
        "actor_a": exams.actor(data, "a"),
        "actor_b": exams.actor(data, "b"),
        "held_back_people": exams.held_back(data),
    }
    papers |= {name: exams.clip(data, name, work) for name in exams.EVALUATION_CLIPS}
    scores = {}
    for name, questions in papers.items():
        sheet: list[Frame] = []
        scores[name] = _sit(progress(_every(questions, every), name, "pictures"), analyst, sheet)
        _write_sheet(work / "misses" / f"{name}.png", sheet)
    return {name: score.as_json() for name, score in scores.items()} | {"all_clips": _joined(scores)}


def table(scores: dict[str, Json]) -> str:
    """The scores as aligned lines for a terminal."""
    lines = [f"{'exam':<18}{'pictures':>9}{'found':>9}{'empty box':>11}{'landmark error':>16}"]
    for name, score in scores.items():
        error = "–" if score["landmark_error"] is None else f"{score['landmark_error']:.2%}"
        found, empty = score["found"], score["pictures_with_a_box_without_a_face"]
        lines.append(f"{name:<18}{score['pictures']:>9}{found:>9.2%}{empty:>11.2%}{error:>16}")
    return "\n".join(lines)


def _every(questions: Iterable[Question], step: int) -> Iterator[Question]:
    return (question for index, question in enumerate(questions) if index % step == 0)


def _joined(scores: dict[str, Score]) -> Json:
    joined = Score()
    for name in exams.EVALUATION_CLIPS:
        score = scores[name]
        joined.pictures += score.pictures
        joined.wanted += score.wanted
        joined.found += score.found
        joined.with_empty_box += score.with_empty_box
        joined.errors += score.errors
    return joined.as_json()


def _sit(questions: Iterable[Question], analyst: FaceAnalyzer, sheet: list[Frame]) -> Score:
    score = Score()
    for question in questions:
        faces = analyst.find(question.frame)
        boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        overlap = iou_matrix(question.must, boxes)
        hit = overlap.max(1, initial=0) >= LEAST_IOU
        suspected = np.concatenate([question.may, question.must])
        empty = iou_matrix(boxes, suspected).max(1, initial=0) < _FACELESS_IOU
        score.pictures += 1
        score.wanted += len(hit)
        score.found += int(hit.sum())
        score.with_empty_box += bool(empty.any())
        if not hit.all():
            score.missed.append(question.name)
        if empty.any():
            score.empty.append(question.name)
        if len(sheet) < _MOST_SHOWN and (empty.any() or not hit.all()):
            sheet.append(_picture(question, faces))
        if len(question.counted) and len(boxes):
            _compare(question, faces, score)
    return score


def _compare(question: Question, faces: list[FoundFace], score: Score) -> None:
    """The error of the found face that lies over the true points, if one does."""
    centers = np.array([face.landmarks[question.counted].mean(0) for face in faces])
    apart = np.linalg.norm(centers - question.points[question.counted].mean(0), axis=1)
    unit = outer_eye_distance(question.points)
    nearest = int(apart.argmin())
    if apart[nearest] > unit:
        return
    points = faces[nearest].landmarks[question.counted]
    error = np.linalg.norm(points - question.points[question.counted], axis=1).mean() / unit
    score.errors.append(float(error))


def _picture(question: Question, faces: list[FoundFace], size: int = 256) -> Frame:
    """The picture with true boxes in green and found ones in red, fitted into a square."""
    drawn = question.frame.copy()
    thick = max(1, drawn.shape[0] // 200)
    marked = [(box, (0, 220, 0)) for box in question.must] + [(face.box, (230, 0, 0)) for face in faces]
    for box, colour in marked:
        left, top, right, bottom = (int(value) for value in box)
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, thick)
    scale = size / max(drawn.shape[:2])
    small = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.zeros((size, size, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile


def _write_sheet(path: Path, tiles: list[Frame], across: int = 8) -> None:
    path.unlink(missing_ok=True)
    if not tiles:
        return
    tiles = [*tiles, *[np.zeros_like(tiles[0])] * (-len(tiles) % across)]
    rows = [np.hstack(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.vstack(rows)[..., ::-1])
