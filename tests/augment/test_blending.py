"""Blending helpers against values worked out by hand."""

import numpy as np
import pytest

from faceswap.augment.blending import (
    ColorJitter,
    composite,
    deform,
    down_up,
    draw_color_jitter,
    draw_displacement,
    feather,
    jitter_color,
    poisson_blend,
    pyramid_blend,
    sharpen,
    warp,
    warp_mask,
)

SIDE = 64


def plain(*color: int, side: int = SIDE) -> np.ndarray:
    return np.broadcast_to(np.array(color, np.uint8), (side, side, 3)).copy()


def noise(seed: int = 0, low: int = 0, high: int = 256, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (side, side, 3), dtype=np.uint8)


def square(low: int = 20, high: int = 44, side: int = SIDE) -> np.ndarray:
    mask = np.zeros((side, side), np.float32)
    mask[low:high, low:high] = 1
    return mask


def shift(x: float, y: float) -> np.ndarray:
    return np.array([(1, 0, x), (0, 1, y)], np.float64)


@pytest.mark.parametrize(
    ("jitter", "before", "after"),
    [
        (ColorJitter(), (10, 20, 30), (10, 20, 30)),
        (ColorJitter(brightness=0.2), (10, 20, 30), (61, 71, 81)),
        (ColorJitter(brightness=-1), (10, 20, 30), (0, 0, 0)),
        # 127.5 + 1.5 · (100 − 127.5) = 86.25
        (ColorJitter(contrast=1.5), (100, 100, 100), (86, 86, 86)),
        # Luma of red: 0.299 · 255 = 76.2
        (ColorJitter(saturation=0), (255, 0, 0), (76, 76, 76)),
        (ColorJitter(hue_deg=70), (90, 90, 90), (90, 90, 90)),
        # Half a turn mirrors colour about its luma, here 0.299 · 140 + 0.587 · 100 + 0.114 · 100 = 111.96.
        (ColorJitter(hue_deg=180), (140, 100, 100), (84, 124, 124)),
        (ColorJitter(tint=(0.2, 0, -0.2)), (100, 100, 100), (151, 100, 49)),
    ],
)
def test_color_jitter_gives_hand_computed_values(jitter, before, after):
    # The rounded NTSC coefficients are worth a quarter of a grey level.
    assert np.abs(jitter_color(plain(*before), jitter)[0, 0] - np.array(after)).max() <= 0.5


def test_the_default_jitter_keeps_every_pixel():
    assert np.array_equal(jitter_color(noise(), ColorJitter()), noise())


def test_drawn_jitters_stay_in_their_ranges_and_favour_neither_direction():
    rng = np.random.default_rng(0)
    draws = [draw_color_jitter(rng, 0.1, 0.25, 10, 0.05) for _ in range(400)]
    gains = np.log([(d.contrast, d.saturation) for d in draws])
    assert np.abs(gains).max() <= np.log(1.25) + 1e-9
    assert max(abs(d.brightness) for d in draws) <= 0.1
    assert max(abs(d.hue_deg) for d in draws) <= 10
    assert np.abs([d.tint for d in draws]).max() <= 0.05
    # Four standard errors of the mean of 400 uniform draws in ±log 1.25: 4 · 0.223 / √(3 · 400).
    assert np.abs(gains.mean(axis=0)).max() < 0.026


def test_down_up_removes_detail_but_neither_size_nor_mean():
    picture = noise()[:51, :33]
    result = down_up(picture, 0.25)
    assert result.shape == picture.shape
    assert result.std() < picture.std() / 2
    assert result.mean() == pytest.approx(picture.mean(), abs=2)


def test_sharpening_widens_an_edge_and_leaves_flat_parts():
    picture = plain(100, 100, 100)
    picture[:, 32:] = 150
    result = sharpen(picture, 0.8)
    assert result[0, 31, 0] < 100 and result[0, 32, 0] > 150
    assert np.array_equal(result[:, :20], picture[:, :20])


def test_a_whole_pixel_shift_moves_picture_and_mask_exactly():
    picture, mask = noise(), square()
    assert np.array_equal(warp(picture, shift(3, -2), SIDE)[:-2, 3:], picture[2:, :-3])
    assert np.array_equal(warp_mask(mask, shift(3, -2), SIDE)[:-2, 3:], mask[2:, :-3])


def test_a_warp_goes_on_mirrored_beyond_the_border():
    picture = noise()
    assert np.array_equal(warp(picture, shift(3, 0), SIDE)[:, :3], picture[:, 3:0:-1])


