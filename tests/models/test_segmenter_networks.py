"""Mask networks: DeepFaceLab's XSeg to the letter, and both kinds from their description."""

import pytest
import torch

from faceswap.errors import UserError
from faceswap.models.segmenter import SegmenterSpec, build
from faceswap.models.xseg import BlurPool, FilterResponseNorm, ThresholdedLinear, XSeg

TINY = SegmenterSpec("xseg", base_dims=2, input_px=64)


def test_xseg_has_deepfacelabs_parameters() -> None:
    with torch.device("meta"):
        network = XSeg()
    # deepfacelab.md §6.1
    assert sum(parameter.numel() for parameter in network.parameters()) == 17_569_317
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    assert shapes["conv01.frn.eps"] == (1,)
    assert shapes["conv01.tlu.tau"] == (32,)
    assert shapes["dense1.weight"] == (512, 4096)
    assert shapes["uconv53.conv.weight"] == (256, 384, 3, 3)
    assert shapes["uconv12.conv.weight"] == (64, 128, 3, 3)
    assert shapes["out_conv.weight"] == (1, 32, 3, 3)


def test_filter_response_norm_divides_by_the_root_mean_square_of_each_channel() -> None:
    torch.manual_seed(0)
    layer, x = FilterResponseNorm(2), torch.randn(3, 2, 4, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, -1.0]))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
        # A learned scalar may turn negative; its absolute value counts (deepfacelab.md §6.1).
        layer.eps.fill_(-0.25)
        found = layer(x)
    for channel, (scale, shift) in enumerate([(2.0, 0.5), (-1.0, 0.0)]):
        plain = x[:, channel]
        root = (plain.square().mean((1, 2), keepdim=True) + 0.25).sqrt()
        torch.testing.assert_close(found[:, channel], plain / root * scale + shift)


def test_thresholded_linear_cuts_each_channel_at_its_own_threshold() -> None:
    layer = ThresholdedLinear(2)
    with torch.no_grad():
        layer.tau.copy_(torch.tensor([-1.0, 0.5]))
        found = layer(torch.tensor([-2.0, 0.0, 2.0]).expand(1, 2, 1, 3))
    assert found.tolist() == [[[[-1.0, 0.0, 2.0]], [[0.5, 0.5, 2.0]]]]


@pytest.mark.parametrize(("size", "line"), [(2, [1, 1]), (3, [1, 2, 1]), (4, [1, 3, 3, 1])])
def test_blur_pool_halves_with_a_binomial_filter_and_zeros_around(size: int, line: list[float]) -> None:
    spike = torch.zeros(1, 1, 8, 8)
    spike[0, 0, 4, 4] = 1
    found = BlurPool(size)(spike)[0, 0]
    before = (size - 1) // 2
    # Output pixel i sees input pixels 2i − before … (deepfacelab.md §6.1).
    weights = torch.tensor(
        [line[4 - 2 * i + before] if 0 <= 4 - 2 * i + before < size else 0 for i in range(4)]
    )
    weights = weights / sum(line)
    torch.testing.assert_close(found, torch.outer(weights, weights))
    # The corner sees `before` rows and columns of zeros.
    corner = BlurPool(size)(torch.ones(1, 1, 8, 8))[0, 0, 0, 0]
    assert corner.item() == pytest.approx((sum(line[before:]) / sum(line)) ** 2)


def test_the_same_seed_gives_the_same_network_and_leaves_other_draws_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = build(TINY, 5).state_dict(), build(TINY, 5).state_dict()
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv01.conv.weight"], build(TINY, 6).state_dict()["conv01.conv.weight"])


def test_every_weight_of_xseg_learns() -> None:
    network = build(TINY)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_unet_gives_a_logit_a_pixel_and_fits_into_what_may_ship() -> None:
    pytest.importorskip("segmentation_models_pytorch")
    network = build(SegmenterSpec(input_px=64)).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 3, 64, 64)).shape == (2, 1, 64, 64)
    # 15 MB in half precision.
    assert sum(value.numel() for value in network.state_dict().values()) < 7_500_000


def test_a_spec_survives_json() -> None:
    spec = SegmenterSpec(encoder="resnet18", decoder_dims=(8, 8, 8, 8, 8), input_px=96)
    assert SegmenterSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (SegmenterSpec(input_px=100), "multiple of 32"),
        (SegmenterSpec("xseg", input_px=96), "multiple of 64"),
        (SegmenterSpec("vnet"), "unet, xseg"),  # type: ignore[arg-type]
        (SegmenterSpec(encoder="resnet19"), "resnet19"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_sentence(spec: SegmenterSpec, says: str) -> None:
    if spec.encoder == "resnet19":
        pytest.importorskip("segmentation_models_pytorch")
    with pytest.raises(UserError) as refused:
        build(spec)
    assert says in str(refused.value)
