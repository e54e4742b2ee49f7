"""Random warp and transform against deepfacelab.md §9.2 and §15.5."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceswap.augment.warp import (
    AugmentParams,
    TransformRanges,
    augment,
    draw_augment,
    invert_transform,
)

STILL = TransformRanges(rotation_deg=0, scale=0, shift=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, side: int = 64) -> tuple[Tensor, Tensor]:
    """Smooth random faces and masks, (B, 3, side, side) and (B, 1, side, side)."""
    coarse = torch.rand(count, 4, 8, 8, generator=seeded(count))
    smooth = F.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    return smooth[:, :3], smooth[:, 3:]


def test_without_warp_and_transform_the_picture_stays_where_it_is() -> None:
    image, mask = torch.rand(2, 3, 64, 64, generator=seeded()), torch.rand(2, 1, 64, 64, generator=seeded(1))
    result = augment(image, mask, draw_augment(seeded(), 2, flip=False, elastic=False, ranges=STILL))
    for output, expected in zip(result[:3], (image, image, mask), strict=True):
        torch.testing.assert_close(output, expected, atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_pictures_bit_for_bit() -> None:
    image, mask = pictures(4)
    first, second = (augment(image, mask, draw_augment(seeded(5), 4, flip=True)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first[:3], second[:3], strict=True))
    other = augment(image, mask, draw_augment(seeded(6), 4, flip=True))
    assert not torch.equal(first.target, other.target)


def test_pictures_of_a_batch_are_drawn_apart() -> None:
    params = draw_augment(seeded(), 3, flip=False)
    assert len({tuple(matrix.flatten().tolist()) for matrix in params.output_to_input}) == 3
    assert len({tuple(field.flatten().tolist()) for field in params.displacement}) == 3


def test_options_do_not_change_the_other_draws() -> None:
    plain, flipped = draw_augment(seeded(), 8, flip=False), draw_augment(seeded(), 8, flip=True)
    rigid = draw_augment(seeded(), 8, flip=False, elastic=False)
    assert torch.equal(plain.displacement, flipped.displacement)
    assert torch.equal(plain.output_to_input, rigid.output_to_input)
    assert torch.equal(plain.output_to_input[..., 1:], flipped.output_to_input[..., 1:])


def test_a_flip_mirrors_the_result() -> None:
    image, mask = pictures(32)
    plain = augment(image, mask, draw_augment(seeded(), 32, flip=False))
    mixed = augment(image, mask, draw_augment(seeded(), 32, flip=True))
    mirrored = 0
    for i in range(32):
        # Each picture is either left alone or mirrored in all three outputs alike.
        alone = torch.allclose(mixed.target[i], plain.target[i], atol=1e-4)
        mirrored += not alone
        for a, b in zip(plain[:3], mixed[:3], strict=True):
            torch.testing.assert_close(b[i], a[i] if alone else a[i].flip(-1), atol=1e-4, rtol=0)
    assert 4 <= mirrored <= 24


def test_forty_percent_are_flipped() -> None:
    mirror = torch.det(draw_augment(seeded(), 20_000, flip=True).output_to_input[..., :2]) < 0
    # Four standard deviations of a binomial share.
    assert mirror.float().mean().item() == pytest.approx(0.4, abs=4 * math.sqrt(0.24 / 20_000))


def forward_matrices(params: AugmentParams, side: int) -> Tensor:
    """(B, 2, 3) float64 input → output in pixels, pixel centres at integers."""
    corner = torch.tensor([[0.0, 0, 1]], dtype=torch.float64).expand(len(params.output_to_input), 1, 3)
    to_unit = torch.tensor([[2 / side, 0, 1 / side - 1], [0, 2 / side, 1 / side - 1], [0, 0, 1]]).double()
    inverse = torch.cat((params.output_to_input.double(), corner), dim=1)
    return (torch.linalg.inv(to_unit) @ torch.linalg.inv(inverse) @ to_unit)[:, :2]


def test_rotation_scale_and_shift_cover_the_published_ranges() -> None:
    side = 128
    matrix = forward_matrices(draw_augment(seeded(), 20_000, flip=False), side)
    scale = torch.det(matrix[..., :2]).sqrt()
    rotation = torch.rad2deg(torch.atan2(matrix[:, 0, 1], matrix[:, 0, 0]))
    centre = torch.full((2,), (side - 1) / 2, dtype=torch.float64)
    shift = (matrix[..., :2] @ centre + matrix[..., 2] - centre) / side
    for values, low, high in ((rotation, -10, 10), (scale, 1 / 1.15, 1.15), (shift, -0.05, 0.05)):
        width = high - low
        assert low - 1e-4 <= values.min() <= low + 0.01 * width
        assert high - 0.01 * width <= values.max() <= high + 1e-4
        # Uniform: mean in the middle, standard deviation width/√12.
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.01 * width)
        assert values.std().item() == pytest.approx(width / math.sqrt(12), rel=0.02)


def test_a_transform_is_the_golden_matrix_about_the_true_centre() -> None:
    # deepfacelab.md §15.5; DeepFaceLab turns about (64, 64), half a pixel off the centre of 128 pixels.
    golden = torch.tensor([[1.13508922, -0.04974163, -2.49272318], [0.04974163, 1.13508922, -10.56634550]])
    golden = golden.double()
    turn = golden[:, :2]
    expected = torch.cat((turn, (golden[:, 2] - 0.5 * (1 - turn.sum(dim=1)))[:, None]), dim=1)
    rotation, scale = torch.tensor([math.radians(-2.50919762)]), torch.tensor([1.13617858])
    shift = 2 * torch.tensor([[0.02319939], [0.00986585]])
    inverse = invert_transform(rotation, scale, shift, torch.ones(1))
    found = forward_matrices(AugmentParams(inverse, torch.zeros(1, 2, 9, 9)), 128)[0]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_the_elastic_noise_has_the_spread_of_two_truncated_draws_on_each_axis() -> None:
    field = draw_augment(seeded(), 30_000, flip=False).displacement
    # Which cell was drawn shows at nodes between those of the coarser grids: they are interpolated there.
    eighth = (field[:, :, 1, 1] - (field[:, :, 0, 1] + field[:, :, 2, 1]) / 2).abs().amax(dim=1) > 1e-6
    quarter = ~eighth & (
        (field[:, :, 2, 2] - (field[:, :, 0, 2] + field[:, :, 4, 2]) / 2).abs().amax(dim=1) > 1e-6
    )
    half = ~eighth & ~quarter
    # Standard deviation of a normal cut at ±2.5, then /2.5 · 0.24 cells, √2 for the sum of two draws.
    density = math.exp(-(2.5**2) / 2) / math.sqrt(2 * math.pi)
    cut = math.sqrt(1 - 5 * density / math.erf(2.5 / math.sqrt(2)))
    for chosen, cells in ((half, 2), (quarter, 4), (eighth, 8)):
        assert chosen.float().mean().item() == pytest.approx(1 / 3, abs=0.02)
        node = 8 // cells
        x, y = field[chosen, :, node, node].T
        spread = math.sqrt(2) * cut / 2.5 * 0.24 * (2 / cells)
        for noise in (x, y):
            assert noise.mean().item() == pytest.approx(0, abs=0.05 * spread)
            assert noise.std().item() == pytest.approx(spread, rel=0.03)
            assert noise.abs().max() <= 2 * 0.24 * (2 / cells) + 1e-6
        assert torch.corrcoef(torch.stack((x, y)))[0, 1].abs() < 0.05
    # Nor is one axis the transpose of the other.
    x, y = field[eighth, 0, 2, 5], field[eighth, 1, 5, 2]
    assert torch.corrcoef(torch.stack((x, y)))[0, 1].abs() < 0.05


def test_the_elastic_warp_leaves_the_edges_in_place() -> None:
    field = draw_augment(seeded(), 64, flip=False).displacement
    edges = (field[..., 0, :], field[..., -1, :], field[..., :, 0], field[..., :, -1])
    assert not any(edge.any() for edge in edges)


def test_warped_and_target_share_the_transform_and_differ_by_the_elastic_warp() -> None:
    image, mask = pictures(4)
    params = draw_augment(seeded(), 4, flip=False)
    both = augment(image, mask, params)
    rigid = augment(image, mask, AugmentParams(params.output_to_input, torch.zeros_like(params.displacement)))
    torch.testing.assert_close(both.target, rigid.warped, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.mask, rigid.mask)
    assert (both.warped - both.target).abs().amax(dim=(1, 2, 3)).min() > 0.02


def test_one_grid_equals_warping_first_and_transforming_after() -> None:
    """On a ramp positions can be read off the colours, to a twentieth of a pixel under this cubic kernel."""
    side = 64
    ramp = ((torch.arange(side) + 0.5) / side).expand(1, 1, side, side)
    image = torch.cat((ramp, ramp.mT, torch.zeros_like(ramp)), dim=1)
    params = draw_augment(seeded(3), 1, flip=False)
    warped = augment(image, ramp, params).warped[0, :2]
    # Step by step: where a pixel comes from by the transform, then by the displacement there.
    unit = 2 * image[0, :2].permute(1, 2, 0).double() - 1
    matrix = params.output_to_input[0].double()
    place = unit @ matrix[:, :2].T + matrix[:, 2]
    moved = F.grid_sample(
        params.displacement.double(), place[None], align_corners=True, padding_mode="border"
    )
    expected = ((place.permute(2, 0, 1) + moved[0] + 1) / 2).float()
    inside = ((expected > 0.06) & (expected < 0.94)).all(dim=0)
    assert inside.float().mean() > 0.5
    torch.testing.assert_close(warped[:, inside], expected[:, inside], atol=0.05 / side, rtol=0)


def test_beyond_the_border_images_continue_and_masks_end() -> None:
    image, mask = torch.full((1, 3, 64, 64), 0.7), torch.ones(1, 1, 64, 64)
    # Half the size: the result shows the whole picture and as much again around it.
    matrix = torch.tensor([[[2.0, 0, 0], [0, 2.0, 0]]])
    result = augment(image, mask, AugmentParams(matrix, torch.zeros(1, 2, 9, 9)))
    torch.testing.assert_close(result.target, torch.full_like(image, 0.7))
    assert result.mask[..., :15, :].max() == 0
    assert result.mask[..., 17:47, 17:47].min() == 1


def test_results_stay_in_the_unit_interval_at_sharp_edges() -> None:
    checks = ((torch.arange(64)[:, None] // 4 + torch.arange(64) // 4) % 2).float().expand(2, 3, 64, 64)
    result = augment(checks, checks[:, :1], draw_augment(seeded(), 2, flip=True))
    assert all(output.min() >= 0 and output.max() <= 1 for output in result[:3])


def test_eyes_and_mouth_move_with_the_mask_stay_inside_it_and_are_one_where_they_are_most() -> None:
    image, mask = pictures(3)
    mask[:, :, :, 32:] = 0
    # At half the side, as positions are shares of the picture.
    half = F.interpolate(mask, (32, 32), mode="area") * 0.5
    half[2] = 0
    params = draw_augment(seeded(), 3, flip=True)
    moved = augment(image, mask, params, half)
    assert moved.eyes_mouth is not None and augment(image, mask, params).eyes_mouth is None
    assert moved.eyes_mouth.amax(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1, 0])
    assert not moved.eyes_mouth[moved.mask == 0].any()
    whole = augment(image, mask, params, mask).eyes_mouth
    assert whole is not None and (whole - moved.eyes_mouth)[:2].abs().mean() < 0.02
