"""Listing and showing a faceset as a user calls it."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from faceswap.align.align import AlignSettings, align
from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.sheet import contact_sheet
from faceswap.faceset.store import Faceset, write_face
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.io.images import read_image
from faceswap.types import FaceType, Side
from stages import faceset as stage

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three faces of plain colour."""
    folder = tmp_path / "data_src" / "aligned"
    landmarks = (1.3 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
    frame_to_face = crop_transform(landmarks, 64, FaceType.WHOLE)
    for index, colour in enumerate(COLOURS):
        crop = np.full((64, 64, 3), colour, np.uint8)
        meta = FaceMeta(f"kadr {index} é.png", frame_to_face, 64, landmarks, FaceType.WHOLE, Side.SRC, 0, 0.9)
        write_face(folder / f"kadr {index} é_0.png", crop, meta)
    return folder


def run(*words: object) -> None:
    stage.main(stage.Settings.parse([str(word) for word in words]))


def test_list_as_json_prints_one_object_a_face(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("list", folder, "--json")
    faces = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [face["source"] for face in faces] == [f"kadr {index} é.png" for index in range(3)]
    for face, known in zip(faces, Faceset.open(folder).faces, strict=True):
        np.testing.assert_allclose(face["landmarks"], known.meta.landmarks)
        assert np.shape(face["landmarks"]) == (68, 2)
        assert face["name"] == known.path.name


def test_list_prints_a_line_a_face_and_their_number(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("list", folder)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "3 faces"


def test_show_writes_a_sheet_that_is_not_taken_for_a_face(folder: Path) -> None:
    run("show", folder, "--tile-px", 16)
    sheet = read_image(folder / "sheet" / "faces.png")
    assert sheet.shape[1] % 16 == 0
    assert len(Faceset.open(folder).faces) == 3


def test_the_sheet_shows_faces_in_order_spread_over_the_set(folder: Path) -> None:
    sheet = contact_sheet(Faceset.open(folder), most=2, tile_px=16)
    tiles = [sheet[8, 16 * column + 8] for column in range(2)]
    np.testing.assert_array_equal(tiles, [COLOURS[0], COLOURS[2]])


def test_a_missing_or_empty_faceset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        run("list", tmp_path / "none")
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="none with face metadata"):
        run("show", tmp_path)


def test_src_and_dst_name_the_faces_of_the_workspace(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("list", folder)
    by_folder = capsys.readouterr().out
    workspace = folder.parent.parent
    for words in (("list", "--workspace", workspace), ("list", "src", "--workspace", workspace)):
        run(*words)
        assert capsys.readouterr().out == by_folder
    with pytest.raises(UserError, match="data_dst"):
        run("list", "dst", "--workspace", workspace)


def test_a_turned_frame_lists_a_turned_head(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    landmarks = (1.3 * HEAD_MODEL[:, :2] @ np.array([[0.5, 0.75**0.5], [-(0.75**0.5), 0.5]])).astype(
        np.float32
    )
    to_face = crop_transform(landmarks, 64, FaceType.WHOLE)
    meta = FaceMeta("turned.png", to_face, 64, landmarks, FaceType.WHOLE, Side.SRC, 0, 0.9)
    write_face(folder / "turned_0.png", np.zeros((64, 64, 3), np.uint8), meta)
    run("list", folder)
    rolls = [line.split("roll")[1].split("°")[0].strip() for line in capsys.readouterr().out.splitlines()[:4]]
    np.testing.assert_allclose([float(roll) for roll in rolls], [0, 0, 0, 60], atol=2)


def deepfacelab_jpeg(protocol: int) -> bytes:
    """A JPEG as DeepFaceLab's DFLJPG saves it: a pickled dictionary in APP15 behind the last APPn."""
    done, data = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))
    assert done
    payload = pickle.dumps({"face_type": "whole_face", "landmarks": [[1.0, 2.0]] * 68}, protocol)
    plain = bytes(data)
    end = 4 + int.from_bytes(plain[4:6], "big")
    return plain[:end] + b"\xff\xef" + (len(payload) + 2).to_bytes(2, "big") + payload + plain[end:]


THEIRS = {
    "jpeg3": "faces aligned by DeepFaceLab",
    "jpeg4": "faces aligned by DeepFaceLab",
    "pak": "a packed set of DeepFaceLab",
}


@pytest.fixture(params=THEIRS)
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> SimpleNamespace:
    """A workspace whose aligned/ comes from DeepFaceLab."""
    folder = tmp_path / "data_src" / "aligned"
    folder.mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "data_src" / "00001.png"), np.zeros((64, 64, 3), np.uint8))
    if request.param == "pak":
        (folder / "faceset.pak").write_bytes(b"\1" + bytes(31))
    else:
        for number in range(3):
            (folder / f"{number:05}_0.jpg").write_bytes(deepfacelab_jpeg(int(request.param[-1])))
    return SimpleNamespace(workspace=tmp_path, folder=folder, words=THEIRS[request.param])


def test_faces_of_deepfacelab_are_called_so_by_every_stage_that_opens_a_faceset(
    theirs: SimpleNamespace,
) -> None:
    for words in (("list", theirs.folder), ("show", "src", "--workspace", theirs.workspace)):
        with pytest.raises(UserError, match=theirs.words):
            run(*words)
    with pytest.raises(UserError, match=theirs.words) as refused:
        align(AlignSettings(workspace=theirs.workspace), Side.SRC)
    assert "--again" in refused.value.hint


def test_faces_of_deepfacelab_stay_where_the_pack_cannot_be_had(theirs: SimpleNamespace) -> None:
    before = sorted(theirs.folder.iterdir())
    again = AlignSettings(workspace=theirs.workspace, again=True, face_models=str(theirs.workspace / "none"))
    with pytest.raises(UserError, match="no folder"):
        align(again, Side.SRC)
    assert sorted(theirs.folder.iterdir()) == before


def test_metadata_of_deepfacelab_is_never_unpickled(theirs: SimpleNamespace) -> None:
    bomb = theirs.workspace / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (bomb,)

    payload = pickle.dumps(Bomb())
    data = deepfacelab_jpeg(4)
    start = data.index(b"\xff\xef")
    size = int.from_bytes(data[start + 2 : start + 4], "big")
    bombed = data[: start + 2] + (len(payload) + 2).to_bytes(2, "big") + payload + data[start + 2 + size :]
    (theirs.folder / "9_0.jpg").write_bytes(bombed)
    with pytest.raises(UserError):
        run("list", theirs.folder)
    assert not bomb.exists()


def test_as_a_process_the_words_work_as_documented(
    run_stage: Callable[..., SimpleNamespace], folder: Path
) -> None:
    listed = run_stage("faceset", "list", folder, "--json", check=True)
    assert len(listed.stdout.splitlines()) == 3
    wrong = run_stage("faceset", "lst", folder)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