def test_shrinking_averages_stripes_instead_of_picking_them():
    stripes = plain(0, 0, 0, side=96)
    stripes[:, ::2] = 254
    third = np.array([(1 / 3, 0, -1 / 3), (0, 1 / 3, -1 / 3)])
    shrunk = warp(stripes, third, 32).astype(int)
    # A third of stripes of period two: one or two of three are white.
    assert shrunk.min() >= 80 and shrunk.max() <= 174


def test_displacement_moves_the_mask_and_none_leaves_it():
    mask = square()
    still, two_left = np.zeros((SIDE, SIDE, 2), np.float32), np.zeros((SIDE, SIDE, 2), np.float32)
    two_left[..., 0] = 2
    assert np.array_equal(deform(mask, still), mask)
    assert np.array_equal(deform(mask, two_left)[:, :-2], mask[:, 2:])


def test_displacement_is_smooth_and_replayable():
    field = draw_displacement(np.random.default_rng(1), 160, 2.0)
    assert np.array_equal(field, draw_displacement(np.random.default_rng(1), 160, 2.0))
    assert 0.8 < field.std() < 3
    # Eight nodes over 160 px: neighbours differ by a fraction of the spread.
    assert np.abs(np.diff(field, axis=0)).max() < 1


def test_feathering_peaks_at_one_falls_to_zero_and_draws_the_shape_in():
    soft = feather(square(), 2, 2)
    assert soft.max() == 1 and soft.min() == 0
    assert soft[:8].max() == 0
    assert soft.sum() < square().sum()
    assert len(np.unique(soft)) > 50


def test_feathering_keeps_nothing_nothing_and_does_not_frame_a_face_that_fills_the_crop():
    assert not feather(np.zeros((SIDE, SIDE), np.float32), 2, 2).any()
    assert feather(np.ones((SIDE, SIDE), np.float32), 2, 2) == pytest.approx(1)


def test_composite_mixes_by_the_mask():
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[0, :4] = (0, 0.25, 0.5, 1)
    mixed = composite(plain(100, 0, 200), plain(200, 100, 100), mask)
    assert mixed[0, :4].tolist() == [[100, 0, 200], [125, 25, 175], [150, 50, 150], [200, 100, 100]]


def test_a_pyramid_gives_the_foreground_under_a_full_mask_and_the_background_under_none():
    background, foreground = noise(0)[:51, :51], noise(1)[:51, :51]
    full = np.ones((51, 51), np.float32)
    assert np.abs(pyramid_blend(background, foreground, full) - foreground).max() < 1e-2
    assert np.array_equal(pyramid_blend(background, foreground, 0 * full), background)


def test_a_pyramid_blends_coarse_differences_wider_than_fine_ones():
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:, 32:] = 1
    flat, white = plain(0, 0, 0), plain(200, 200, 200)
    across = pyramid_blend(flat, white, mask)[32, :, 0]
    # A step of the mask becomes a ramp of many pixels for flat colour ...
    assert np.abs(np.diff(across)).max() < 40
    checks = plain(100, 100, 100)
    checks[::2, ::2], checks[1::2, 1::2] = 200, 200
    checks[::2, 1::2], checks[1::2, ::2] = 0, 0
    fine = np.abs(pyramid_blend(plain(100, 100, 100), checks, mask)[32, :, 0] - 100)
    # ... but the finest pattern keeps nearly all of its strength up to the edge and little beyond it.
    assert fine[36] > 80 and fine[27] < 20


@pytest.mark.parametrize("slope", [(0, 0), (0.5, 0), (0.3, -0.4)])
def test_poisson_blending_adds_the_membrane_that_joins_the_edges(slope):
    rows, columns = np.indices((160, 160))
    foreground = plain(100, 100, 100, side=160)
    # Planes are harmonic, so the membrane is the difference itself, inside and at the edge.
    plane = 40 + slope[0] * (columns - 80) + slope[1] * (rows - 80)
    background = (foreground + plane[..., None]).astype(np.uint8)
    foreground[70:90, 70:90] += 50
    joined = poisson_blend(background, foreground, square(50, 110, side=160))
    assert joined is not None
    inner = np.s_[55:105, 55:105]
    expected = foreground[inner] + plane[inner][..., None]
    assert np.abs(joined[inner] - expected).max() <= 3


def test_poisson_blending_refuses_masks_without_background_around_them():
    assert poisson_blend(noise(0), noise(1), square(0, 30)) is None
    assert poisson_blend(noise(0), noise(1), square(30, 64)) is None
    assert poisson_blend(noise(0), noise(1), square(0, 0)) is None
