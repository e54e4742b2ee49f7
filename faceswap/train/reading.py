"""What a face-model pack reads off faces of the model's size: landmarks and who it is."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from faceswap.facepack.boxes import box_from_landmarks
from faceswap.faces.analysis import embed
from faceswap.faces.answers import NoAnswer
from faceswap.faces.geometry import apply_transform, crop_transform
from faceswap.faces.packs import Pack, load_pack
from faceswap.faces.placing import place
from faceswap.faces.template import HEAD_MODEL
from faceswap.types import FaceType, Frame, Points

# A frontal head large enough that no crop of it is an enlargement.
_HEAD_PX = 4.0


class FaceReader:
    """Knows where the face lies in a crop, so nothing has to be found."""

    def __init__(self, pack: Pack, face_type: FaceType) -> None:
        self._pack, self._face_type = pack, face_type

    @classmethod
    def load(cls, pack: str, face_type: FaceType) -> Self:
        """From the pack called `pack`. UserError where it is missing; ImportError without its libraries."""
        return cls(load_pack(pack), face_type)

    @property
    def knows_people(self) -> bool:
        """Whether the pack has a recogniser."""
        return self._pack.recogniser is not None

    def landmarks(self, crop: Frame) -> Points:
        """(68, 2) in pixels of an aligned crop, (R, R, 3) uint8; NoAnswer where they are of no use."""
        typical = _typical_landmarks(crop.shape[0], self._face_type)
        return place(self._pack, crop, box_from_landmarks(typical), 0).landmarks

    def embedding(self, crop: Frame, landmarks: Points) -> NDArray[np.float32]:
        """(D,) of length 1; only where the reader `knows_people`. NoAnswer where it is of no use."""
        vector = embed(self._pack, crop, landmarks)
        if vector is None:
            raise NoAnswer(f"the recogniser of {self._pack.folder} gives no vector")
        return vector / max(float(np.linalg.norm(vector)), 1e-6)


def _typical_landmarks(size_px: int, face_type: FaceType) -> Points:
    """Where the mean head's landmarks lie in a crop."""
    head = (_HEAD_PX * HEAD_MODEL[:, :2]).astype(np.float32)
    return apply_transform(crop_transform(head, size_px, face_type), head).astype(np.float32)
