"""Listing and showing a faceset as a user calls it."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faces.geometry import crop_transform
from faceswap.faces.template import HEAD_MODEL
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.sheet import contact_sheet
from faceswap.faceset.store import Faceset, write_face
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


def test_as_a_process_the_words_work_as_documented(
    run_stage: Callable[..., SimpleNamespace], folder: Path
) -> None:
    listed = run_stage("faceset", "list", folder, "--json", check=True)
    assert len(listed.stdout.splitlines()) == 3
    wrong = run_stage("faceset", "lst", folder)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
