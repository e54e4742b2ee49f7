"""The faces of a frame: which of the finder's boxes to believe, their landmarks, their embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.align.answers import NoAnswer, asked, tell_once
from faceswap.align.finding import TURNS, View, area, find_boxes, run_finder, views
from faceswap.align.packs import Pack
from faceswap.align.placing import Placed, place
from faceswap.geometry.boxes import Boxes, box_from_landmarks, iou_matrix
from faceswap.geometry.geometry import apply_transform, crop_transform, fit_similarity
from faceswap.geometry.landmarks import five_points
from faceswap.geometry.warp import cut_crop
from faceswap.io.images import as_uint8
from faceswap.types import FaceType, Frame, Points

# Least score of a box that is worth a second look, and how many such boxes get one at each turn.
_FAINT = 0.25
_FAINT_TRIED = 3
# The second look: side of its crop, overlap with where the landmarks say the face is, and what a face
# reaches there. With the shipped pack two pot plants of an evaluation clip reach 0.71 there; at 0.75 all
# faces of the exams are still found, and so are turned ones.
_LOOK_PX = 320
_SAME_PLACE_IOU = 0.4
_SURE_AGAIN = 0.75
_CALM_AGAIN = 0.04
# Two answers are one face when their landmarks' boxes share this much of the smaller one.
_SAME_FACE_SHARE = 0.4


@dataclass(frozen=True, eq=False)
class FoundFace:
    """box (4,) left, top, right, bottom and landmarks (68, 2) in frame pixels; score 0 … 1."""

    box: Boxes
    score: float
    landmarks: Points
    embedding: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class FaceAnalyzer:
    """Finds the faces of one frame at a time; may be called from several threads.

    min_face_px: boxes whose shorter side is smaller are ignored; large frames are searched in tiles for
    those that are not, which all must stand a second look. max_faces: the largest this many,
    0 = all. threshold: score from which the finder counts as sure. rotations: try other turns.

    A face the finder is sure of is kept if its landmarks settle (see `placing`). All others must stand
    a second look, from near and at the turn that suits them best: those that do not settle, and where
    no face is kept faint ones and those in the frame turned by 90, 270, 180 degrees.
    """

    pack: Pack
    min_face_px: int = 40
    max_faces: int = 0
    threshold: float = 0.5
    rotations: bool = True

    def __post_init__(self) -> None:
        self.pack.finder.prepare(0, det_thresh=min(_FAINT, self.threshold))

    def find(self, frame: Frame) -> list[FoundFace]:
        """The faces of an RGB frame (uint8 or uint16), largest box first."""
        levels: list[list[View]] = []
        upright: list[list[tuple[Boxes, float]]] = []
        faces: list[FoundFace] = []
        for level in views(frame, self.min_face_px):
            levels.append(level)
            upright.append(self._boxes(level, 0))
            fine = len(levels) > 1
            # Of tiles faint boxes, too: what they show is small, and a second look tells.
            least = 0.0 if fine else self.threshold
            seen = [(box, score) for box, score in upright[-1] if score >= least]
            faces = self._believed(frame, seen, 0, faces, prove=fine)
            # Finer tiles would only add smaller ones.
            if self.max_faces and len(faces) == self.max_faces:
                break
        for degrees in TURNS if self.rotations else (0,):
            for level, boxes in zip(levels, upright, strict=True):
                if faces:
                    break
                seen = self._boxes(level, degrees) if degrees else boxes
                likely = sorted(seen, key=lambda item: -item[1])[:_FAINT_TRIED]
                faces = self._believed(frame, likely, degrees, [], prove=True, wary=True)
        return [replace(face, embedding=embed(self.pack, frame, face.landmarks)) for face in faces]

    def _boxes(self, level: Sequence[View], degrees: int) -> list[tuple[Boxes, float]]:
        """Boxes and scores at one scale, largest first, without those that are too small."""
        found = find_boxes(self.pack, level, degrees)
        return [(box, score) for box, score in found if (box[2:] - box[:2]).min() >= self.min_face_px]

    def _believed(
        self,
        frame: Frame,
        boxes: Sequence[tuple[Boxes, float]],
        degrees: int,
        known: Sequence[FoundFace] = (),
        *,
        prove: bool = False,
        wary: bool = False,
    ) -> list[FoundFace]:
        """The known faces and the boxes that are faces, each once, at most `max_faces`, largest first.

        prove: take a second look at all. wary: and believe none whose landmarks do not settle, as is done
        with every faint box.
        """
        kept = list(known)
        if self.max_faces:
            # Some of the largest may prove to be no face, or one face twice.
            boxes = boxes[: 2 * self.max_faces + 2]
        fresh = [item for item in boxes if not any(_same_box(item[0], face.box) for face in known)]
        seen = ((box, score, self._placed(frame, box, degrees)) for box, score in fresh)
        answers = [(box, score, answer) for box, score, answer in seen if answer is not None]
        for box, score, placed in sorted(answers, key=lambda answer: answer[2].unrest):
            if any(_same_face(placed.landmarks, face.landmarks) for face in kept):
                continue
            proven: Placed | None = placed
            if prove or not placed.settled:
                proven = self._proven(frame, box, degrees, placed, wary or score < self.threshold)
            if proven is not None and not any(_same_face(proven.landmarks, face.landmarks) for face in kept):
                kept.append(FoundFace(box, score, proven.landmarks))
        kept.sort(key=lambda face: -area(face.box))
        return kept[: self.max_faces or None]

    def _proven(self, frame: Frame, box: Boxes, degrees: int, placed: Placed, wary: bool) -> Placed | None:
        """The answer that stands a second look: this one, or if it has not settled that of any turn."""
        if wary and not placed.settled:
            return None
        answers = [placed]
        if not placed.settled and self.rotations:
            # The box of a face seen the wrong way up is off, too: one more pass makes up for it.
            turned = [self._placed(frame, box, degrees + turn, passes=3) for turn in TURNS]
            answers = [answer for answer in turned if answer is not None] or answers
        scores = [self._second_look(frame, answer.landmarks) for answer in answers]
        best = int(np.argmax([score - answer.unrest for score, answer in zip(scores, answers, strict=True)]))
        stands = scores[best] >= _SURE_AGAIN and answers[best].unrest <= _CALM_AGAIN
        return answers[best] if stands else None

    def _placed(self, frame: Frame, box: Boxes, degrees: float, passes: int = 2) -> Placed | None:
        """Landmarks, None where the pack's answer is of no use, which is told once."""
        try:
            return place(self.pack, frame, box, degrees, passes)
        except NoAnswer as error:
            tell_once(f"{error.what}; such faces are passed over")
            return None

    def _second_look(self, frame: Frame, landmarks: Points) -> float:
        """The finder's score of a face in an upright crop around the landmarks, 0 if there is none."""
        frame_to_crop = crop_transform(landmarks, _LOOK_PX, FaceType.HEAD)
        crop = as_uint8(cut_crop(frame, frame_to_crop, _LOOK_PX))
        expected = box_from_landmarks(apply_transform(frame_to_crop, landmarks).astype(np.float32))
        seen = run_finder(self.pack, crop)
        there = iou_matrix(seen[:, :4], expected[None])[:, 0] >= _SAME_PLACE_IOU
        return float(seen[there, 4].max(initial=0))


