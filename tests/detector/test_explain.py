"""Maps that point where the detector's decision comes from."""

import numpy as np
import pytest
import torch

from faceswap.detector.explain import deletion, explain, grad_cam, rollout
from faceswap.detector.model import DetectorSpec, VitDetector, build

SPEC = DetectorSpec(input_px=32, patch_px=8, hidden=24, layers=2, heads=3)


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
    assert grad_cam(detector, pixels).sum() > 0
    output = detector.classifier.vit.layers[-1].attention.o_proj
    torch.nn.init.zeros_(output.weight)
    torch.nn.init.zeros_(output.bias)
    assert grad_cam(detector, pixels).abs().sum() == 0


def test_greying_out_nothing_leaves_the_score_and_all_methods_start_there(
    detector: VitDetector, crops: np.ndarray
) -> None:
    with torch.inference_mode():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = detector(pixels).logits.softmax(1)[:, 1].mean().item()
    for name, found in explain(detector, crops).items():
        assert deletion(detector, crops, found)[0] == pytest.approx(expected, abs=1e-6), name


def test_deleting_what_decides_lowers_the_score_faster_than_deleting_the_rest(detector: VitDetector) -> None:
    # A detector whose answer is the brightness of patch 5, read by the class token through an even attention.
    crops = np.full((1, 32, 32, 3), 127, np.uint8)
    crops[0, 8:16, 8:16] = 255
    first = np.zeros((1, 4, 4), np.float32)
    first[0, 1, 1] = 1
    with torch.inference_mode():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        logits = detector(pixels).logits
        flat = detector(torch.zeros_like(pixels)).logits
    falls = (logits - flat)[0, 1] - (logits - flat)[0, 0] > 0
    curve, last = deletion(detector, crops, first), deletion(detector, crops, 1 - first)
    # Grey patches are all alike, so only the bright one matters: gone at once, or never.
    assert (curve[1] < curve[0]) == bool(falls)
    assert last == pytest.approx(np.full(9, curve[0]), abs=2e-3)
