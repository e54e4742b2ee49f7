"""Faces to mask; see tests/py."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Faceset, write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.types import FaceType, Side
from tests.toy_masks import SIDE, face_disc, landmarks_of

MakeSet = Callable[..., Faceset]


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    """Write `count` faces of consecutive frames; returns the open faceset."""

    def make(count: int, face_type: FaceType = FaceType.WHOLE, name: str = "aligned") -> Faceset:
        folder = tmp_path / "data_dst" / name
        for number in range(1, count + 1):
            points = landmarks_of(number)
            crop = np.rint(face_disc(points, face_type, SIDE) * 255).astype(np.uint8)
            to_face = crop_transform(points, SIDE, face_type)
            meta = FaceMeta(f"{number:05d}.png", to_face, SIDE, points, face_type, Side.DST, 0, 0.9)
            write_face(folder / f"{number:05d}_0.png", np.dstack([crop] * 3), meta)
        return Faceset.open(folder)

    return make
