"""Frames that a person should look at before the audience does."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import cv2
import numpy as np

from faceswap.geometry.landmarks import outer_eye_distance
from faceswap.merge.plan import ClipFaces
from faceswap.types import Points

Problem: TypeAlias = Literal["no face", "a jump", "a face at the edge"]

# A face moves this much farther than its neighbours' steps, in outer-eye distances: more is an error of the
# landmarks, or a cut.
_JUMP = 0.35


def problems(clip_faces: ClipFaces, height: int, width: int) -> dict[int, Problem]:
    """By frame, the gravest: no face though frames beside have one; landmarks that jump; a face cut off."""
    found: dict[int, Problem] = {}
    for index, faces in enumerate(clip_faces.faces):
        if not faces:
            found[index] = "no face"
        elif _jumps(clip_faces.faces, index):
            found[index] = "a jump"
        elif any(_leaves(face, height, width) for face in faces):
            found[index] = "a face at the edge"
    return found


def _jumps(clip: Sequence[tuple[Points, ...]], index: int) -> bool:
    """Whether the frame lies off the line between its neighbours by more than a face can move."""
    if not 0 < index < len(clip) - 1 or not (
        len(clip[index - 1]) == len(clip[index]) == len(clip[index + 1])
    ):
        return False
    triples = zip(clip[index - 1], clip[index], clip[index + 1], strict=True)
    for before, here, after in triples:
        off = np.linalg.norm(here - (before + after) / 2, axis=1).mean()
        if off > _JUMP * outer_eye_distance(here):
            return True
    return False


def _leaves(face: Points, height: int, width: int) -> bool:
    """Whether the hull of the landmarks touches the frame's border, where a mask would be cut."""
    left, top, across, down = cv2.boundingRect(face)
    return bool(left <= 0 or top <= 0 or left + across >= width or top + down >= height)
