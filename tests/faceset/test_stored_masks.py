"""Masks beside a set: they come back, follow their crop, and are told from damaged and foreign ones."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Face, read_meta, rewrite_meta, write_face
from faceswap.faceset.stored_masks import (
    STORED_PX,
    count_known,
    is_current,
    known_mask,
    mask_mark,
    mask_path,
    read_mask,
    read_unsmoothed,
    unsmoothed_path,
    write_mask,
    write_smoothed,
)
from faceswap.geometry.geometry import HEAD_MODEL, apply_transform, crop_transform
from faceswap.geometry.landmarks import hull_mask
from faceswap.io.images import write_mask as write_grey
from faceswap.types import FaceType, Mask, Points, Side

LANDMARKS = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
SIDE = 128


def make(
    folder: Path, landmarks: Points = LANDMARKS, face_type: FaceType = FaceType.WHOLE, suffix: str = ".png"
) -> Face:
    to_face = crop_transform(landmarks, SIDE, face_type)
    meta = FaceMeta("00001.png", to_face, SIDE, landmarks, face_type, Side.DST, 0, 0.9)
    path = folder / f"00001_0{suffix}"
    write_face(path, np.full((SIDE, SIDE, 3), 90, np.uint8), meta)
    return Face(path, meta)


def disc(x: float = 128, y: float = 128, radius: float = 60) -> Mask:
    yy, xx = np.indices((STORED_PX, STORED_PX), np.float32)
    return np.clip(radius - np.hypot(xx - x, yy - y), 0, 1).astype(np.float32)


def center(mask: Mask) -> Points:
    yy, xx = np.indices(mask.shape, np.float32)
    return np.array([(xx * mask).sum(), (yy * mask).sum()]) / mask.sum()


def test_a_soft_mask_comes_back_to_within_half_a_level_of_eight_bits(tmp_path: Path) -> None:
    face = make(tmp_path)
    soft = np.random.default_rng(0).random((STORED_PX, STORED_PX), np.float32)
    write_mask(face, soft, "m")
    read = read_mask(face)
    assert read is not None and np.abs(read - soft).max() <= 0.5 / 255 + 1e-6


def test_without_a_mask_there_is_none(tmp_path: Path) -> None:
    assert read_mask(make(tmp_path)) is None


@pytest.mark.parametrize("face_type", [FaceType.WHOLE, FaceType.HEAD, FaceType.FULL])
def test_a_mask_lands_in_the_same_place_of_the_frame_when_its_crop_is_cut_anew(
    tmp_path: Path, face_type: FaceType
) -> None:
    before = make(tmp_path)
    write_mask(before, disc(120, 140), "m")
    after = make(tmp_path, LANDMARKS + np.float32(7), face_type)
    moved = read_mask(after)
    assert moved is not None
    in_frames = []
    for face, mask in ((before, disc(120, 140)), (after, moved)):
        crop_to_frame = cv2.invertAffineTransform(face.meta.resized(STORED_PX).frame_to_face)
        in_frames.append(apply_transform(crop_to_frame, center(mask)[None]))
    assert np.abs(in_frames[0] - in_frames[1]).max() < 0.5


def test_a_mask_of_another_frame_is_not_taken_for_this_faces(tmp_path: Path) -> None:
    face = make(tmp_path)
    write_mask(face, disc(), "m")
    assert read_mask(Face(face.path, replace(face.meta, source="00002.png"))) is None


@pytest.mark.parametrize("size_px", [64, 256, 300, 512])
def test_a_mask_saved_by_another_program_in_another_size_covers_the_same(
    tmp_path: Path, size_px: int
) -> None:
    face = make(tmp_path)
    write_grey(mask_path(face.path), cv2.resize(disc(), (size_px, size_px), interpolation=cv2.INTER_AREA))
    read = read_mask(face)
    assert read is not None and np.abs(read - disc()).mean() < 0.01
    assert is_current(face, "m"), "somebody's own work is not made anew"


def test_damaged_masks_are_named_with_what_to_do(tmp_path: Path) -> None:
    face = make(tmp_path)
    write_mask(face, disc(), "m")
    whole = mask_path(face.path).read_bytes()
    for damage in (whole[:-40], b"", b"no picture"):
        mask_path(face.path).write_bytes(damage)
        with pytest.raises(UserError, match=r"00001_0\.png is damaged") as caught:
            known_mask(face.path, face.meta, SIDE)
        assert "stages.mask_apply" in caught.value.hint
    write_grey(mask_path(face.path), np.zeros((60, 80), np.float32))
    with pytest.raises(UserError, match="80×60 pixels, not square"):
        read_mask(face)
    assert not is_current(face, "m"), "nobody can use it"


def test_polygons_count_before_the_stored_mask_and_that_before_the_hull(tmp_path: Path) -> None:
    face = make(tmp_path)
    hull, origin = known_mask(face.path, face.meta, SIDE)
    assert origin == "hull"
    assert np.array_equal(hull, hull_mask(face.meta.crop_landmarks(), SIDE, SIDE))
    write_mask(face, disc(), "m")
    stored, origin = known_mask(face.path, face.meta, SIDE)
    assert (
        origin == "stored" and np.abs(stored - cv2.resize(disc(), (SIDE, SIDE), interpolation=3)).max() < 0.01
    )
    square = np.array([(10, 10), (60, 10), (60, 60), (10, 60)], np.float32)
    drawn = replace(face.meta, polygons=polygons_to_json([Polygon("include", square)]))
    mask, origin = known_mask(face.path, drawn, 2 * SIDE)
    assert origin == "polygons" and mask[70, 70] == 1 and mask[150, 150] == 0
    begun = replace(face.meta, polygons=polygons_to_json([Polygon("include", square[:2])]))
    assert known_mask(face.path, begun, SIDE)[1] == "stored"
    faces = [face, Face(face.path, drawn), Face(tmp_path / "other.png", face.meta)]
    assert count_known(faces) == {"stored": 1, "polygons": 1, "hull": 1}


def test_a_damaged_polygon_is_a_sentence_that_names_the_face(tmp_path: Path) -> None:
    face = make(tmp_path)
    damaged = replace(face.meta, polygons=({"kind": "include"},))
    with pytest.raises(UserError, match=r"00001_0\.png has a drawn mask that cannot be read"):
        known_mask(face.path, damaged, SIDE)


SQUARE = polygons_to_json([Polygon("include", np.array([(9, 9), (60, 9), (60, 60), (9, 60)], np.float32))])
LABELS = {
    "polygons": {"polygons": SQUARE},
    "embedding": {"embedding": np.ones(8, np.float32)},
    "score": {"score": 0.1},
    "rank": {"index": 1},
    "note": {"extra": {"mask_draft": SQUARE[0]}},
}
INPUTS = {
    "landmarks": {"landmarks": LANDMARKS + np.float32(0.5)},
    "frame": {"source": "00002.png"},
    "type": {"face_type": FaceType.HEAD},
    "matrix": {"frame_to_face": crop_transform(LANDMARKS + np.float32(1), SIDE, FaceType.WHOLE)},
}


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_labelling_copying_and_touching_a_face_leave_its_stored_mask_current(
    tmp_path: Path, suffix: str
) -> None:
    face = make(tmp_path / "set", suffix=suffix)
    write_mask(face, disc(), "m")
    for changes in LABELS.values():
        face = Face(face.path, replace(face.meta, **changes))
        rewrite_meta(face.path, face.meta)
        assert is_current(face, "m"), changes
    os.utime(face.path, ns=(0, 12345))
    assert is_current(Face(face.path, read_meta(face.path)), "m")
    shutil.copytree(tmp_path / "set", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert is_current(Face(tmp_path / "elsewhere" / face.path.name, face.meta), "m")


@pytest.mark.parametrize("changes", INPUTS.values(), ids=INPUTS)
def test_whatever_a_mask_was_made_from_it_is_outdated_once_that_changes(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    face = make(tmp_path)
    assert not is_current(face, "m")
    write_mask(face, disc(), "m")
    assert is_current(face, "m") and not is_current(face, "other")
    changed = Face(face.path, replace(face.meta, **changes))
    rewrite_meta(face.path, changed.meta)
    assert not is_current(changed, "m")
    write_mask(changed, disc(), "m")
    assert is_current(changed, "m")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_another_picture_under_the_same_metadata_and_time_outdates_the_mask(
    tmp_path: Path, suffix: str
) -> None:
    face = make(tmp_path, suffix=suffix)
    write_mask(face, disc(), "m")
    stat = face.path.stat()
    write_face(face.path, np.full((SIDE, SIDE, 3), 91, np.uint8), face.meta)
    os.utime(face.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not is_current(face, "m")
    for damage in (b"", b"no picture"):
        face.path.write_bytes(damage)
        assert not is_current(face, "m")
    face.path.unlink()
    assert not is_current(face, "m")


def test_smoothing_keeps_the_models_own_mask_and_never_takes_a_smoothed_one_for_it(tmp_path: Path) -> None:
    face = make(tmp_path)
    write_mask(face, disc(), "m")
    for radius in (50, 40):
        write_smoothed(face, disc(radius=radius))
        smoothed, raw = read_mask(face), read_unsmoothed(face)
        assert smoothed is not None and np.abs(smoothed - disc(radius=radius)).max() < 0.01
        assert raw is not None and np.abs(raw - disc()).max() < 0.01
        assert is_current(face, "m")
    unsmoothed_path(face.path).unlink()
    assert read_unsmoothed(face) is None and not is_current(face, "m")
    write_mask(face, disc(radius=30), "m2")
    raw = read_unsmoothed(face)
    assert raw is not None and np.abs(raw - disc(radius=30)).max() < 0.01


def test_the_mark_of_a_mask_changes_with_it_and_only_then(tmp_path: Path) -> None:
    face = make(tmp_path)
    none = mask_mark(face)
    write_mask(face, disc(), "m")
    first = mask_mark(face)
    write_mask(face, disc(), "m")
    assert mask_mark(face) == first != none
    write_mask(face, disc(radius=59), "m")
    assert mask_mark(face) != first
