"""The robustness grid and the tail that both members of a training pair go through."""

import inspect

import cv2
import numpy as np
import pytest

from faceswap.augment.blending import ColorJitter
from faceswap.augment.degrade import (
    GRID,
    STEP_CHANCES,
    TailParams,
    apply_tail,
    apply_tail_to_mask,
    degrade,
    draw_tail,
    h264,
    jpeg,
)

EVERY_LEVEL = [(name, level) for name, levels in GRID.items() for level in levels]


def texture(height: int = 160, width: int = 160, seed: int = 0) -> np.ndarray:
    """Blobs of all sizes, as natural pictures have."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.standard_normal((height, width, 3)), (0, 0), s) * s for s in (1, 4, 16)]
    return np.clip(128 + 60 * sum(layers), 0, 255).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def quiet(out_px: int, placing: np.ndarray) -> TailParams:
    """A tail that only moves the picture."""
    return TailParams(out_px, placing, cv2.INTER_LINEAR, (), ColorJitter(), 0.0, 0.0, 0, 1.0, 100, 23, 30)


def test_the_grid_has_five_levels_of_each_degradation():
    assert set(GRID) == {"jpeg", "h264", "resize", "blur", "noise", "color", "screenshot"}
    assert {len(levels) for levels in GRID.values()} == {5}
    assert GRID["jpeg"] == (90, 75, 60, 40, 20)
    assert GRID["h264"] == (18, 23, 30, 35, 40)
    assert GRID["resize"] == (0.75, 0.5, 0.375, 0.25, 0.125)


@pytest.mark.parametrize(("name", "level"), EVERY_LEVEL)
@pytest.mark.parametrize(("count", "height", "width"), [(1, 51, 33), (3, 64, 47)])
def test_count_size_and_type_stay_and_equal_seeds_give_equal_pictures(name, level, count, height, width):
    frames = [texture(height, width, seed) for seed in range(count)]
    copies = [frame.copy() for frame in frames]
    first, second = degrade(name, level, frames, rng()), degrade(name, level, frames, rng())
    assert [frame.shape for frame in first] == [(height, width, 3)] * count
    assert all(frame.dtype == np.uint8 for frame in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(frames, copies, strict=True))


@pytest.mark.parametrize("name", ["jpeg", "h264", "resize", "blur", "noise", "color"])
def test_every_level_is_worse_than_the_one_before(name):
    picture = texture()
    quality = [psnr(degrade(name, level, [picture], rng())[0], picture) for level in GRID[name]]
    assert all(np.diff(quality) < 0)


def test_reals_and_fakes_get_the_same_noise():
    real, fake = np.full((40, 40, 3), 110, np.uint8), np.full((40, 40, 3), 140, np.uint8)
    noisy_real, noisy_fake = (degrade("noise", 0.05, [x], rng())[0].astype(int) for x in (real, fake))
    assert np.array_equal(noisy_real - 110, noisy_fake - 140)
    # 0.05 · 255 = 12.75; the spread of 4,800 draws is known to about 1 %.
    assert (noisy_real - 110).std() == pytest.approx(12.75, rel=0.05)


def test_frames_of_a_clip_get_noise_of_their_own_but_one_shift():
    still = [texture(seed=1), texture(seed=1)]
    noisy, shown = degrade("noise", 0.05, still, rng()), degrade("screenshot", 0.7, still, rng())
    assert not np.array_equal(*noisy)
    assert np.array_equal(*shown)


def test_the_severest_color_level_is_grey_with_little_contrast():
    white = np.full((8, 8, 3), 255, np.uint8)
    # 127.5 + 0.35 · 127.5 = 172.1
    assert np.unique(degrade("color", 0.0, [white], rng())[0]).tolist() == [172]
    faded = degrade("color", 0.0, [texture()], rng())[0].astype(int)
    assert np.ptp(faded, axis=2).max() <= 1


def test_h264_keeps_the_order_of_frames_and_their_colors():
    colors = [(40 * i, 200 - 30 * i, 90) for i in range(6)]
    frames = [np.full((33, 65, 3), color, np.uint8) for color in colors]
    means = [frame.mean((0, 1)) for frame in h264(frames, 18)]
    assert np.abs(np.array(means) - colors).max() < 6


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_h264_returns_as_many_frames_as_went_in(count):
    assert len(h264([texture(48, 48)] * count, 30)) == count


def test_h264_refuses_frames_of_two_sizes():
    with pytest.raises(ValueError, match="one size"):
        degrade("h264", 23, [texture(32, 32), texture(64, 32)], rng())


def test_an_unknown_degradation_is_named_and_no_frames_are_no_frames():
    with pytest.raises(ValueError, match="'sepia'"):
        degrade("sepia", 1, [texture()], rng())
    assert all(degrade(name, levels[0], [], rng()) == [] for name, levels in GRID.items())


def test_jpeg_keeps_red_red():
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    assert np.abs(jpeg(red, 95).astype(int) - red).max() < 6


def test_drawing_a_tail_knows_neither_label_nor_picture():
    assert list(inspect.signature(draw_tail).parameters) == ["rng", "out_px", "strength"]


@pytest.mark.parametrize("seed", range(25))
def test_equal_pictures_stay_equal_whatever_went_through_the_tail_between_them(seed):
    params = draw_tail(rng(seed), 112)
    real = apply_tail(params, texture())
    apply_tail(params, texture(seed=1))
    assert np.array_equal(real, apply_tail(params, texture()))
    assert real.shape == (112, 112, 3) and real.dtype == np.uint8


def test_the_tail_of_a_pair_differs_only_where_the_pair_does():
    # JPEG and resampling spread a change over their blocks; far from it, nothing may differ.
    real = texture()
    fake = real.copy()
    fake[70:80, 70:80] = 255 - fake[70:80, 70:80]
    for seed in range(25):
        params = draw_tail(rng(seed), 112)
        # H.264 predicts blocks from their neighbours, which carries a trace of a change over the picture.
        params = params._replace(steps=tuple(step for step in params.steps if step != "h264"))
        a, b = apply_tail(params, real).astype(int), apply_tail(params, fake).astype(int)
        changed = (np.abs(a - b).max(axis=2) > 0).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(changed)
        # The square covers at most 12 px after zoom and rotation; several steps of 16 px blocks surround it.
        assert 5 < width < 70 and 5 < height < 70, (left, top)


def test_equal_generators_draw_equal_tails_and_others_differ():
    assert repr(draw_tail(rng(3), 112)) == repr(draw_tail(rng(3), 112))
    assert repr(draw_tail(rng(3), 112)) != repr(draw_tail(rng(4), 112))


def test_steps_come_as_often_as_told_and_in_varied_order():
    generator = rng()
    drawn = [draw_tail(generator, 112) for _ in range(600)]
    for name, chance in STEP_CHANCES.items():
        share = np.mean([name in params.steps for params in drawn])
        # Four standard errors at most: 4 · √(0.25 / 600) = 0.08.
        assert share == pytest.approx(chance, abs=0.08)
    both = [params.steps for params in drawn if {"jpeg", "color"} <= set(params.steps)]
    assert 0.3 < np.mean([steps.index("jpeg") < steps.index("color") for steps in both]) < 0.7
    assert {params.quality for params in drawn} == set(range(40, 101))


def test_a_tail_that_does_nothing_gives_the_picture_and_its_mirror_the_mirror():
    still = np.array([(1, 0, 0), (0, 1, 0)], np.float64)
    mirror = np.array([(-1, 0, 1), (0, 1, 0)], np.float64)
    picture, mask = texture(), texture()[..., 0].astype(np.float32) / 255
    assert np.array_equal(apply_tail(quiet(160, still), picture), picture)
    assert np.array_equal(apply_tail(quiet(160, mirror), picture), picture[:, ::-1])
    assert np.abs(apply_tail_to_mask(quiet(160, mirror), mask) - mask[:, ::-1]).max() < 1e-6


def test_a_tail_to_half_the_size_averages_neighbours():
    # Pixel centre i of the half lies between 2i and 2i + 1: corners stay corners.
    still = np.array([(1, 0, 0), (0, 1, 0)], np.float64)
    picture = texture()
    expected = picture.reshape(80, 2, 80, 2, 3).mean((1, 3))
    assert np.abs(apply_tail(quiet(80, still), picture) - expected).max() <= 1


@pytest.mark.parametrize("side", [96, 160, 320])
@pytest.mark.parametrize("seed", range(6))
def test_mask_and_picture_move_together(side, seed):
    mask = np.zeros((side, side), np.float32)
    mask[side // 4 : side // 2, side // 3 : 2 * side // 3] = 1
    picture = np.repeat((255 * mask).astype(np.uint8)[..., None], 3, axis=2)
    params = draw_tail(rng(seed), 112)._replace(steps=())
    moved_mask, moved = apply_tail_to_mask(params, mask), apply_tail(params, picture)[..., 0] / 255
    assert moved_mask.shape == (112, 112) and moved_mask.dtype == np.float32
    assert moved_mask.min() >= 0 and moved_mask.max() <= 1
    seen, covered = moved > 0.5, moved_mask > 0.5
    assert (seen & covered).sum() / (seen | covered).sum() > 0.96
    # Ten per cent smaller to a fifth larger, whatever the crop's size.
    assert 0.8 * mask.mean() < moved_mask.mean() < 1.46 * mask.mean()
