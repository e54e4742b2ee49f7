"""Metadata that is damaged or made to harm: the face is named and left out, those beside it stay."""

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset import carrier
from faceswap.faceset.index import INDEX_NAME, Index, fitted
from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.faceset.polygons import has_area, read_polygons
from faceswap.faceset.store import Face, Faceset, read_face, write_face
from faceswap.faceset.stored_masks import known_mask, mask_path, read_mask, write_mask
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.geometry.landmarks import pose_deg
from faceswap.types import FaceType, Json, Side
from tests.hostile import attacked, documents

SIDE = 48
LANDMARKS = (1.3 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
TRIANGLE = {"kind": "include", "points": [[5, 5], [40, 6], [20, 40]]}
PICTURE = np.full((SIDE, SIDE, 3), 128, np.uint8)
PNG = bytes(cv2.imencode(".png", PICTURE)[1])
MASK = bytes(cv2.imencode(".png", np.full((256, 256), 128, np.uint8))[1])


def a_face(**more: object) -> FaceMeta:
    to_face = crop_transform(LANDMARKS, SIDE, FaceType.WHOLE)
    return FaceMeta("00001.png", to_face, SIDE, LANDMARKS, FaceType.WHOLE, Side.DST, 0, 0.9, **more)


VALID: Json = a_face(
    polygons=(TRIANGLE,), embedding=np.ones(4, np.float32), found_landmarks=LANDMARKS, extra={"note": [1]}
).to_json()


def picture_with(text: bytes, png: bytes = PNG) -> bytes:
    """A PNG with these very bytes as metadata."""
    content = carrier.KEYWORD + b"\0\0\0\0\0" + text
    chunk = len(content).to_bytes(4, "big") + b"iTXt" + content
    chunk += zlib.crc32(chunk[4:]).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


def use(meta: FaceMeta) -> None:
    """What stages do with a face before they read its pixels."""
    pose_deg(meta.crop_landmarks(), meta.size_px)
    assert np.isfinite(meta.resized(64).crop_landmarks()).all()
    assert np.isfinite(meta.crop_to(64, FaceType.HALF)).all()
    json.dumps(meta.to_json(), allow_nan=False).encode()
    with suppress(MetadataError):
        has_area(read_polygons(meta))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Thousands of files need not reach the disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    write_face(tmp_path / "aligned" / "intact.png", PICTURE, a_face())
    return tmp_path / "aligned"


@attacked(documents(VALID))
def test_hostile_metadata_is_refused_or_can_be_used(hostile: bytes) -> None:
    head = carrier.read_head_bytes(picture_with(hostile))
    assert head.size == (SIDE, SIDE)
    with suppress(MetadataError):
        use(fitted(FaceMeta.from_json(head.meta), head.size))


@attacked(documents(VALID), 200)
def test_a_hostile_face_is_left_out_of_its_set_or_can_be_used(folder: Path, hostile: bytes) -> None:
    (folder / INDEX_NAME).unlink(missing_ok=True)
    path = folder / "odd.png"
    path.write_bytes(picture_with(hostile))
    with Index(folder) as index:
        assert index.meta(folder / "intact.png") is not None
        there = index.meta(path)
    try:
        known_mask(path, read_face(path)[1], 32)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert there is not None


@attacked(documents({"name": "intact.png", "size": 1, "mtime_ns": 2, "meta": VALID}))
def test_hostile_lines_of_the_index_are_passed_over(folder: Path, hostile: bytes) -> None:
    (folder / INDEX_NAME).write_bytes(hostile + b"\n")
    meta = Index(folder).meta(folder / "intact.png")
    assert meta is not None
    use(meta)


@attacked(documents({"schema": 1, "model": "m", "source": "00001.png", "size_px": SIDE,
                     "frame_to_face": VALID["frame_to_face"], "face_type": "whole"}))  # fmt: skip
def test_a_hostile_stored_mask_is_used_or_named(folder: Path, hostile: bytes) -> None:
    path = mask_path(folder / "intact.png")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(picture_with(hostile, MASK))
    try:
        mask = read_mask(Face(folder / "intact.png", a_face()))
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert mask is None or (mask.shape == (256, 256) and np.isfinite(mask).all())


@pytest.mark.parametrize("where", ["frame_to_face", "landmarks", "size_px", "source", "extra", "schema"])
def test_what_is_wrong_with_a_face_is_said_with_its_name(
    folder: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"frame_to_face": [[0, 0, 0], [0, 0, 0]], "landmarks": [[5, 5]] * 68, "size_px": 10**9,
             "source": "../x", "extra": json.loads("[" * 60 + "]" * 60), "schema": 0}  # fmt: skip
    (folder / "odd.png").write_bytes(picture_with(json.dumps(VALID | {where: wrong[where]}).encode()))
    assert len(Faceset.open(folder).faces) == 1
    told = capsys.readouterr().err
    assert "odd.png is left out" in told
    assert "face metadata" in told


@pytest.mark.parametrize("side", [32, 96])
def test_a_crop_that_was_resized_with_its_metadata_is_a_crop_of_its_size(folder: Path, side: int) -> None:
    png = bytes(cv2.imencode(".png", cv2.resize(PICTURE, (side, side)))[1])
    (folder / "odd.png").write_bytes(carrier.embed(png, a_face(polygons=(TRIANGLE,)).to_json()))
    pixels, meta = read_face(folder / "odd.png")
    assert pixels.shape[0] == meta.size_px == side
    expected = crop_transform(LANDMARKS, side, FaceType.WHOLE)
    np.testing.assert_allclose(meta.frame_to_face, expected, atol=1e-3)
    known = {face.path.name: face.meta for face in Faceset.open(folder).faces}
    assert known["odd.png"].size_px == side


def test_a_crop_that_is_not_square_any_more_is_left_out(folder: Path) -> None:
    png = bytes(cv2.imencode(".png", PICTURE[:30])[1])
    (folder / "odd.png").write_bytes(carrier.embed(png, a_face().to_json()))
    assert [face.path.name for face in Faceset.open(folder).faces] == ["intact.png"]


def test_a_crop_that_vanishes_while_its_set_is_opened_is_left_out(folder: Path) -> None:
    with Index(folder) as index:
        assert index.meta(folder / "gone.png") is None
    assert "cannot be read" in index.faults[folder / "gone.png"]


def test_a_written_mask_is_still_read(folder: Path) -> None:
    face = Faceset.open(folder).faces[0]
    write_mask(face, np.full((256, 256), 0.5, np.float32), "m")
    mask = read_mask(face)
    assert mask is not None
    np.testing.assert_allclose(mask, 0.5, atol=0.01)
