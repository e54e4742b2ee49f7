"""The critics' layers are those of deepfacelab.md §7.3."""

import pytest
import torch

from faceswap.errors import UserError
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.critics import CodeCritic, PatchCritic, check_patch, patch_strides, receptive_field
from faceswap.train.options import StepOptions
from faceswap.train.update.critics import wanted_plans

# deepfacelab.md §7.3: patch size -> receptive field and strides.
TABLE = {
    3: (3, "2"), 4: (3, "2"), 7: (7, "22"), 8: (7, "22"), 11: (11, "212"), 16: (15, "222"),
    20: (19, "2122"), 24: (23, "2212"), 28: (27, "21212"), 32: (31, "2222"), 36: (35, "21222"),
    40: (39, "22122"), 48: (47, "22212"), 56: (55, "221212"), 64: (63, "22222"), 80: (79, "222122"),
    128: (127, "2" * 6), 256: (255, "2" * 7), 512: (511, "2" * 8), 640: (639, "222222122"),
}  # fmt: skip


@pytest.mark.parametrize("patch_px", TABLE)
def test_a_patch_size_has_the_published_layers(patch_px: int) -> None:
    field, strides = TABLE[patch_px]
    assert patch_strides(patch_px) == tuple(map(int, strides))
    assert receptive_field(patch_strides(patch_px)) == field


def test_the_receptive_field_is_what_an_output_sees() -> None:
    critic = PatchCritic(4, *patch_strides(11))
    # Convolutions of stride 1 around the middle: no gradient comes from further away.
    face = torch.zeros(1, 3, 64, 64, requires_grad=True)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.fill_(0.1)
    critic(face)[0][0, 0, 8, 8].backward()
    assert face.grad is not None
    seen = face.grad.abs().sum(dim=(0, 1)) > 0
    assert int(seen.any(dim=0).sum()) == int(seen.any(dim=1).sum()) == 11


@pytest.mark.parametrize("patch_px", [3, 11, 28, 64])
def test_it_answers_for_patches_and_for_every_pixel(patch_px: int) -> None:
    strides = patch_strides(patch_px)
    patches, pixels = PatchCritic(8, *strides)(torch.rand(2, 3, 64, 64))
    halved = 64 // 2 ** strides.count(2)
    assert patches.shape == (2, 1, halved, halved) and pixels.shape == (2, 1, 64, 64)


def test_channels_double_up_to_512_and_the_skips_are_beside_what_comes_up() -> None:
    shapes = {name: tuple(p.shape) for name, p in PatchCritic(200, 2, 2, 2).named_parameters()}
    assert shapes["in_conv.weight"] == (200, 3, 1, 1)
    assert [shapes[f"convs.{i}.weight"][0] for i in range(3)] == [400, 512, 512]
    # (in, out) of the transposed convolutions, the deepest first.
    assert [shapes[f"upconvs.{j}.weight"][:2] for j in range(3)] == [(512, 512), (1024, 400), (800, 200)]
    assert shapes["out_conv.weight"] == (1, 400, 1, 1) and shapes["center_conv.weight"] == (512, 512, 1, 1)


def test_a_transposed_convolution_is_the_full_one_without_its_last_row_and_column() -> None:
    critic = PatchCritic(4, 2)
    up = critic.upconvs[0]
    x = torch.rand(1, 8, 6, 6)
    full = torch.nn.functional.conv_transpose2d(x, up.weight, up.bias, stride=2)
    assert full.shape[-1] == 13
    torch.testing.assert_close(up(x), full[..., :12, :12])


@pytest.mark.parametrize("resolution", [144, 160])
def test_a_patch_that_does_not_divide_names_those_that_do(resolution: int) -> None:
    with pytest.raises(UserError, match="--gan-patch-size 256 is not possible") as caught:
        check_patch(resolution, 256)
    sizes = [int(word.split()[0]) for word in str(caught.value).split("--gan-patch-size ")[2:]]
    assert sizes, "at least one is named"
    for size in sizes:
        check_patch(resolution, size)
    check_patch(256, 256)


def test_a_code_of_16_px_goes_to_9_5_and_3() -> None:
    critic, sides = CodeCritic(32, 16), []
    x = torch.rand(1, 32, 16, 16)
    for layer in critic.convs:
        x = layer(x)
        sides.append(tuple(x.shape[1:3]))
    assert sides == [(256, 9), (512, 5), (1024, 3)]
    assert critic(torch.rand(2, 32, 16, 16))[0].shape == (2, 1, 3, 3)


@pytest.mark.parametrize("arch", ["DF", "DF-U", "DF-D", "DF-T", "DF-UDT"])
def test_the_code_critic_fits_the_codes_of_every_variant(arch: str) -> None:
    from faceswap.models.families import build

    spec = ModelSpec(Arch.parse(arch), 64, 32, 16, 16, 16)
    codes = build(spec).encode(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))
    assert wanted_plans(StepOptions(true_face_power=0.1), spec) == {"true_face": tuple(codes.src.shape[1:3])}
