"""Sliced transport reaches the target's distribution as the full method does; its change follows the face."""

import cv2
import numpy as np
import pytest

from faceswap.color.transfer import idt, mix, smooth, sot
from faceswap.types import Image, Mask


def chance() -> np.random.Generator:
    return np.random.default_rng(0)


def full_method(image: Image, target: Image, mask: Mask) -> Image:
    """DFL's sot with the merger's 10 steps of 30 directions (deepfacelab.md §11.7), on the pixels inside.

    Its σ of 16 pixels as of 224, where the bar is set.
    """
    rng = np.random.default_rng(1)
    colours, wanted = image[mask > 0], target[mask > 0]
    for _ in range(10):
        change = np.zeros_like(colours)
        for direction in rng.normal(size=(30, 3)).astype(np.float32):
            direction /= np.linalg.norm(direction)
            along = colours @ direction
            order = np.argsort(along)
            change[order] += (np.sort(wanted @ direction) - along[order])[:, None] * direction
        colours = colours + change / 30
    whole = np.zeros_like(image)
    whole[mask > 0] = colours - image[mask > 0]
    return np.clip(image + cv2.bilateralFilter(whole, 0, 5, 16 * len(image) / 224), 0, 1)


@pytest.mark.parametrize("seeds", [(1, 2), (5, 3)])
def test_sot_comes_as_near_to_the_target_as_the_full_method(seeds, draw, sliced_distance) -> None:
    y, x = np.mgrid[:112, :112]
    face = (np.hypot((x - 56) / 35, (y - 56) / 45) < 1).astype(np.float32)
    image, target = draw(seeds[0], 112), draw(seeds[1], 112, 0.2)
    reached = sliced_distance(sot(image, target, chance(), face), target, face)
    assert reached < 1.05 * sliced_distance(full_method(image, target, face), target, face)
    assert reached < 0.5 * sliced_distance(image, target, face)


def test_idt_takes_on_the_whole_distribution(draw, inside, sliced_distance) -> None:
    before = sliced_distance(draw(1), draw(2), inside)
    assert sliced_distance(idt(draw(1), draw(2), chance(), inside), draw(2), inside) < 0.06 * before


def test_large_pictures_are_reached_as_a_whole_from_a_part_of_their_pixels(draw, sliced_distance) -> None:
    image, target, all_of_it = draw(1, 300), draw(2, 300), np.ones((300, 300), np.float32)
    # What networks leave that double their resolution: every second column is lighter.
    image[:, ::2] += 0.05
    before = sliced_distance(image, target, all_of_it)
    result = idt(image, target, chance())
    assert sliced_distance(result, target, all_of_it) < 0.06 * before
    assert result.mean((0, 1)) == pytest.approx(target.mean((0, 1)), abs=1e-3)


def test_distributions_that_no_matrix_reaches_are_reached(draw, inside, sliced_distance) -> None:
    two = np.where(draw(2)[..., :1] > np.median(draw(2)[..., 0]), 0.6, 0.3) + draw(3) - draw(3).mean((0, 1))
    two = two.astype(np.float32)
    before = sliced_distance(draw(1), two, inside)
    assert sliced_distance(idt(draw(1), two, chance(), inside), two, inside) < 0.1 * before


def test_soft_weights_count_in_the_distribution(draw, soft) -> None:
    result = idt(draw(1), draw(2), chance(), soft)
    means = [np.average(p.reshape(-1, 3), axis=0, weights=soft.ravel()) for p in (result, draw(2))]
    assert means[0] == pytest.approx(means[1], abs=1e-3)


def test_a_picture_of_one_colour_takes_the_mean(draw) -> None:
    result = idt(np.full((48, 48, 3), 0.5, np.float32), draw(4), chance())
    assert result == pytest.approx(np.broadcast_to(draw(4).mean((0, 1)), (48, 48, 3)), abs=1e-3)


def test_sot_keeps_the_detail_that_idt_changes(draw, soft) -> None:
    def roughness(result: Image) -> float:
        return float(np.abs(cv2.Laplacian(result - draw(1), cv2.CV_32F))[soft > 0.5].mean())

    target = draw(2, spread=0.9)
    assert roughness(sot(draw(1), target, chance(), soft)) < 0.1 * roughness(
        idt(draw(1), target, chance(), soft)
    )


def test_mix_reaches_lightness_exactly_and_colour_on_average(draw, inside) -> None:
    result, target = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[inside > 0]
        for picture in (mix(draw(1), draw(2), chance(), inside), draw(2))
    )
    assert result[:, 0].mean() == pytest.approx(target[:, 0].mean(), abs=0.2)
    assert result[:, 0].std() == pytest.approx(target[:, 0].std(), rel=0.02)
    assert result[:, 1:].mean(0) == pytest.approx(target[:, 1:].mean(0), abs=1)


def test_an_even_change_stays_up_to_the_masks_edge(inside, soft) -> None:
    for weights in (inside, soft, None):
        even = np.full((48, 48, 3), 0.2, np.float32)
        here = slice(None) if weights is None else weights > 0
        np.testing.assert_allclose(smooth(even, weights, 5)[here], 0.2, atol=1e-5)


def test_smoothing_keeps_steps_above_its_edge_and_averages_those_below() -> None:
    step = np.zeros((64, 64, 3), np.float32)
    step[:, 32:] = 0.1
    kept, averaged = smooth(step, None, 0.01), smooth(step, None, 1)
    assert kept[32, 32, 0] - kept[32, 31, 0] > 0.09
    assert averaged[32, 32, 0] - averaged[32, 31, 0] < 0.02


def test_smoothing_looks_alike_at_every_resolution(draw) -> None:
    # 0.06 of 400 and of 100 pixels are whole numbers.
    fine = draw(1, 400, spread=0.9)
    coarse = cv2.resize(fine, (100, 100), interpolation=cv2.INTER_AREA)
    shrunk = cv2.resize(smooth(fine, None, 5), (100, 100), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(shrunk[15:-15, 15:-15], smooth(coarse, None, 5)[15:-15, 15:-15], atol=0.02)
