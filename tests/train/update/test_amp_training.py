"""AMP and Quick96 learn by DF's and LIAE's step, each by what is its own (deepfacelab.md §10.3, §10.4)."""

import pytest
import torch

from faceswap.augment.warp import TransformRanges
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batch
from faceswap.train.options import StepOptions
from faceswap.train.update.blur import gaussian_blur
from faceswap.train.update.losses import reconstruction_terms, ssim_windows, widen_mask
from faceswap.train.update.regimes import REGIMES, Regime
from faceswap.train.update.steps import TrainStep
from faceswap.train.update.styles import background_terms, blurred_mask, total_variation


def faces(seed: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def disc(count: int = 2, radius: float = 16) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    return ((x**2 + y**2) < radius**2).float().expand(count, 1, 64, 64).contiguous()


def test_total_variation_sums_neighbours_in_rows_and_columns_and_not_channels() -> None:
    # §16.49: DeepFaceLab's runs over channels on a GPU; here a grey step of height 1 counts its edge alone.
    step = torch.zeros(1, 3, 4, 5)
    step[:, :, :, 2:] = 1
    assert total_variation(step).item() == 3 * 4
    assert total_variation(step.transpose(2, 3)).item() == 3 * 4
    channels = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 5)
    assert total_variation(channels).item() == 0


def test_the_background_is_that_of_the_formula_for_each_face() -> None:
    face, target, mask = faces(0), faces(1), disc()
    outside = 1 - widen_mask(mask)
    variation = total_variation(face * outside)
    expected = 0.1 * ((face - target) * outside).square().mean(dim=(1, 2, 3)) + 1e-6 * variation
    torch.testing.assert_close(background_terms(face, target, mask), expected)
    assert background_terms(face, target, torch.ones_like(mask))[0] < background_terms(face, target, mask)[0]


def test_amp_s_background_reaches_the_pixels_outside_the_face_alone() -> None:
    face = faces(0).requires_grad_()
    background_terms(face, faces(1), disc()).sum().backward()
    assert face.grad is not None
    assert face.grad[:, :, 28:36, 28:36].abs().max() == 0 and face.grad[:, :, 0, 0].abs().min() > 0


@pytest.mark.parametrize(("resolution", "windows"), [(64, (5, 2)), (128, (11, 5)), (256, (22, 11))])
def test_amp_looks_with_two_windows_at_every_resolution(resolution: int, windows: tuple[int, ...]) -> None:
    # §8.4: f = int(R/11.6), int(R/23.2); SAEHD takes the second from 256 px on.
    assert REGIMES["AMP"].windows(resolution) == windows
    assert REGIMES["DF"].windows(resolution) == windows[: 1 if resolution < 256 else 2]


def test_two_windows_weigh_as_much_as_one() -> None:
    face, target, mask = faces(0), faces(1), disc()
    both = reconstruction_terms(face, mask, target, mask, windows=lambda _: (5, 5))
    one = reconstruction_terms(face, mask, target, mask, windows=lambda _: (5,))
    torch.testing.assert_close(both.structural, one.structural)


def test_quick96_neither_doubles_nor_cuts_the_blurred_mask() -> None:
    # §10.4, §16.59.
    mask = disc()
    torch.testing.assert_close(REGIMES["QUICK96"].region(mask), gaussian_blur(mask, 3))
    assert blurred_mask(mask)[0, 0, 31, 15] < widen_mask(mask)[0, 0, 31, 15], "half at the mask's edge, not 1"


def test_quick96_trains_every_third_iteration_without_warp() -> None:
    assert [REGIMES["QUICK96"].warps(iteration) for iteration in range(7)] == [
        False, True, True, False, True, True, False,
    ]  # fmt: skip
    assert all(REGIMES["LIAE"].warps(iteration) for iteration in range(7))


def test_quick96_moves_faces_less() -> None:
    # §9.2: scale_range ±0.05 for Quick96, ±0.15 for the others; rotation and shift are the same.
    assert REGIMES["QUICK96"].ranges == TransformRanges(10, 0.05, 0.05)
    assert REGIMES["AMP"].ranges == REGIMES["DF"].ranges == TransformRanges(10, 0.15, 0.05)


def test_quick96_s_window_is_8_px() -> None:
    assert ssim_windows(ModelSpec.default(Arch.parse("QUICK96")).resolution) == (8,)


def test_df_and_liae_are_trained_alike() -> None:
    assert REGIMES["DF"] == REGIMES["LIAE"] == Regime()


def amp_step(**options: bool) -> TrainStep:
    spec = ModelSpec(Arch.parse("AMP"), 64, 32, 16, 16, 16, inter_dims=32, morph_factor=0.5)
    return TrainStep(build(spec, seed=1), StepOptions(**options), torch.device("cpu"))


def batch() -> Batch:
    pixels = [(torch.cat((faces(seed), disc()), dim=1) * 255).byte().permute(0, 2, 3, 1) for seed in (0, 1)]
    eyes = torch.zeros(2, 128, 128, dtype=torch.uint8)
    eyes[:, 40:60, 30:100] = 255
    return Batch(*(side.contiguous() for side in pixels), eyes, eyes)


def test_an_update_of_amp_follows_from_seed_and_iteration_and_trains_every_part() -> None:
    before = torch.get_rng_state()
    made = []
    for seed, iteration in ((3, 5), (3, 5), (3, 6), (4, 5)):
        step = amp_step()
        fresh = {name: value.clone() for name, value in step.model.state_dict().items()}
        made.append(step(batch(), seed, iteration))
        moved = {
            name.split(".")[0]
            for name, value in step.model.state_dict().items()
            if (value != fresh[name]).any()
        }
        assert moved == {"encoder", "inter_src", "inter_dst", "decoder"}
    assert made[0] == made[1] and made[0] not in made[2:]
    assert torch.equal(before, torch.get_rng_state())


def test_amp_always_compares_masked_and_looks_at_eyes_and_mouth() -> None:
    step = amp_step(masked_training=False, eyes_mouth_priority=False)
    assert step.options.masked_training and step.options.eyes_mouth_priority
    assert {"eyes_mouth_src", "eyes_mouth_dst"} <= step(batch(), 0, 0).extra.keys()


def test_a_preview_of_amp_goes_from_dst_to_src_by_degrees() -> None:
    pixels = batch()
    shown = amp_step().preview(pixels.src.numpy(), pixels.dst.numpy())
    assert shown.names[4:8] == ("morph 0.25", "morph 0.5", "morph 0.65", "morph 0.75")
    assert len(shown.columns()) == len(shown.names) == 10
    steps = [abs(picture - shown.dst_dst).mean() for picture in (*shown.morphs, shown.swap)]
    assert steps == sorted(steps) and steps[0] > 0
