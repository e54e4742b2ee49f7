"""DF and LIAE against the tables of deepfacelab.md §7.2."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.blocks import Down, Residual, SubPixelFace, Up, pixel_norm, x_cos_x
from faceswap.models.families import DF, MODELS, build
from faceswap.models.swap import SwapModel, iteration_flops

LETTERS = ["".join(letters) for letters in product(("", "U"), ("", "D"), ("", "T"))] + ["C", "UDTC"]
ARCHS = [f"{family}-{letters}".strip("-") for family in ("DF", "LIAE") for letters in LETTERS] + ["AMP"]

# deepfacelab.md §7.2, R = 128, e = 64, ae = 256, d = 64, m = 22.
ENCODER, ENCODER_T = 4_306_560, 15_654_144
DECODER, DECODER_D, DECODER_T, DECODER_DT = 19_136_000, 19_181_291, 34_410_688, 34_455_979
COUNTS = {
    "DF": (ENCODER, 14_959_872, DECODER, DECODER),
    "DF-UD": (ENCODER, 11_801_856, DECODER_D, DECODER_D),
    "DF-T": (ENCODER_T, 6_308_096, DECODER_T, DECODER_T),
    "DF-UDT": (ENCODER_T, 3_150_080, DECODER_DT, DECODER_DT),
    "LIAE-UD": (ENCODER, 19_933_440, 19_933_440, 38_203_115),
}


def small(arch: str, seed: int = 0) -> SwapModel:
    own = {"inter_dims": 32, "morph_factor": 0.5} if arch == "AMP" else {}
    return build(ModelSpec(Arch.parse(arch), 64, 32, 16, 16, 16, **own), seed)


def faces(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("arch", COUNTS)
def test_parameter_counts_are_those_of_the_published_architecture(arch: str) -> None:
    spec = ModelSpec(Arch.parse(arch))
    with torch.device("meta"):
        parts = MODELS[spec.arch.family](spec).children()
    assert tuple(sum(p.numel() for p in part.parameters()) for part in parts) == COUNTS[arch]


def test_quick96_is_the_published_df_ud() -> None:
    # deepfacelab.md §7.2 [V].
    spec = ModelSpec.default(Arch.parse("QUICK96"))
    with torch.device("meta"):
        parts = MODELS["QUICK96"](spec).children()
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert counts == [ENCODER, 3_098_368, 15_444_701, 15_444_701]


def test_the_letter_c_changes_the_activation_and_no_weight() -> None:
    x = torch.linspace(-4, 4, 50)
    # deepfacelab.md §7.2: x · cos x everywhere, the slope ignored.
    torch.testing.assert_close(x_cos_x(x.clone(), 0.1), x * torch.cos(x))
    torch.testing.assert_close(x_cos_x(x.clone(), 0.2), x * torch.cos(x))
    plain, cosine = small("LIAE-UD"), small("LIAE-UDC")
    for (name, a), (other, b) in zip(plain.named_parameters(), cosine.named_parameters(), strict=True):
        assert name == other and torch.equal(a, b)
    layers = [layer for layer in cosine.modules() if isinstance(layer, Down | Up | Residual)]
    assert layers and all(layer.activate is x_cos_x for layer in layers)


@pytest.mark.parametrize("arch", ARCHS)
def test_faces_and_masks_have_the_side_of_the_input_and_lie_in_the_unit_interval(arch: str) -> None:
    model = small(arch)
    with torch.inference_mode():
        outputs = [*model(faces(2), faces(1, seed=1)), *model.swap(faces(1))]
    shapes = [(2, 3), (2, 1), (1, 3), (1, 1), (1, 3), (1, 1), (1, 1)]
    assert [output.shape for output in outputs] == [(*shape, 64, 64) for shape in shapes]
    assert all(0 <= output.min() < output.max() <= 1 for output in outputs)


@pytest.mark.parametrize("arch", ARCHS)
def test_gradients_reach_every_parameter(arch: str) -> None:
    model = small(arch)
    torch.autograd.backward([output.square().mean() for output in model(faces(1), faces(1, seed=1))])
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_the_layout_changes_no_result() -> None:
    model = small("LIAE-UD")
    with torch.inference_mode():
        rows = model(faces(2), faces(1, seed=1))
        model.to(memory_format=torch.channels_last)
        pixels = model(faces(2).contiguous(memory_format=torch.channels_last), faces(1, seed=1))
    torch.testing.assert_close(rows, pixels)


@pytest.mark.parametrize("arch", ["DF-UD", "LIAE-UDT"])
def test_under_bf16_autocast_outputs_stay_float32_and_near(arch: str) -> None:
    model = small(arch)
    with torch.inference_mode():
        exact = model(faces(1), faces(1, seed=1))
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(faces(1), faces(1, seed=1))
    for a, b in zip(exact, rough, strict=True):
        assert b.dtype == torch.float32
        assert (a - b).abs().max() < 0.05


def test_df_swaps_by_decoding_dst_s_code_with_src_s_decoder() -> None:
    model = small("DF-U")
    dst = faces(2)
    with torch.inference_mode():
        swap = model.swap(dst)
        rebuilt = model(dst, dst)
    # Both sides share encoder and inter, so dst fed on src's side is the swap itself.
    torch.testing.assert_close(swap.face, rebuilt.src_src)
    torch.testing.assert_close(swap.mask_prd, rebuilt.src_mask)
    torch.testing.assert_close(swap.mask_dst, rebuilt.dst_mask)


def test_liae_swaps_by_giving_dst_two_codes_of_inter_ab() -> None:
    model = small("LIAE-U")
    dst = faces(2)
    with torch.inference_mode():
        flat = model.encoder(dst)
        ab, b = model.inter_AB(flat), model.inter_B(flat)
        face, mask = model.decoder(torch.cat((ab, ab), dim=1))
        dst_dst, dst_mask = model.decoder(torch.cat((b, ab), dim=1))
        swap, rebuilt = model.swap(dst), model(dst, dst)
    torch.testing.assert_close((swap.face, swap.mask_prd, swap.mask_dst), (face, mask, dst_mask))
    torch.testing.assert_close(tuple(rebuilt), (face, mask, dst_dst, dst_mask))


@pytest.mark.parametrize("arch", ["DF-UD", "LIAE-UD"])
def test_a_side_s_reconstruction_does_not_depend_on_the_other_side(arch: str) -> None:
    model = small(arch)
    with torch.inference_mode():
        first, second = model(faces(2), faces(1, seed=1)), model(faces(2), faces(3, seed=2))
    torch.testing.assert_close(first.src_src, second.src_src)
    torch.testing.assert_close(first.src_mask, second.src_mask)


@pytest.mark.parametrize(("arch", "idle"), [("DF", "decoder_dst"), ("LIAE", "inter_B")])
def test_src_does_not_train_what_belongs_to_dst_alone(arch: str, idle: str) -> None:
    model = small(arch)
    model(faces(1), faces(1, seed=1)).src_src.mean().backward()
    trained = {
        name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()
    }
    assert idle not in trained
    assert trained == {name for name, _ in model.named_children()} - {idle}


def test_pixel_norm_makes_the_mean_square_one_in_float32() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.bfloat16)
    # mean(x²) = 12.5, and the 1e-6 keeps a zero vector finite.
    expected = torch.tensor([[3.0, 4.0], [0.0, 0.0]]) * torch.tensor([[(12.5 + 1e-6) ** -0.5], [1e3]])
    torch.testing.assert_close(pixel_norm(x), expected)


def test_only_u_normalises_the_flat_code() -> None:
    plain, normalised = small("DF").encoder(faces(2)), small("DF-U").encoder(faces(2))
    assert plain.square().mean() < 0.5
    torch.testing.assert_close(normalised, pixel_norm(plain))


def test_the_blocks_are_the_published_formulas() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 6, 6)
    down, up, residual = Down(8, 4), Up(8, 4), Residual(8)
    strided = F.conv2d(F.pad(x, (2, 2, 2, 2)), down.conv1.weight, down.conv1.bias, stride=2)
    torch.testing.assert_close(down(x), F.leaky_relu(strided, 0.1))
    four = F.leaky_relu(F.conv2d(F.pad(x, (1, 1, 1, 1)), up.conv1.weight, up.conv1.bias), 0.1)
    y = up(x)
    for row, column in product((0, 1), (0, 1)):
        torch.testing.assert_close(y[:, :, row::2, column::2], four[:, 2 * row + column :: 4])
    inner = F.leaky_relu(residual.conv1(x), 0.2)
    torch.testing.assert_close(residual(x.clone()), F.leaky_relu(x + residual.conv2(inner), 0.2))


def test_the_sub_pixel_face_interleaves_its_four_convolutions() -> None:
    torch.manual_seed(0)
    x, face = torch.randn(2, 8, 6, 6), SubPixelFace(8)
    logits = face(x)
    parts = (face.out_conv, face.out_conv1, face.out_conv2, face.out_conv3)
    assert [part.kernel_size for part in parts] == [(1, 1), (3, 3), (3, 3), (3, 3)]
    for part, (row, column) in zip(parts, product((0, 1), (0, 1)), strict=True):
        torch.testing.assert_close(logits[:, :, row::2, column::2], part(x))


def test_weights_are_glorot_uniform_biases_zero_and_drawn_from_the_seed() -> None:
    before = torch.random.get_rng_state()
    model, same, other = small("DF-UD"), small("DF-UD"), small("DF-UD", seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            outputs, inputs = layer.weight.shape[:2]
            bound = (6 / ((inputs + outputs) * layer.weight[0, 0].numel())) ** 0.5
            assert 0.8 * bound < layer.weight.abs().max() <= bound
            assert not layer.bias.any()
    for (name, a), b, c in zip(model.named_parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert name.endswith("bias") or not torch.equal(a, c)


def test_the_arithmetic_of_every_family_can_be_counted() -> None:
    assert all(iteration_flops(small(arch), 1) > 1e8 for arch in ("AMP", "DF-C"))


def test_arithmetic_is_counted_as_multiply_adds_forward_and_backward() -> None:
    model = small("DF")
    assert iteration_flops(model, 2) == 2 * iteration_flops(model, 1)
    # Counted on another machine's run: DF-UD 128, 256/64/64/22, batch 4 is about 365 GFLOP an iteration.
    with torch.device("meta"):
        default = DF(ModelSpec(Arch.parse("DF-UD")))
    assert iteration_flops(default, 4) == pytest.approx(365e9, rel=0.01)