def embed(pack: Pack, frame: Frame, landmarks: Points) -> NDArray[np.float32] | None:
    """The recogniser's vector of a face, (D,); None when the pack has none, or its answer is of no use."""
    recogniser = pack.recogniser
    if recogniser is None:
        return None
    from insightface.utils.face_align import arcface_dst

    input_px = int(recogniser.input_size[0])
    five = five_points(landmarks).astype(np.float64)
    frame_to_cut = fit_similarity(five, arcface_dst.astype(np.float64) * (input_px / 112))
    cut = as_uint8(cut_crop(frame, frame_to_cut, input_px))
    shown = cv2.cvtColor(cut, cv2.COLOR_RGB2BGR)
    embedding = asked(pack.folder, "recogniser", lambda: recogniser.get_feat(shown)).ravel()
    if not np.isfinite(embedding).all():
        tell_once(f"the recogniser of {pack.folder} answers what is no number: those faces have no vector")
        return None
    return embedding


def _same_box(first: Boxes, second: Boxes) -> bool:
    return bool(iou_matrix(first[None], second[None])[0, 0] > _SAME_PLACE_IOU)


def _same_face(first: Points, second: Points) -> bool:
    a, b = box_from_landmarks(first), box_from_landmarks(second)
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return bool(shared > _SAME_FACE_SHARE * min(area(a), area(b)))
