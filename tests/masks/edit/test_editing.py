"""Going through a set: saving, other programs, the trash folder."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.faceset.polygons import Polygon, polygons_to_json, read_polygons
from faceswap.faceset.store import Faceset, read_face, read_meta, rewrite_meta, write_face
from faceswap.geometry.geometry import resize_transform
from faceswap.masks.edit.editing import MaskEditor
from faceswap.types import Side

TRIANGLE = Polygon("include", np.array([(10, 10), (50, 12), (30, 60)], np.float32))
OTHER = Polygon("exclude", np.array([(1, 1), (9, 1), (5, 9)], np.float32))


@pytest.fixture
def folder(tmp_path: Path, make_faces: Callable[..., None]) -> Path:
    make_faces(tmp_path / "aligned", 6, Side.DST)
    return tmp_path / "aligned"


@pytest.fixture
def editor(folder: Path) -> MaskEditor:
    return MaskEditor(Faceset.open(folder))


def draw(editor: MaskEditor, polygon: Polygon = TRIANGLE) -> None:
    editor.document.replace_all([*editor.document.polygons, polygon])


def stored(path: Path) -> list[object]:
    return list(read_meta(path).polygons)


def meddle(path: Path, *polygons: Polygon) -> None:
    """Another program draws on a face."""
    rewrite_meta(path, replace(read_meta(path), polygons=polygons_to_json(polygons)))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def test_what_is_drawn_is_saved_on_leaving_and_the_pixels_stay(editor: MaskEditor) -> None:
    path, (before, _) = editor.face.path, read_face(editor.face.path)
    draw(editor)
    assert stored(path) == []
    assert editor.step(1) == "same" and editor.at == 1
    assert stored(path) == list(polygons_to_json([TRIANGLE])) and editor.labelled == {0}
    assert np.array_equal(read_face(path)[0], before)
    editor.step(-1)
    assert editor.undo() and editor.step(1) == "same" and stored(path) == [] and editor.labelled == set()


def test_a_face_that_was_not_changed_is_not_written(editor: MaskEditor) -> None:
    path = editor.face.path
    before = path.stat().st_mtime_ns
    draw(editor)
    editor.undo()
    editor.step(1)
    assert path.stat().st_mtime_ns == before


def test_a_polygon_that_is_not_closed_is_a_draft_the_next_time_and_no_label(folder: Path) -> None:
    first = MaskEditor(Faceset.open(folder))
    first.document.place("exclude", 3, 4)
    first.document.place("exclude", 8, 4)
    first.save()
    again = MaskEditor(Faceset.open(folder))
    assert again.labelled == set() and again.document.draft.points.tolist() == [[3, 4], [8, 4]]
    again.document.place("include", 5, 9)
    assert again.document.close() and again.document.polygons[0].kind == "exclude"
    again.save()
    assert "mask_draft" not in read_meta(again.face.path).extra and len(stored(again.face.path)) == 1


def test_what_another_program_drew_is_taken_over_where_nothing_was_drawn_here(editor: MaskEditor) -> None:
    assert editor.document.polygons == ()
    meddle(editor.face.path, OTHER)
    assert editor.save() == "newer" and editor.document.polygons[0].kind == "exclude"
    assert editor.undo() and editor.document.polygons == ()


@pytest.mark.parametrize("mine", [True, False])
def test_where_both_drew_the_user_decides_and_nothing_is_lost(editor: MaskEditor, mine: bool) -> None:
    path = editor.face.path
    draw(editor)
    meddle(path, OTHER)
    assert editor.step(1) == "conflict" and editor.at == 0
    assert stored(path) == list(polygons_to_json([OTHER])), "not written over unasked"
    (editor.sheet.keep_mine if mine else editor.sheet.take_theirs)()
    kept, other = (TRIANGLE, OTHER) if mine else (OTHER, TRIANGLE)
    assert editor.save() == "same" and stored(path) == list(polygons_to_json([kept]))
    assert editor.undo() and np.array_equal(editor.document.polygons[0].points, other.points)


def test_other_metadata_of_another_program_is_kept(editor: MaskEditor) -> None:
    path = editor.face.path
    draw(editor)
    rewrite_meta(path, replace(read_meta(path), score=0.5, extra={"note": "theirs"}))
    assert editor.save() == "newer"
    meta = read_meta(path)
    assert meta.score == 0.5 and meta.extra == {"note": "theirs"} and len(meta.polygons) == 1


def test_polygons_stay_where_they_were_in_the_frame_when_the_crop_is_cut_anew(editor: MaskEditor) -> None:
    path = editor.face.path
    draw(editor)
    crop, meta = read_face(path)
    write_face(path, cv2.resize(crop, (192, 192)), meta.resized(192))
    editor.save()
    (moved,) = read_polygons(read_meta(path))
    expected = TRIANGLE.points @ resize_transform(96, 192)[:, :2].T + 0.5
    assert np.allclose(moved.points, expected, atol=1e-3)


def test_a_file_that_vanishes_is_said_and_its_drawing_written_when_it_is_back(editor: MaskEditor) -> None:
    path, kept = editor.face.path, editor.face.path.with_suffix(".away")
    draw(editor)
    path.rename(kept)
    assert editor.step(1) == "gone" and editor.at == 1 and editor.unsaved() == [0]
    kept.rename(path)
    editor.step(1)
    assert editor.unsaved() == [] and len(stored(path)) == 1


def test_a_disk_that_refuses_is_said_and_tried_again(
    editor: MaskEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = editor.face.path
    draw(editor)
    with monkeypatch.context() as refusing:
        refusing.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(30, "read-only")))
        assert editor.step(1) == "unwritable" and editor.unsaved() == [0]
        assert editor.throw_away() == "unwritable"
    editor.step(1)
    assert editor.unsaved() == [] and len(stored(path)) == 1
    assert not list(path.parent.glob(".*")), "nothing half-written is left"


def test_damaged_polygons_are_said_and_kept_until_something_is_drawn(folder: Path) -> None:
    path = folder / "00000_0.png"
    rewrite_meta(path, replace(read_meta(path), polygons=({"kind": "odd", "points": [[1]]},)))
    editor = MaskEditor(Faceset.open(folder))
    assert editor.labelled == set() and "cannot be read" in editor.sheet.oddity
    editor.step(1)
    assert stored(path) == [{"kind": "odd", "points": [[1]]}]
    editor.step(-1)
    draw(editor)
    editor.step(1)
    assert stored(path) == list(polygons_to_json([TRIANGLE]))


def test_a_face_thrown_away_comes_back_by_undo_with_all_it_had(editor: MaskEditor) -> None:
    draw(editor)
    path = editor.face.path
    assert editor.throw_away() == "same" and not path.exists() and editor.index == 1
    assert (editor.trash_folder / path.name).is_file() and editor.trash_folder.name == "aligned_trash"
    assert editor.labelled == set()
    assert editor.undo() and editor.index == 0 and editor.labelled == {0} and len(stored(path)) == 1


def test_undo_means_the_face_once_something_is_drawn_and_restoring_still_works(editor: MaskEditor) -> None:
    editor.throw_away()
    draw(editor)
    assert editor.undo() and editor.index == 1 and not editor.faces[0].path.exists()
    assert editor.restore() and editor.index == 0 and not editor.restore()


def test_the_trash_keeps_every_face_of_a_name_and_nothing_is_written_over(editor: MaskEditor) -> None:
    path = editor.face.path
    data = path.read_bytes()
    editor.throw_away()
    path.write_bytes(data)
    assert not editor.restore(), "another face has its place"
    path.unlink()
    assert editor.restore()


def test_filters_hold_still_while_one_labels(editor: MaskEditor) -> None:
    assert not editor.choose("with labels") and editor.filter == "all"
    editor.step(2)
    draw(editor)
    assert editor.choose("without labels") and editor.order == [0, 1, 3, 4, 5] and editor.at == 0
    draw(editor)
    editor.step(1)
    assert editor.order == [0, 1, 3, 4, 5] and editor.index == 1
    assert editor.choose("with labels") and editor.order == [0, 2]
    editor.uncertainties = {1: 0.2, 3: 0.9, 5: 0.5}
    assert editor.choose("uncertain first") and editor.order[:3] == [3, 5, 1]
    assert MaskEditor(Faceset.open(editor.folder), [4, 1]).order == [4, 1]


def test_going_by_labels_and_the_nearest_labelled_face(editor: MaskEditor) -> None:
    for number in (1, 4):
        editor.go(number)
        draw(editor)
    editor.go(0)
    assert editor.nearest_drawn().number == 1
    editor.step(1, only_labelled=True)
    editor.step(1, only_labelled=True)
    assert editor.index == 4
    editor.step(1, only_labelled=True)
    assert editor.index == 4, "there is none further on"
    editor.go(99)
    assert editor.at == 5 and editor.nearest_drawn().number == 4
    assert editor.neighbours(3) == [4, 5, None]
