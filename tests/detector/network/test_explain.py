"""Maps that point where the detector's decision comes from."""

from typing import get_args

import numpy as np
import pytest
import torch

from faceswap.detector.network.judge import deletion, explain, grad_cam, rollout
from faceswap.detector.network.model import CvtDetector, DetectorSpec, Family, Shipped, VitDetector, build
from tests.detector.toy_set import SPEC


@pytest.fixture
def detector() -> VitDetector:
    made = build(SPEC, seed=4).eval()
    assert isinstance(made, VitDetector)
    return made


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def test_every_map_has_a_value_a_patch_between_0_and_1(detector: VitDetector, crops: np.ndarray) -> None:
    for name, found in explain(detector, crops).items():
        assert found.shape == (3, 4, 4), name
        assert found.min() >= 0, name
        assert found.max() <= 1, name


def test_rollout_of_blocks_that_attend_evenly_is_even(detector: VitDetector) -> None:
    for layer in detector.classifier.vit.layers:
        torch.nn.init.zeros_(layer.attention.q_proj.weight)
        torch.nn.init.zeros_(layer.attention.q_proj.bias)
    even = rollout(detector, torch.rand(2, 3, 32, 32))
    assert torch.allclose(even, torch.ones_like(even))


@pytest.mark.parametrize("family", ["vit", "cvt"])
def test_attentions_of_every_block_add_up_to_one_over_all_tokens(family: Family) -> None:
    detector = build(DetectorSpec(family, 64, 16, hidden=24, layers=2, heads=3), seed=2).eval()
    assert isinstance(detector, Shipped)
    found = detector.attentions(torch.rand(2, 3, 64, 64))
    assert len(found) == (2 if family == "vit" else 4)
    for attention in found:
        assert attention.shape == (2, 17, 17)
        assert attention.min() >= 0
        assert torch.allclose(attention.sum(-1), torch.ones(2, 17), atol=1e-5)


def test_an_attention_to_a_shrunk_key_is_shared_by_the_patches_it_stands_for() -> None:
    detector = build(DetectorSpec("cvt", 64), seed=2)
    assert isinstance(detector, CvtDetector)
    # A class token and 2 × 2 keys over 4 × 4 patches: the upper right key takes 0.8.
    spread = detector._over_patches(torch.tensor([0.1, 0.0, 0.8, 0.0, 0.1]).expand(1, 17, 5))[0, 0]
    assert spread[0].item() == pytest.approx(0.1)
    plane = spread[1:].reshape(4, 4)
    assert torch.allclose(plane[:2, 2:], torch.full((2, 2), 0.2))
    assert torch.allclose(plane[2:, 2:], torch.full((2, 2), 0.025))
    assert plane[:, :2].abs().sum() == 0


def test_rollout_leaves_the_detector_as_it_was(detector: VitDetector) -> None:
    pixels = torch.rand(2, 3, 32, 32)
    before = detector.classifier.config._attn_implementation
    with torch.inference_mode():
        expected = detector(pixels).logits
        rollout(detector, pixels)
        assert torch.equal(detector(pixels).logits, expected)
    assert detector.classifier.config._attn_implementation == before


def test_grad_cam_sees_nothing_once_no_patch_reaches_the_class_token(detector: VitDetector) -> None:
    pixels = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    head = detector.classifier.classifier.weight

    def both_ways() -> float:
        """What speaks for fake, and with the answers exchanged what speaks for real: never both nothing."""
        found = grad_cam(detector, pixels).sum()
        head.data.neg_()
        return float(found + grad_cam(detector, pixels).sum())

    assert both_ways() > 0
    output = detector.classifier.vit.layers[-1].attention.o_proj
    torch.nn.init.zeros_(output.weight)
    torch.nn.init.zeros_(output.bias)
    assert both_ways() == 0


@pytest.mark.parametrize("family", [name for name in get_args(Family) if name != "cnn"])
def test_every_family_is_explained_patch_by_patch(family: Family) -> None:
    made = build(DetectorSpec(family=family, input_px=64), seed=1).eval()
    crops = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    assert isinstance(made, Shipped)
    found = explain(made, crops)
    assert {"patches", "grad-cam"} <= set(found)
    for name, heat in found.items():
        assert heat.shape == (2, made.grid, made.grid), name
        assert deletion(made, crops, heat, steps=2).shape == (3,), name


def test_maps_do_not_depend_on_how_many_crops_are_asked_about(detector: VitDetector) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    together, alone = explain(detector, crops), explain(detector, crops[17:18])
    for name, found in together.items():
        np.testing.assert_allclose(found[17], alone[name][0], atol=1e-5, err_msg=name)


def test_greying_out_nothing_leaves_the_score_and_all_methods_start_there(
    detector: VitDetector, crops: np.ndarray
) -> None:
    with torch.inference_mode():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = detector(pixels).logits.softmax(1)[:, 1].mean().item()
    for name, found in explain(detector, crops).items():
        assert deletion(detector, crops, found)[0] == pytest.approx(expected, abs=1e-6), name


def test_patches_are_greyed_out_in_the_order_of_the_map(detector: VitDetector, crops: np.ndarray) -> None:
    heat = np.random.default_rng(3).random((3, 4, 4), np.float32)
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
    expected = []
    # Half of 16 patches in 4 steps: two more each.
    for gone in (0, 2, 4, 6, 8):
        shown = pixels.clone()
        for index in range(3):
            for place in np.argsort(-heat[index].ravel())[:gone]:
                top, left = 8 * (place // 4), 8 * (place % 4)
                shown[index, :, top : top + 8, left : left + 8] = 0
        with torch.inference_mode():
            expected.append(detector(shown).logits.softmax(1)[:, 1].mean().item())
    np.testing.assert_allclose(deletion(detector, crops, heat, steps=4), expected, atol=1e-6)
