"""From masks to polygons: tracing, the brush, proposals."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.polygons import Polygon, polygons_to_json, rasterise
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.masks.edit.propose import paint, propose, stroke, trace
from faceswap.types import FaceType, Image, Mask, Points, Side

SIZE_PX = 128


def line(*places: tuple[float, float]) -> Points:
    return np.array(places, np.float32)


def iou(one: Mask, other: Mask) -> float:
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


def disc(x: float, y: float, radius: float) -> Mask:
    return stroke(line((x, y)), radius, SIZE_PX)


def test_a_stroke_covers_the_brush_area_where_it_is() -> None:
    mask = disc(40, 60, 20)
    assert mask.sum() == pytest.approx(np.pi * 20**2, rel=0.01)
    y, x = np.indices(mask.shape)
    assert (mask * x).sum() / mask.sum() == pytest.approx(40, abs=0.05)
    assert (mask * y).sum() / mask.sum() == pytest.approx(60, abs=0.05)


def test_tracing_and_rasterising_give_the_mask_back_with_holes() -> None:
    mask = np.minimum(disc(64, 64, 50), 1 - disc(60, 70, 15))
    traced = trace(mask, 0.25)
    assert [one.kind for one in traced] == ["include", "exclude"]
    assert iou(rasterise(traced, SIZE_PX, SIZE_PX), mask) > 0.99


def test_a_mask_that_reaches_the_edge_is_traced_to_the_edge() -> None:
    mask = np.ones((SIZE_PX, SIZE_PX), np.float32)
    mask[:, 64:] = 0
    assert iou(rasterise(trace(mask, 0.25), SIZE_PX, SIZE_PX), mask) > 0.99


def test_specks_and_empty_masks_are_no_polygons() -> None:
    assert trace(np.zeros((SIZE_PX, SIZE_PX), np.float32), 0.5) == ()
    assert len(trace(np.maximum(disc(30, 30, 1.5), disc(80, 80, 20)), 0.5, least_px=40)) == 1


def test_painting_adds_and_removes_what_the_brush_covers() -> None:
    painted = paint((), line((30, 64), (98, 64)), 15, "include", SIZE_PX)
    assert len(painted) == 1 and painted[0].kind == "include"
    added = stroke(line((30, 64), (98, 64)), 15, SIZE_PX)
    assert iou(rasterise(painted, SIZE_PX, SIZE_PX), added) > 0.97
    holed = paint(painted, line((64, 64)), 8, "exclude", SIZE_PX)
    assert [one.kind for one in holed] == ["include", "exclude"]
    assert rasterise(holed, SIZE_PX, SIZE_PX)[64, 64] == 0
    whole = paint(holed, line((64, 64)), 12, "include", SIZE_PX)
    assert [one.kind for one in whole] == ["include"]


def test_painting_the_same_place_again_does_not_move_the_edge() -> None:
    painted = paint((), line((64, 64)), 40, "include", SIZE_PX)
    once = rasterise(painted, SIZE_PX, SIZE_PX)
    for _ in range(10):
        painted = paint(painted, line((104, 64)), 3, "include", SIZE_PX)
    assert rasterise(painted, SIZE_PX, SIZE_PX).sum() == pytest.approx(once.sum(), rel=0.02)


def test_what_the_brush_does_not_come_near_stays_point_for_point() -> None:
    far = Polygon("include", line((100, 100), (120, 100), (110, 120)))
    kept = paint([far], line((20, 20)), 8, "include", SIZE_PX)
    assert far in kept and len(kept) == 2
    assert paint([far], line((20, 20)), 8, "exclude", SIZE_PX) == (far,)


class Half:
    """Sees a face in the left half of what it is shown."""

    face_type, identity, input_px = FaceType.HEAD, "half", 64

    def __call__(self, crops: Sequence[Image]) -> list[Mask]:
        mask = np.zeros((64, 64), np.float32)
        mask[:, :32] = 1
        return [mask for _ in crops]


def test_a_proposal_lies_where_the_network_saw_it_though_its_crops_show_more() -> None:
    landmarks = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
    to_face = crop_transform(landmarks, SIZE_PX, FaceType.FULL)
    meta = FaceMeta("1.png", to_face, SIZE_PX, landmarks, FaceType.FULL, Side.DST, 0, 0.9)
    crop = np.full((SIZE_PX, SIZE_PX, 3), 128, np.uint8)
    proposed = propose(crop, meta, Half())
    assert [one.kind for one in proposed] == ["include"]
    expected = cv2.warpAffine(
        Half()([crop])[0],
        meta.crop_to(64, FaceType.HEAD),
        (SIZE_PX, SIZE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    assert iou(rasterise(proposed, SIZE_PX, SIZE_PX), expected) > 0.97
    assert all(len(value["points"]) < 12 for value in polygons_to_json(proposed)), "few enough to edit"
