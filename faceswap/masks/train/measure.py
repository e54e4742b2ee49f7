"""How good a mask model is on the people that were held back from training it."""

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from faceswap.console import progress
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.io.images import write_image
from faceswap.masks.segmenter import Segmenter
from faceswap.masks.train.generic import cut_layer
from faceswap.masks.train.generic_labels import LabelledFace, labelled_faces
from faceswap.masks.train.losses import mask_iou
from faceswap.masks.train.run import preview_sheet
from faceswap.types import Image, Json, Mask

_WORST_N = 12


def measure(segmenter: Segmenter, data: Path, work: Path) -> dict[str, Json]:
    """Mean and worst intersection over union, with counts, by set of held-back people.

    `segmented` is scored inside the mesh's face outline, everything else on the whole crop. The worst faces
    of each set go to work/worst/SET.png.
    """
    ious: dict[str, list[float]] = defaultdict(list)
    people: dict[str, set[str]] = defaultdict(set)
    shown: dict[str, list[tuple[float, Image, Mask, Mask]]] = defaultdict(list)
    for face in progress(labelled_faces(data, held_back=True), "measure", "faces"):
        image, truth, scored = _crop(face, segmenter)
        predicted = segmenter([image])[0]
        exam = exam_of(face)
        iou = mask_iou(predicted, truth, scored)
        ious[exam].append(iou)
        people[exam].add(face.person)
        shown[exam] = sorted([*shown[exam], (iou, image, truth, predicted)], key=lambda one: one[0])[
            :_WORST_N
        ]
    for exam, worst in shown.items():
        _, images, truths, predictions = zip(*worst, strict=True)
        title = f"{exam}: the worst of {len(ious[exam])}, from IoU {worst[0][0]:.3f}"
        write_image(work / "worst" / f"{exam}.png", preview_sheet(images, truths, predictions, title))
    return {
        exam: {
            "iou": round(float(np.mean(values)), 4),
            "worst": round(min(values), 4),
            "pictures": len(values),
            "people": len(people[exam]),
        }
        for exam, values in ious.items()
    }


def table(scores: dict[str, Json]) -> str:
    """The scores as aligned lines for a terminal."""
    lines = [f"{'set':<20}{'pictures':>9}{'people':>8}{'IoU':>8}{'worst':>8}"]
    for name, score in scores.items():
        row = (
            f"{name:<20}{score['pictures']:>9}{score['people']:>8}{score['iou']:>8.3f}{score['worst']:>8.3f}"
        )
        lines.append(row)
    return "\n".join(lines)


def exam_of(face: LabelledFace) -> str:
    """The set a held-back face is counted in; `segmented` is split by whether it looks ahead."""
    if face.source != "segmented":
        return face.source
    ahead = face.person.startswith("frontal") or "/yaw0_" in face.name
    return "segmented_frontal" if ahead else "segmented_turned"


def _crop(face: LabelledFace, segmenter: Segmenter) -> tuple[Image, Mask, Mask]:
    """A face's crop as the stages cut it, its truth and where it is scored."""
    side = segmenter.input_px
    frame_to_face = crop_transform(face.landmarks, side, segmenter.face_type)
    cut = [cut_layer(layer, frame_to_face, side) for layer in (face.mask, face.scored)]
    crop = cut_crop(face.picture, frame_to_face, side)
    image, truth, scored = (np.asarray(layer / np.float32(255), np.float32) for layer in (crop, *cut))
    inside = cv2.warpAffine(np.ones(face.mask.shape, np.float32), frame_to_face, (side, side))
    # Nobody painted what lies beyond the picture's edge.
    return image, truth, np.asarray(scored * inside, np.float32)
