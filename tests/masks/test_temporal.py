"""Masks along time: what trembles over a still picture is averaged, what moves in the picture is kept."""

from itertools import pairwise

import numpy as np
import pytest

from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.masks.smooth import REACH, Glimpse, fit_affine, flicker, steadied, windowed
from faceswap.types import Frame, Mask, Points

SIDE = 128
POINTS = (0.4 * HEAD_MODEL[:, :2] + (64, 60)).astype(np.float32)


def disc(x: float, radius: float = 35) -> Mask:
    yy, xx = np.indices((SIDE, SIDE), np.float32)
    return np.clip(radius - np.hypot(xx - x, yy - 64) + 0.5, 0, 1).astype(np.float32)


def picture(bar: float | None = None) -> Frame:
    """A smooth face, and at `bar` a dark bar before it."""
    yy, xx = np.indices((SIDE, SIDE), np.float32)
    frame = np.dstack([150 + 40 * np.sin(xx / 20), 120 + 30 * np.cos(yy / 15), 100 + xx / 4])
    if bar is not None:
        frame[:, int(bar) : int(bar) + 20] = 30
    return frame.astype(np.uint8)


def seen(mask: Mask, frame: Frame, points: Points = POINTS) -> Glimpse:
    return Glimpse.of(frame, mask, points)


def iou(one: Mask, two: Mask) -> float:
    both, either = (one > 0.5) & (two > 0.5), (one > 0.5) | (two > 0.5)
    return float(both.sum() / either.sum())


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9, 20])
@pytest.mark.parametrize("reach", [1, 3, 4])
def test_windows_are_centred_and_as_wide_as_the_ends_allow(count: int, reach: int) -> None:
    found = list(windowed(range(count), reach))
    expected = []
    for place in range(count):
        near = min(reach, place, count - 1 - place)
        expected.append(list(range(place - near, place + near + 1)))
    assert found == expected


def test_windows_are_given_out_before_everything_is_read() -> None:
    read: list[int] = []
    windows = windowed((read.append(number) or number for number in range(100)), 3)
    next(windows)
    assert len(read) <= 4


def test_a_mask_that_does_not_change_stays_as_it_is() -> None:
    window = [seen(disc(64), picture())] * 5
    assert np.abs(steadied(window) - disc(64)).max() < 1e-6
    assert flicker(window[0], window[1]) == 0


def test_noise_over_a_still_picture_falls_to_a_third() -> None:
    rng = np.random.default_rng(0)
    window = [seen(disc(64, 35 + rng.normal(0, 2)), picture()) for _ in range(40)]
    raw = np.mean([flicker(a, b) for a, b in pairwise(window)])
    smooth = [one._replace(mask=steadied(near)) for one, near in zip(window, windowed(window), strict=True)]
    assert np.mean([flicker(a, b) for a, b in pairwise(smooth)]) < raw / 3


def test_a_hole_of_one_frame_that_the_picture_does_not_explain_is_closed() -> None:
    holed = disc(64) - disc(64, 8)
    window = [seen(holed if place == REACH else disc(64), picture()) for place in range(2 * REACH + 1)]
    assert iou(window[REACH].mask, disc(64)) < 0.96
    assert steadied(window)[64, 64] > 0.7


def test_a_bar_that_moves_over_the_face_is_neither_smeared_nor_delayed() -> None:
    def masked(bar: float) -> Mask:
        mask = disc(64)
        mask[:, int(bar) : int(bar) + 20] = 0
        return mask

    window = [seen(masked(bar), picture(bar)) for bar in range(20, 92, 8)]
    for near, one in zip(windowed(window), window, strict=True):
        assert iou(steadied(near), one.mask) > 0.98


def test_a_cut_is_not_smoothed_across() -> None:
    light = np.full((SIDE, SIDE, 3), 220, np.uint8)
    window = [seen(disc(50), picture())] * 4 + [seen(disc(80), light)] * 5
    assert np.abs(steadied(window) - disc(80)).max() < 0.05


def test_a_face_that_moves_through_the_crop_is_laid_over_itself() -> None:
    """Landmarks, mask and picture move together, as when the crop trembles."""
    steps = [0, 3, -2, 4, 1, -3, 2]
    still = picture()
    window = [
        seen(disc(64 + step), np.roll(still, step, 1), POINTS + np.float32((step, 0))) for step in steps
    ]
    assert np.abs(steadied(window) - disc(64 + steps[3])).max() < 0.02
    assert flicker(window[0], window[1]) < 0.001 < np.abs(disc(64) - disc(67)).mean()


def test_an_affine_transform_is_found_again() -> None:
    true = np.array([[1.1, 0.2, 5], [-0.1, 0.9, -3]])
    target = (POINTS @ true[:, :2].T + true[:, 2]).astype(np.float32)
    assert np.abs(fit_affine(POINTS, target) - true).max() < 1e-4
