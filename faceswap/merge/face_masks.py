"""Masks that the settings ask for and the swap's model does not give: the face's own, and a segmenter's.

A face's own mask is the one drawn for it or stored with the faceset. It stands for the hull in mask mode dst
and for what a segmenter would say in xseg-dst: somebody has looked at it, or it was smoothed. The segmenter
is asked, in batches, for the rest: dst in its own resolution, cut from the frame, and the swap itself
(deepfacelab.md §11.4). All of them come as (STORED_PX, STORED_PX) in the crop of the swap's model.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import cv2

from faceswap.faceset.store import Face
from faceswap.faceset.stored_masks import STORED_PX, known_mask
from faceswap.geometry.geometry import compose_transforms, crop_transform, invert_transform, resize_transform
from faceswap.geometry.warp import crop_face, resample
from faceswap.masks.crops import MaskNetwork, input_of, mask_in_crop
from faceswap.merge.masks import Prediction, parts_of
from faceswap.merge.settings import MaskMode
from faceswap.types import FaceType, Frame, Image, Mask, Points, Transform

Crop = TypeVar("Crop")
Answer = TypeVar("Answer")


def in_batches(
    network: Callable[[Sequence[Crop]], list[Answer]], crops: Sequence[Crop], batch_size: int
) -> list[Answer]:
    """The answers to all crops, from batches that are filled up where crops are few.

    Libraries choose other kernels for other sizes, whose sums differ in the last bit: a frame that is merged
    again on its own must come out as it does among others.
    """
    answers: list[Answer] = []
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        filler = [batch[0]] * (batch_size - len(batch))
        answers += network([*batch, *filler])[: len(batch)]
    return answers


class Asked(Protocol):
    """What a swap comes from: the face type of its crops, and what finds the face in crops."""

    @property
    def face_type(self) -> FaceType: ...
    @property
    def segmenter(self) -> MaskNetwork: ...


class Subject(Protocol):
    """A face of a frame: landmarks (68, 2), and the face of the faceset whose own mask is used."""

    @property
    def landmarks(self) -> Points: ...
    @property
    def own(self) -> Face | None: ...


class MaskInputs(NamedTuple):
    """What there is of a face for its masks besides the model's answer; landmarks (68, 2) in the frame.

    own: its own mask; crop: what the segmenter is shown of the frame; None where not needed or not there.
    swap: whether the segmenter is shown the swap.
    """

    landmarks: Points
    own: Mask | None = None
    crop: Image | None = None
    swap: bool = False


def needs_own(mode: MaskMode) -> bool:
    """Whether a mode uses a face's own mask."""
    return bool({"dst", "xseg-dst"} & parts_of(mode))


def needs_segmenter(mode: MaskMode) -> bool:
    """Whether a mode may have to ask a segmenter."""
    return bool({"xseg-prd", "xseg-dst"} & parts_of(mode))


def look_at(frame: Frame, faces: Sequence[Subject], mode: MaskMode, swap: Asked) -> tuple[MaskInputs, ...]:
    """What `mode` needs of each face of `frame`. UserError where its own mask is damaged."""
    parts = parts_of(mode)
    sights = []
    for landmarks, face in ((face.landmarks, face.own) for face in faces):
        own = own_mask(face, landmarks, swap.face_type) if face is not None and needs_own(mode) else None
        crop = None
        if "xseg-dst" in parts and own is None:
            crop = crop_face(frame, landmarks, swap.segmenter.input_px, swap.segmenter.face_type)
        sights.append(MaskInputs(landmarks, own, crop, "xseg-prd" in parts))
    return tuple(sights)


def own_mask(face: Face, landmarks: Points, face_type: FaceType) -> Mask | None:
    """The mask drawn or stored for a face, in a crop of `face_type`; None where there is neither."""
    mask, origin = known_mask(face.path, face.meta, STORED_PX)
    if origin == "hull":
        return None
    frame_to_crop = crop_transform(landmarks, STORED_PX, face_type)
    own_to_crop = compose_transforms(
        frame_to_crop, invert_transform(face.meta.resized(STORED_PX).frame_to_face)
    )
    return resample(mask, own_to_crop, STORED_PX, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)


def with_masks(
    sights: Sequence[MaskInputs], predictions: Sequence[Prediction], swap: Asked, batch_size: int
) -> list[Prediction]:
    """Predictions with the masks of what was seen."""
    pairs = list(zip(sights, predictions, strict=True))
    done = [answer._replace(own_dst=sight.own, xseg_dst=sight.own) for sight, answer in pairs]
    if not any(sight.swap or sight.crop is not None for sight in sights):
        return done
    jobs = list(_jobs(pairs, swap.face_type, swap.segmenter))
    answers = in_batches(swap.segmenter, [job.crop for job in jobs], batch_size)
    for (number, name, _, crop_to_input, size_px), answer in zip(jobs, answers, strict=True):
        done[number] = done[number]._replace(**{name: mask_in_crop(answer, crop_to_input, size_px)})
    return done


class _Job(NamedTuple):
    """What the segmenter is shown, and the prediction and field that its answer goes to.

    crop_to_input: from a crop of side size_px of the swap's model to what is shown.
    """

    number: int
    name: str
    crop: Image
    crop_to_input: Transform
    size_px: int


def _jobs(
    pairs: Iterable[tuple[MaskInputs, Prediction]], face_type: FaceType, segmenter: MaskNetwork
) -> Iterator[_Job]:
    side, shown = segmenter.input_px, segmenter.face_type
    for number, (sight, prediction) in enumerate(pairs):
        if sight.crop is not None:
            crop_to_input = _between(sight.landmarks, (side, face_type), (side, shown))
            yield _Job(number, "xseg_dst", sight.crop, crop_to_input, side)
        if sight.swap:
            size_px = len(prediction.face)
            crop_to_input = _between(sight.landmarks, (size_px, face_type), (side, shown))
            picture = input_of(prediction.face, crop_to_input, side)
            yield _Job(number, "xseg_prd", picture, crop_to_input, size_px)


def _between(landmarks: Points, a: tuple[int, FaceType], b: tuple[int, FaceType]) -> Transform:
    """a_to_b of two crops of a face, given by side and type."""
    if a[1] is b[1]:
        return resize_transform(a[0], b[0])
    return compose_transforms(crop_transform(landmarks, *b), invert_transform(crop_transform(landmarks, *a)))
