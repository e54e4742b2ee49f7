"""Masks are shaped the same way at every size, monotonically, and never end in the crop's edge."""

import re
from itertools import pairwise
from typing import get_args

import cv2
import numpy as np
import pytest

from faceswap.merge.masks import MASK_PX, Prediction, face_mask, shape_mask, shrink_or_grow
from faceswap.merge.settings import MaskMode
from faceswap.types import Mask

NO_POINTS = np.zeros((68, 2), np.float32)


def disc(radius: float, size: int = MASK_PX) -> Mask:
    y, x = np.indices((size, size), np.float32)
    middle = (size - 1) / 2
    return np.clip(radius - np.hypot(x - middle, y - middle) + 0.5, 0, 1).astype(np.float32)


def radius_of(mask: Mask) -> float:
    return float(np.sqrt(mask.sum(dtype=np.float64) / np.pi))


@pytest.mark.parametrize("erode", [-200, -50, -7, 0, 1, 20, 45, 150])
def test_erode_moves_the_edge_by_half_its_value_in_thousandths_of_the_crop(erode: int) -> None:
    moved = radius_of(disc(120)) - radius_of(shape_mask(disc(120), erode, 0))
    wanted = erode / 2 / 1000 * MASK_PX
    assert moved == pytest.approx(wanted, abs=max(0.3, 0.06 * abs(wanted)))


def test_more_erosion_never_adds_and_more_dilation_never_removes() -> None:
    soft = cv2.GaussianBlur(np.random.default_rng(1).random((MASK_PX, MASK_PX), np.float32), (0, 0), 9)
    steps = [shape_mask(soft, erode, 0) for erode in (400, 120, 21, 20, 3, 0, -3, -20, -400)]
    for less, more in pairwise(steps):
        assert (more - less).min() >= -1e-6


def test_every_unit_of_erosion_counts() -> None:
    areas = [float(shape_mask(disc(120), erode, 0).sum()) for erode in range(12)]
    assert (np.diff(areas) < 0).all()


@pytest.mark.parametrize("blur", [8, 50, 200])
def test_blur_softens_over_half_its_value_on_either_side_and_no_further(blur: int) -> None:
    half = np.zeros((MASK_PX, MASK_PX), np.float32)
    half[:, : MASK_PX // 2] = 1
    row = shape_mask(half, 0, blur)[MASK_PX // 2]
    edge, reach = MASK_PX // 2 - 0.5, int(np.ceil(blur / 2000 * MASK_PX))
    soft = np.flatnonzero((row > 1e-6) & (row < 1 - 1e-6))
    soft = soft[soft > 2 * reach + 1]
    assert edge - reach - 1 <= soft.min() and soft.max() <= edge + reach + 1
    assert (np.diff(row[2 * reach + 2 :]) <= 1e-6).all()
    assert row[int(edge)] == pytest.approx(0.5, abs=0.25)


def test_more_blur_makes_a_softer_edge() -> None:
    slopes = [
        np.abs(np.diff(shape_mask(disc(120), 0, blur)[MASK_PX // 2])).max() for blur in range(0, 300, 25)
    ]
    assert (np.diff(slopes) < 0).all()


@pytest.mark.parametrize(("erode", "blur"), [(0, 0), (-400, 0), (0, 50), (-100, 400), (20, 50), (400, 400)])
def test_the_mask_is_zero_at_the_crops_edge(erode: int, blur: int) -> None:
    shaped = shape_mask(np.ones((MASK_PX, MASK_PX), np.float32), erode, blur)
    assert max(shaped[0].max(), shaped[-1].max(), shaped[:, 0].max(), shaped[:, -1].max()) == 0
    assert shaped.min() >= 0 and shaped.max() <= 1 + 1e-6


def test_a_large_disc_is_composed_of_small_ones() -> None:
    single = np.zeros((MASK_PX, MASK_PX), np.float32)
    single[256, 256] = 1
    grown = shrink_or_grow(single, -40)
    y, x = np.nonzero(grown)
    distance = np.hypot(x - 256, y - 256)
    assert distance.max() <= 43
    y, x = np.nonzero(grown == 0)
    assert np.hypot(x - 256, y - 256).min() >= 36


@pytest.mark.parametrize("size", [64, 128, 448, 512, 640])
def test_a_mask_lies_in_the_same_place_whatever_the_models_resolution(size: int) -> None:
    mask = disc(size * 0.3, size)
    prediction = Prediction(np.zeros((size, size, 3), np.float32), mask, mask)
    shown = face_mask("learned-prd", prediction, NO_POINTS)
    assert shown.shape == (MASK_PX, MASK_PX)
    assert radius_of(shown) == pytest.approx(0.3 * MASK_PX, rel=0.01)
    x = np.arange(MASK_PX)
    assert float((shown.sum(0) * x).sum() / shown.sum()) == pytest.approx((MASK_PX - 1) / 2, abs=0.3)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("full", 1.0),
        ("learned-prd", 0.8),
        ("learned-dst", 0.5),
        ("learned-prd*learned-dst", 0.4),
        ("learned-prd+learned-dst", 1.0),
        ("xseg-prd", 0.75),
        ("xseg-dst", 0.6),
        ("xseg-prd*xseg-dst", 0.45),
        ("learned-prd*learned-dst*xseg-prd*xseg-dst", 0.18),
    ],
)
def test_modes_combine_masks_as_their_names_say(mode: MaskMode, wanted: float) -> None:
    flat = [np.full((64, 64), value, np.float32) for value in (0.8, 0.5, 0.75, 0.6)]
    prediction = Prediction(np.zeros((64, 64, 3), np.float32), *flat)
    assert face_mask(mode, prediction, NO_POINTS)[256, 256] == pytest.approx(wanted, abs=1e-6)


def test_what_eight_bits_cannot_show_is_dropped() -> None:
    faint = np.full((64, 64), 0.003, np.float32)
    prediction = Prediction(np.zeros((64, 64, 3), np.float32), faint, faint)
    assert not face_mask("learned-prd", prediction, NO_POINTS).any()


@pytest.mark.parametrize(
    "mode", ["xseg-prd", "xseg-dst", "xseg-prd*xseg-dst", "learned-prd*learned-dst*xseg-prd*xseg-dst"]
)
def test_a_mode_whose_masks_are_missing_is_named(mode: MaskMode) -> None:
    flat = np.ones((64, 64), np.float32)
    with pytest.raises(ValueError, match=re.escape(f"mask mode {mode} needs the mask xseg-")):
        face_mask(mode, Prediction(np.zeros((64, 64, 3), np.float32), flat, flat), NO_POINTS)


def test_the_ten_modes_are_dfls() -> None:
    assert len(get_args(MaskMode)) == 10
