"""The polygon document: every edit, undo and redo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.masks.edit.document import Document, Place, State

SQUARE = Polygon("include", np.array([(0, 0), (10, 0), (10, 10), (0, 10)], np.float32))
HOLE = Polygon("exclude", np.array([(3, 3), (6, 3), (5, 6)], np.float32), {"by": "hand"})


def told(state: State) -> object:
    draft = None if state.draft is None else polygons_to_json([state.draft])
    return polygons_to_json(state.polygons), draft


def edit_at_random(document: Document, rng: np.random.Generator) -> None:
    """Any edit there is, on whatever there is."""
    x, y = rng.uniform(-50, 300, 2).tolist()
    count = len(document.polygons)
    chosen = int(rng.integers(count)) if count else 0
    points = len(document.polygons[chosen].points) if count else 0
    place = Place(chosen, int(rng.integers(points)) if points else 0)
    kind = ("include", "exclude")[int(rng.integers(2))]
    edits = [lambda: document.place(kind, x, y)] * 4
    edits += [document.close, document.drop_draft, lambda: document.turn_draft(kind)]
    edits += [document.settle, document.undo, document.redo, document.undo]
    if count:
        moving = bool(rng.integers(2))
        edits += [
            lambda: document.move_point(place, x, y, moving=moving),
            lambda: document.shift(chosen, x, y, moving=moving),
            lambda: document.insert_point(place, x, y),
            lambda: document.remove_point(place),
            lambda: document.remove(chosen),
            lambda: document.set_kind(chosen, kind),
            lambda: document.replace_all(document.polygons[:-1]),
        ]
    edits[int(rng.integers(len(edits)))]()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_thousand_random_edits_undone_end_where_they_began_and_redone_where_they_were(seed: int) -> None:
    document, rng = Document([SQUARE, HOLE]), np.random.default_rng(seed)
    began = told(document.state)
    for _ in range(1000):
        edit_at_random(document, rng)
    while document.redo():
        pass
    ended = told(document.state)
    steps = 0
    while document.undo():
        steps += 1
    assert told(document.state) == began
    for _ in range(steps):
        assert document.redo()
    assert told(document.state) == ended and not document.redo()


def test_a_polygon_is_drawn_point_by_point_and_undone_point_by_point() -> None:
    document = Document()
    for x, y in ((1, 1), (5, 1)):
        document.place("exclude", x, y)
    assert not document.close(), "two points are no polygon"
    document.place("include", 3, 4)
    assert document.close() and document.draft is None
    assert document.polygons[0].kind == "exclude", "the kind it was begun with"
    for left in (3, 2, 1):
        assert document.undo() and len(document.draft.points) == left
    assert document.undo() and document.draft is None and not document.can_undo


def test_a_drag_is_one_step_and_the_next_drag_another() -> None:
    document = Document([SQUARE])
    for x in (1, 2, 3):
        document.move_point(Place(0, 0), x, x, moving=True)
    document.settle()
    for x in (4, 5):
        document.move_point(Place(0, 0), x, x, moving=True)
    assert document.undo() and document.polygons[0].points[0].tolist() == [3, 3]
    assert document.undo() and document.polygons[0].points[0].tolist() == [0, 0]
    assert not document.undo()


def test_a_polygon_that_would_have_two_points_goes() -> None:
    document = Document([HOLE])
    assert not document.remove_point(Place(0, 1)) and document.polygons == ()


def test_a_point_is_inserted_on_the_edge_that_closes_the_polygon() -> None:
    document = Document([SQUARE])
    new = document.insert_point(Place(0, 3), 0, 5)
    assert document.polygons[0].points[new.point].tolist() == [0, 5]
    assert len(document.polygons[0].points) == 5


def test_edits_keep_what_other_programs_wrote_into_a_polygon() -> None:
    document = Document([HOLE])
    document.shift(0, 1, 1)
    document.set_kind(0, "include")
    document.insert_point(Place(0, 0), 4, 4)
    assert document.polygons[0].extra == {"by": "hand"}


def test_numbers_that_name_nothing_are_refused_and_change_nothing() -> None:
    document = Document([SQUARE])
    for edit in (
        lambda: document.remove(1),
        lambda: document.move_point(Place(0, 9), 1, 1),
        lambda: document.set_kind(2, "exclude"),
    ):
        with pytest.raises(IndexError):
            edit()
    assert document.polygons == (SQUARE,) and not document.can_undo
