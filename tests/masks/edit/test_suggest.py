"""Which faces are worth labelling."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from faceswap.faceset.store import Faceset
from faceswap.masks.edit.suggest import NAME, assess, suggest, uncertainty
from faceswap.types import FaceType, Image, Mask, Side


def test_uncertainty_is_zero_for_a_sure_mask_and_one_for_a_mask_that_knows_nothing() -> None:
    assert uncertainty(np.eye(8, dtype=np.float32)) == pytest.approx(0, abs=1e-4)
    assert uncertainty(np.full((8, 8), 0.5, np.float32)) == pytest.approx(1)


def test_the_least_certain_face_comes_first_then_what_is_unlike_it() -> None:
    unsure = [0.5, 0.9, 0.88, 0.4]
    features = np.array([[0, 0], [1, 0], [1.01, 0], [9, 9]], np.float32)
    assert suggest(unsure, features, 3) == [1, 3, 0]


def test_labelled_faces_are_never_suggested_and_their_likes_come_last() -> None:
    features = np.array([[0.0], [0.1], [5.0]], np.float32)
    assert suggest([1, 1, 0.5], features, 9, labelled=[0]) == [2, 1]


def test_every_look_is_covered_before_one_is_repeated() -> None:
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 20, (5, 3))
    features = np.repeat(centers, 40, 0) + rng.normal(0, 0.1, (200, 3))
    chosen = suggest(rng.uniform(0.4, 0.6, 200), features.astype(np.float32), 5)
    assert {index // 40 for index in chosen} == set(range(5))


class Counting:
    """Unsure by how dark a crop is; counts what it was shown."""

    face_type, input_px = FaceType.WHOLE, 32

    def __init__(self, identity: str = "one") -> None:
        self.identity, self.seen = identity, 0

    def __call__(self, crops: Sequence[Image]) -> list[Mask]:
        self.seen += len(crops)
        return [np.full((32, 32), crop.mean(), np.float32) for crop in crops]


def test_assessments_are_kept_until_the_face_or_the_model_changes(
    tmp_path: Path, make_faces: Callable[..., None]
) -> None:
    make_faces(tmp_path, 5, Side.DST)
    faces = Faceset.open(tmp_path).faces
    first = Counting()
    made = {face.path: told.uncertainty for face, told in assess(faces, first, batch_size=2)}
    assert first.seen == 5 and len(made) == 5
    again = Counting()
    known = {face.path: told.uncertainty for face, told in assess(faces, again)}
    assert again.seen == 0 and known == pytest.approx(made, abs=1e-5)
    faces[2].path.write_bytes(faces[2].path.read_bytes() + b"\0")
    assert len(list(assess(faces, again))) == 5 and again.seen == 1
    other = Counting("two")
    assert len(list(assess(faces, other))) == 5 and other.seen == 5
    (tmp_path / "masks" / NAME).write_text('{"torn')
    assert len(list(assess(faces, Counting()))) == 5


def test_faces_that_cannot_be_read_are_left_out_and_stopping_keeps_what_is_done(
    tmp_path: Path, make_faces: Callable[..., None]
) -> None:
    make_faces(tmp_path, 4, Side.DST)
    faces = Faceset.open(tmp_path).faces
    faces[1].path.unlink()
    assert len(list(assess(faces, Counting(), batch_size=2))) == 3
    (tmp_path / "masks" / NAME).unlink()
    asked = iter([True, False])
    assert len(list(assess(faces, Counting(), batch_size=2, is_wanted=lambda: next(asked)))) == 2
    again = Counting()
    assert len(list(assess(faces, again))) == 3 and again.seen == 1
