"""Anchors: layout, encoding, assignment."""

import numpy as np

from faceswap.facepack.anchors import assign, decode, encode, lay_anchors


def test_encoding_and_decoding_give_boxes_and_points_back() -> None:
    random = np.random.default_rng(0)
    anchors = lay_anchors(64, 96)
    count = len(anchors.sizes)
    low = random.uniform(0, 50, (count, 2))
    boxes = np.concatenate([low, low + random.uniform(5, 60, (count, 2))], 1).astype(np.float32)
    five = random.uniform(0, 96, (count, 5, 2)).astype(np.float32)
    decoded = decode(anchors, *encode(anchors, boxes, five))
    np.testing.assert_allclose(decoded[0], boxes, atol=1e-3)
    np.testing.assert_allclose(decoded[1], five, atol=1e-3)


def test_anchors_lie_in_the_order_of_insightfaces_decoder() -> None:
    anchors = lay_anchors(32, 64)
    # Row by row, two anchors a cell, level by level: 4 × 8 cells, 2 × 4, 1 × 2.
    assert len(anchors.sizes) == 2 * (32 + 8 + 2)
    np.testing.assert_array_equal(anchors.centers[:4], [[0, 0], [0, 0], [8, 0], [8, 0]])
    np.testing.assert_array_equal(anchors.centers[16], [0, 8])
    np.testing.assert_array_equal(anchors.sizes[:2], [16, 32])
    np.testing.assert_array_equal(anchors.sizes[-2:], [64, 128])


def test_every_wanted_face_gets_anchors_from_tiny_to_filling_the_picture() -> None:
    anchors = lay_anchors(256, 256)
    for size in (10, 16, 40, 100, 200, 300):
        box = np.array([[130 - size / 2, 120 - size / 2, 130 + size / 2, 120 + size / 2]], np.float32)
        targets = assign(anchors, box, np.array([True]))
        assert (targets.face == 0).any(), size


def test_assigned_anchors_overlap_their_own_face_best() -> None:
    anchors = lay_anchors(256, 256)
    boxes = np.array([[20, 20, 80, 90], [120, 100, 240, 240]], np.float32)
    targets = assign(anchors, boxes, np.array([True, True]))
    for index, box in enumerate(boxes):
        centers = anchors.centers[targets.face == index]
        assert len(centers) > 0
        assert ((centers > box[:2]) & (centers < box[2:])).all()


def test_a_face_nobody_asks_for_is_neither_wanted_nor_background() -> None:
    anchors = lay_anchors(128, 128)
    box = np.array([[30, 30, 100, 100]], np.float32)
    targets = assign(anchors, box, np.array([False]))
    inside = ((anchors.centers >= 30) & (anchors.centers <= 100)).all(1)
    assert (targets.face == -1).all()
    assert not targets.counted[inside].any()
    assert targets.counted[~inside].all()


def test_a_picture_without_faces_is_all_background() -> None:
    targets = assign(lay_anchors(64, 64), np.zeros((0, 4), np.float32), np.zeros(0, bool))
    assert (targets.face == -1).all()
    assert targets.counted.all()
