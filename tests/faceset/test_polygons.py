"""Drawn masks: what polygons cover, and that nothing of them is lost on the way to the file and back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.faceset.polygons import Kind, Polygon, has_area, polygons_to_json, rasterise, read_polygons
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform, resize_transform
from faceswap.types import FaceType, Json, Side

SIDE = 64
LANDMARKS = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)


def meta(polygons: tuple[Json, ...] = ()) -> FaceMeta:
    to_face = crop_transform(LANDMARKS, SIDE, FaceType.WHOLE)
    return FaceMeta("1.png", to_face, SIDE, LANDMARKS, FaceType.WHOLE, Side.SRC, 0, 0.9, polygons)


def polygon(kind: Kind, *points: tuple[float, float]) -> Polygon:
    return Polygon(kind, np.array(points, np.float32).reshape(-1, 2))


def box(kind: Kind, low: float, high: float) -> Polygon:
    return polygon(kind, (low, low), (high, low), (high, high), (low, high))


def test_a_mask_is_one_inside_and_zero_outside_and_half_where_an_outline_halves_a_pixel() -> None:
    mask = rasterise([box("include", 10, 40.5)], SIDE, SIDE)
    assert np.all(mask[12:40, 12:40] == 1) and mask[:9].max() == 0 and mask[42:].max() == 0
    # The outline runs through the centres of column 10, and between columns 40 and 41.
    assert mask[20, 10] == pytest.approx(0.5, abs=0.15) and mask[20, 40] == pytest.approx(1, abs=0.15)
    assert mask.sum() == pytest.approx(30.5**2, rel=0.02)


def test_exclude_polygons_cut_out_of_include_polygons_in_whatever_order_they_were_drawn() -> None:
    """deepfacelab.md §3.2: all INCLUDE first, then all EXCLUDE."""
    drawn = [box("exclude", 20, 30), box("include", 10, 50)]
    mask = rasterise(drawn, SIDE, SIDE)
    assert mask[25, 25] == 0 and mask[15, 15] == 1
    assert np.array_equal(mask, rasterise(drawn[::-1], SIDE, SIDE))


@pytest.mark.parametrize("points", [(), ((5, 5),), ((5, 5), (50, 50))])
def test_fewer_than_three_points_draw_nothing(points: tuple[tuple[float, float], ...]) -> None:
    short = polygon("include", *points)
    assert not rasterise([short], SIDE, SIDE).any() and not has_area([short])


def test_what_a_crossing_outline_surrounds_twice_is_outside() -> None:
    star = [(32 + 28 * np.sin(0.8 * np.pi * i), 32 - 28 * np.cos(0.8 * np.pi * i)) for i in range(5)]
    mask = rasterise([polygon("include", *star)], SIDE, SIDE)
    assert mask[32, 32] == 0 and mask[12, 32] == 1


def test_points_outside_the_picture_are_cut_at_its_edge() -> None:
    mask = rasterise([polygon("include", (-1e9, -1e9), (1e9, -1e9), (1e9, 31.5), (-1e9, 31.5))], SIDE, SIDE)
    assert np.all(mask[:31] == 1) and not mask[33:].any()
    assert not rasterise([box("include", 100, 200)], SIDE, SIDE).any()


def test_moved_points_give_the_mask_of_the_moved_picture() -> None:
    drawn = [polygon("include", (8, 10), (50, 14), (30, 55))]
    twice = rasterise(drawn, 2 * SIDE, 2 * SIDE, resize_transform(SIDE, 2 * SIDE))
    averaged = twice.reshape(SIDE, 2, SIDE, 2).mean((1, 3))
    assert np.abs(averaged - rasterise(drawn, SIDE, SIDE)).max() < 0.2


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(st.tuples(FINITE, FINITE), max_size=5), max_size=3))
def test_polygons_read_back_bit_for_bit_from_metadata(outlines: list[list[tuple[float, float]]]) -> None:
    drawn = [polygon("exclude" if number else "include", *points) for number, points in enumerate(outlines)]
    read = read_polygons(FaceMeta.from_json(meta(polygons_to_json(drawn)).to_json()))
    assert [one.kind for one in read] == [one.kind for one in drawn]
    for one, two in zip(read, drawn, strict=True):
        assert np.array_equal(one.points, two.points)


def test_keys_of_a_newer_version_are_kept() -> None:
    known = {"kind": "include", "points": [[1.0, 2.0], [3.5, 4.0]], "colour": "red"}
    assert polygons_to_json(read_polygons(meta((known,)))) == (known,)


@pytest.mark.parametrize(
    "damaged",
    [
        {}, "include", {"kind": "include"}, {"kind": "both", "points": []},
        {"kind": "include", "points": 3.5}, {"kind": "include", "points": [["a", "b"]]},
        {"kind": "include", "points": [[1, 2, 3], [4, 5, 6, 7]]},
        {"kind": "include", "points": [[float("nan"), 1]]},
    ],
)  # fmt: skip
def test_damaged_polygons_are_refused_and_survive_resizing(damaged: Json) -> None:
    face = meta((damaged,))
    with pytest.raises(MetadataError, match="damaged polygon"):
        read_polygons(face)
    assert len(face.resized(2 * SIDE).polygons) == 1


def test_a_resized_face_keeps_its_drawn_mask() -> None:
    face = meta(polygons_to_json([box("include", 10, 40), box("exclude", 20, 30)]))
    larger = rasterise(read_polygons(face.resized(2 * SIDE)), 2 * SIDE, 2 * SIDE)
    expected = rasterise(read_polygons(face), 2 * SIDE, 2 * SIDE, resize_transform(SIDE, 2 * SIDE))
    assert np.abs(larger - expected).max() < 0.01
    assert replace(face.resized(2 * SIDE).resized(SIDE)).polygons == face.polygons
