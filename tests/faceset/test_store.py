"""A faceset survives moving, renaming and foreign editors, and opens fast from its index."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.index import INDEX_NAME
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Faceset, read_face, read_meta, rewrite_meta, write_face
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.types import FaceType, Frame, Side


def crop(size_px: int = 64, seed: int = 0) -> Frame:
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return cv2.resize(small, (size_px, size_px), interpolation=cv2.INTER_CUBIC)


def meta(source: str = "00001.png", index: int = 0, face_type: FaceType = FaceType.WHOLE) -> FaceMeta:
    landmarks = (1.3 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
    frame_to_face = crop_transform(landmarks, 64, face_type)
    return FaceMeta(source, frame_to_face, 64, landmarks, face_type, Side.DST, index, 0.9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two frames, the second with two faces."""
    folder = tmp_path / "data_dst" / "aligned"
    write_face(folder / "00001_0.jpg", crop(seed=1), meta("00001.png"))
    write_face(folder / "a b_1_1.jpg", crop(seed=2), meta("a b_1.png", 1))
    write_face(folder / "a b_1_0.png", crop(seed=3), meta("a b_1.png", 0))
    return folder


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_written_face_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"face{suffix}"
    write_face(path, crop(), meta(), quality=100)
    pixels, known = read_face(path)
    np.testing.assert_allclose(pixels, crop(), atol=0 if suffix == ".png" else 6)
    assert known.to_json() == meta().to_json() == read_meta(path).to_json()


def test_a_16_bit_crop_keeps_its_bits(tmp_path: Path) -> None:
    deep = crop().astype(np.uint16) * 257 + 3
    write_face(tmp_path / "deep.png", deep, meta())
    np.testing.assert_array_equal(read_face(tmp_path / "deep.png")[0], deep)


def test_new_metadata_leaves_the_pixels_byte_for_byte(folder: Path) -> None:
    path = folder / "00001_0.jpg"
    before = read_face(path)[0]
    rewrite_meta(path, replace(read_meta(path), extra={"note": "x"}))
    np.testing.assert_array_equal(read_face(path)[0], before)
    assert read_meta(path).extra == {"note": "x"}


def test_faces_are_sorted_by_name_and_grouped_by_frame(folder: Path) -> None:
    faceset = Faceset.open(folder)
    assert [face.path.name for face in faceset.faces] == ["00001_0.jpg", "a b_1_0.png", "a b_1_1.jpg"]
    grouped = faceset.by_frame()
    assert [face.path.name for face in grouped["a b_1"]] == ["a b_1_0.png", "a b_1_1.jpg"]
    assert len(grouped["00001"]) == 1
    assert (faceset.face_type, faceset.size_px) == (FaceType.WHOLE, 64)


def test_a_renamed_moved_or_deleted_face_needs_no_index(folder: Path, tmp_path: Path) -> None:
    Faceset.open(folder)
    (folder / "00001_0.jpg").rename(folder / "renamed.jpg")
    (folder / "a b_1_1.jpg").unlink()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    (elsewhere / INDEX_NAME).unlink()
    for place in (folder, elsewhere):
        assert {face.meta.source for face in Faceset.open(place).faces} == {"00001.png", "a b_1.png"}


def test_the_index_is_believed_while_the_file_is_unchanged_and_not_after(folder: Path) -> None:
    Faceset.open(folder)
    path = folder / "00001_0.jpg"
    index = folder / INDEX_NAME
    index.write_text(index.read_text(encoding="utf-8").replace("00001.png", "00009.png"), encoding="utf-8")
    assert Faceset.open(folder).faces[0].meta.source == "00009.png"
    rewrite_meta(path, replace(read_meta(path), score=0.25))
    assert Faceset.open(folder).faces[0].meta.source == "00001.png"


@pytest.mark.parametrize("name", ["00001_0.jpg", "a b_1_0.png"])
def test_metadata_stripped_by_another_program_is_restored(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {face.path.name: face.meta.to_json() for face in Faceset.open(folder).faces}
    picture = cv2.imread(str(folder / name))
    picture[:10] = 255
    cv2.imwrite(str(folder / name), picture)
    with pytest.raises(UserError):
        read_meta(folder / name)
    again = {face.path.name: face.meta.to_json() for face in Faceset.open(folder).faces}
    assert again == before
    assert read_meta(folder / name).to_json() == before[name]
    assert "restored" in capsys.readouterr().err
    assert read_face(folder / name)[0][:8].min() > 200


def test_a_stripped_and_resized_crop_gets_a_fitting_transform(folder: Path) -> None:
    old = Faceset.open(folder).faces[0].meta
    path = folder / "00001_0.jpg"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (128, 128)))
    new = Faceset.open(folder).faces[0].meta
    assert new.size_px == 128
    np.testing.assert_allclose(new.crop_landmarks() + 0.5, 2 * (old.crop_landmarks() + 0.5), atol=1e-3)


def test_a_damaged_index_is_only_slower(folder: Path) -> None:
    Faceset.open(folder)
    index = folder / INDEX_NAME
    index.write_bytes(index.read_bytes()[:700] + b"\n{}\n[1]\n\x80")
    assert len(Faceset.open(folder).faces) == 3


def test_a_stranger_among_the_crops_is_named_and_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(folder / "holiday.jpg"), crop())
    faceset = Faceset.open(folder)
    assert len(faceset.faces) == 3
    assert [path.name for path in faceset.strangers] == ["holiday.jpg"]
    assert "holiday.jpg" in capsys.readouterr().err


def test_a_packed_set_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "faceset.pak").write_bytes(b"\1\0\0\0")
    with pytest.raises(UserError, match="a packed set") as caught:
        Faceset.open(tmp_path)
    # Unpacked it could not be read either: who is told to unpack it is led round in a circle.
    assert "stages.align_src" in caught.value.hint


def test_a_missing_or_empty_faceset_says_which_command_fills_it(tmp_path: Path) -> None:
    folder = tmp_path / "data_src" / "aligned"
    with pytest.raises(UserError, match=r"stages\.align_src"):
        Faceset.open(folder)
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match="no aligned faces"):
        Faceset.open(folder)


def test_mixed_face_types_are_refused_when_the_type_is_asked_for(folder: Path) -> None:
    write_face(folder / "00002_0.jpg", crop(), meta("00002.png", face_type=FaceType.HEAD))
    with pytest.raises(UserError, match="whole, head"):
        _ = Faceset.open(folder).face_type
