"""Colours of training faces: shifts by hue, saturation and value, and recolouring by another face."""

import colorsys

import numpy as np
import pytest
import torch

from faceswap.augment.color import SampleTransfer, draw_hsv, recolour, shift_hsv


def picture(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_shift_is_colorsys_s() -> None:
    image = picture()
    shifts = torch.tensor([[0.1, -0.2, 0.15], [-0.4, 0.3, -0.1]])
    result = shift_hsv(image, shifts)
    for face, shift, got in zip(image, shifts.tolist(), result, strict=True):
        for pixel, made in zip(face.flatten(1).T.tolist(), got.flatten(1).T.tolist(), strict=True):
            h, s, v = colorsys.rgb_to_hsv(*pixel)
            bounded = (min(max(x + d, 0), 1) for x, d in zip((s, v), shift[1:], strict=True))
            expected = colorsys.hsv_to_rgb((h + shift[0]) % 1, *bounded)
            assert made == pytest.approx(expected, abs=1e-5)


def test_no_shift_changes_nothing_also_for_greys_and_black() -> None:
    image = torch.cat((picture(), torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)))
    torch.testing.assert_close(shift_hsv(image, torch.zeros(4, 3)), image)


def test_shifts_are_within_half_the_power() -> None:
    shifts = draw_hsv(torch.Generator().manual_seed(0), 1000, 0.2)
    assert shifts.shape == (1000, 3) and 0.09 < shifts.abs().max() <= 0.1


@pytest.mark.parametrize("mode", ["rct", "lct", "mkl", "idt", "sot"])
def test_a_recoloured_face_has_the_reference_s_mean_colour_and_its_own_mask(mode: SampleTransfer) -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.2, 0.7, 64)[:, None, None] * np.array([1.0, 0.8, 0.6])
    noise = rng.uniform(-0.1, 0.1, (2, 64, 64, 3))
    face, reference = (
        np.dstack([(ramp**power + noise[i]) * 200, np.full((64, 64), 77 + i)]).clip(0, 255).astype(np.uint8)
        for i, power in enumerate((1.0, 1.6))
    )
    before = face.copy()
    recolour(face, reference, mode, np.random.default_rng(1))
    assert np.all(face[..., 3] == 77)
    distances = [np.abs(x[..., :3].mean((0, 1)) - reference[..., :3].mean((0, 1))) for x in (face, before)]
    assert distances[0].max() < 6 < distances[1].max()
