"""What lies under the cursor, and what is odd about a polygon."""

import numpy as np

from faceswap.faceset.polygons import Polygon
from faceswap.masks.edit.document import Place
from faceswap.masks.edit.picking import crosses_itself, edge_near, oddities, point_near

SQUARE = Polygon("include", np.array([(0, 0), (10, 0), (10, 10), (0, 10)], np.float32))
BOW = Polygon("include", np.array([(0, 0), (10, 10), (10, 0), (0, 10)], np.float32))


def test_the_nearest_point_within_reach_is_found() -> None:
    assert point_near([SQUARE], 9, 1, 2) == Place(0, 1)
    assert point_near([SQUARE], 5, 5, 2) is None
    assert point_near([], 5, 5, 2) is None


def test_the_nearest_edge_is_named_by_the_point_it_begins_at_also_the_closing_one() -> None:
    assert edge_near([SQUARE], 5, -1, 2) == Place(0, 0)
    assert edge_near([SQUARE], -1, 5, 2) == Place(0, 3)
    assert edge_near([SQUARE], 12.5, 10, 2) is None


def test_of_polygons_on_each_other_the_one_drawn_last_is_meant() -> None:
    assert edge_near([SQUARE, SQUARE], 5, 0, 2) == Place(1, 0)


def test_only_edges_that_truly_cross_count() -> None:
    assert crosses_itself(BOW.points)
    assert not crosses_itself(SQUARE.points)
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    star = np.stack([np.cos(turns), np.sin(turns)], 1) * (50 + 20 * np.sin(5 * turns))[:, None]
    assert not crosses_itself(star.astype(np.float32))


def test_what_is_odd_is_said_in_words() -> None:
    two = Polygon("include", SQUARE.points[:2])
    far = Polygon("exclude", SQUARE.points + 60)
    told = oddities([SQUARE, two, BOW, far], 64)
    assert len(told) == 3
    assert "polygon 2 has 2 points" in told[0] and "3 crosses" in told[1] and "4 reaches beyond" in told[2]
    assert oddities([SQUARE], 64) == []
