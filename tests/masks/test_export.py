"""Masks leave the set as pictures of the crop's or the frame's size, labelled faces as a set of their own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.polygons import Polygon, polygons_to_json, rasterise, read_polygons
from faceswap.faceset.store import Faceset, rewrite_meta
from faceswap.faceset.stored_masks import mask_path, read_mask
from faceswap.io.images import read_mask as read_grey
from faceswap.io.images import write_image
from faceswap.masks.apply import apply
from faceswap.masks.export import export_crops, export_frames, fetch
from tests.toy_masks import SIDE, Bright, face_disc

MakeSet = Callable[..., Faceset]
POINTS = np.array([(20, 20), (70, 20), (70, 70), (20, 70)], np.float32)
SQUARE = polygons_to_json([Polygon("include", POINTS)])


def draw(faceset: Faceset, *numbers: int) -> Faceset:
    for number in numbers:
        face = faceset.faces[number]
        rewrite_meta(face.path, replace(face.meta, polygons=SQUARE))
    return Faceset.open(faceset.folder)


def test_crops_get_the_mask_that_counts_in_their_own_size(make_set: MakeSet) -> None:
    faceset = draw(make_set(3), 1)
    apply(faceset, Bright(input_px=128), 2, 2, "dst")
    mask_path(faceset.faces[2].path).write_bytes(b"damage")
    target = faceset.folder.parent / "out"
    done = export_crops(faceset, target, 2)
    assert done.written == 2 and set(done.failed) == {"00003_0.png"}
    stored, drawn = (read_grey(target / f"0000{number}_0.png") for number in (1, 2))
    truth = face_disc(faceset.faces[0].meta.landmarks, faceset.face_type, SIDE)
    assert np.abs(stored - truth).mean() < 0.01
    assert np.abs(drawn - rasterise(read_polygons(faceset.faces[1].meta), 96, 96)).max() < 0.003


def test_frames_get_the_masks_of_all_their_faces_and_black_without_one(make_set: MakeSet) -> None:
    faceset = make_set(2)
    apply(faceset, Bright(input_px=256), 2, 2, "dst")
    frames = [faceset.folder.parent / f"0000{number}.png" for number in (1, 2, 3)]
    for path in frames:
        write_image(path, np.zeros((480, 640, 3), np.uint8))
    target = faceset.folder.parent / "out"
    assert export_frames(faceset, frames, target, 2) == (3, {})
    for face in faceset.faces:
        mask = read_grey(target / face.meta.source)
        assert mask.shape == (480, 640)
        y, x = np.indices(mask.shape)
        middle = np.array([(x * mask).sum(), (y * mask).sum()]) / mask.sum()
        # The disc is around the nose tip.
        assert np.abs(middle - face.meta.landmarks[30]).max() < 1
    assert not read_grey(target / "00003.png").any()


def test_labelled_faces_are_copied_with_their_masks_as_a_faceset(make_set: MakeSet) -> None:
    faceset = draw(make_set(3), 0, 2)
    apply(faceset, Bright(), 2, 2, "dst")
    target = faceset.folder.with_name("aligned_masks")
    assert fetch(faceset, target, move=False) == 2
    fetched = Faceset.open(target)
    assert [face.path.name for face in fetched.faces] == ["00001_0.png", "00003_0.png"]
    assert all(face.meta.polygons == SQUARE and read_mask(face) is not None for face in fetched.faces)
    assert len(Faceset.open(faceset.folder).faces) == 3
    with pytest.raises(UserError, match="holds 4 of these files already"):
        fetch(faceset, target, move=True)


def test_moving_takes_them_out_of_the_set(make_set: MakeSet) -> None:
    faceset = draw(make_set(3), 1)
    target = faceset.folder.with_name("aligned_masks")
    assert fetch(faceset, target, move=True) == 1
    assert [face.path.name for face in Faceset.open(faceset.folder).faces] == ["00001_0.png", "00003_0.png"]
    assert Faceset.open(target).faces[0].meta.polygons == SQUARE
