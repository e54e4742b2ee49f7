"""Training takes a face's drawn mask, else its stored one, else the hull, and notices when they change."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, rewrite_meta
from faceswap.faceset.stored_masks import STORED_PX, counted, mask_path, write_mask
from faceswap.train.data.cache import open_samples
from faceswap.train.data.samples import SampleStore
from faceswap.types import FaceType, Side

LEFT_HALF = polygons_to_json(
    [Polygon("include", np.array([(-0.5, -0.5), (47.5, -0.5), (47.5, 95.5), (-0.5, 95.5)], np.float32))]
)


@pytest.fixture
def faceset(tmp_path: Path, make_faces: Any) -> Faceset:
    """Three faces: drawn (the left half), stored (the upper half), and neither."""
    make_faces(tmp_path / "aligned", 3, Side.SRC)
    faces = Faceset.open(tmp_path / "aligned").faces
    rewrite_meta(faces[0].path, replace(faces[0].meta, polygons=LEFT_HALF))
    upper = np.zeros((STORED_PX, STORED_PX), np.float32)
    upper[: STORED_PX // 2] = 1
    for face in faces[:2]:
        write_mask(face, upper, "m")
    return Faceset.open(tmp_path / "aligned")


def samples(faceset: Faceset, face_type: FaceType = FaceType.WHOLE) -> SampleStore:
    return open_samples(faceset, face_type, 64, faceset.folder.parent / "cache", "src")


def test_masks_are_those_that_count_and_are_counted(faceset: Faceset) -> None:
    store = samples(faceset)
    # The outermost pixels are mixed with what lies beyond the crop.
    drawn, stored, hull = store.take([0, 1, 2])[:, 1:-1, 1:-1, 3] / 255
    assert np.all(drawn[:, :30] == 1) and not drawn[:, 32:].any()
    assert np.all(stored[:30] == 1) and not stored[32:].any()
    assert 0.1 < hull.mean() < 0.5
    assert counted(store.masks) == "masks: 1 drawn, 1 stored, 1 from the hull"
    assert samples(faceset).masks == store.masks, "the cache remembers"


def test_masks_are_cut_down_with_their_crop(faceset: Faceset) -> None:
    stored = samples(faceset, FaceType.FULL).take([1])[0, ..., 3] / 255
    rows = np.flatnonzero(stored.mean(1) > 0.5)
    assert rows[0] == 0 and stored.mean(1)[rows].min() > 0.5 and 10 < len(rows) < 54


@pytest.mark.parametrize("change", ["draw", "store", "remove"])
def test_a_changed_mask_makes_the_cache_anew(faceset: Faceset, change: str) -> None:
    before = samples(faceset).masks
    face = faceset.faces[2]
    if change == "draw":
        rewrite_meta(face.path, replace(face.meta, polygons=LEFT_HALF))
    elif change == "store":
        write_mask(face, np.ones((STORED_PX, STORED_PX), np.float32), "m")
    else:
        mask_path(faceset.faces[1].path).unlink()
    assert samples(Faceset.open(faceset.folder)).masks != before


def test_a_face_with_a_damaged_mask_is_left_out_and_named(faceset: Faceset) -> None:
    mask_path(faceset.faces[1].path).write_bytes(b"damage")
    store = samples(faceset)
    assert len(store) == 2 and "is damaged" in store.skipped["00001_0.png"]
