"""The network, its second task, and the folder that transformers opens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from faceswap.detector.network.files import Card, Shipped, load_detector, save_detector, write_card
from faceswap.detector.network.losses import Decoder, draw_mask, reconstruct, sin_cos_positions
from faceswap.detector.network.model import Detector, DetectorSpec, VitDetector, build, to_pixels
from faceswap.errors import UserError
from tests.detector.toy_set import SPEC


@pytest.fixture
def detector() -> VitDetector:
    made = build(SPEC, seed=1).eval()
    assert isinstance(made, VitDetector)
    return made


@pytest.fixture(params=["vit", "cvt"])
def any_detector(request: pytest.FixtureRequest) -> Detector:
    return build(replace(SPEC, family=request.param, input_px=64), seed=1).eval()


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_the_default_has_the_size_of_vit_tiny() -> None:
    # detection.md §4.3: 5.50 million parameters; the patch head has 193 (§0.1).
    detector = build(DetectorSpec(), seed=0)
    assert sum(p.numel() for p in detector.classifier.parameters()) == pytest.approx(5.50e6, rel=2e-3)
    assert sum(p.numel() for p in detector.patch_head.parameters()) == 193


@pytest.mark.parametrize("family", ["vit", "cvt"])
def test_random_weights_keep_the_variance_of_what_they_are_given(family: str) -> None:
    spec = DetectorSpec(family=family)  # type: ignore[arg-type]
    for name, module in build(spec, seed=0).classifier.base_model.named_modules():  # type: ignore[union-attr, operator]
        if isinstance(module, torch.nn.Linear):
            given = torch.randn(256, module.in_features, generator=torch.Generator().manual_seed(0))
            assert module(given).std().item() == pytest.approx(1.0, rel=0.15), name


def test_our_pass_gives_the_logits_of_transformers_own(detector: VitDetector, pixels: torch.Tensor) -> None:
    with torch.inference_mode():
        assert torch.allclose(detector(pixels).logits, detector.classifier(pixels).logits, atol=1e-6)


def test_patch_logits_lie_where_their_patches_lie(detector: VitDetector, pixels: torch.Tensor) -> None:
    changed = pixels[:1].clone()
    changed[:, :, 8:16, 24:32] += 1.0
    with torch.inference_mode():
        # Before any block, a token depends on its own patch alone.
        tokens = detector.classifier.vit.embeddings(torch.cat((pixels[:1], changed)))[:, 1:]
    moved = (tokens[0] - tokens[1]).abs().sum(-1).reshape(4, 4)
    assert [tuple(at) for at in moved.nonzero().tolist()] == [(1, 3)]


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = build(SPEC, 1), build(SPEC, 1), build(SPEC, 2)
    assert torch.equal(torch.rand(1), expected)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    assert not torch.equal(first.patch_head.weight, other.patch_head.weight)


def test_transformers_opens_the_folder_and_gives_the_same_logits(
    any_detector: Shipped, tmp_path: Path
) -> None:
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    save_detector(tmp_path / "d", any_detector, Card(), half=False)
    loaded = AutoModelForImageClassification.from_pretrained(tmp_path / "d").eval()
    again, _ = load_detector(tmp_path / "d")
    with torch.inference_mode():
        expected = any_detector(pixels)
        assert torch.allclose(loaded(pixels).logits, expected.logits, atol=1e-6)
        assert torch.allclose(again(pixels).patch_logits, expected.patch_logits, atol=1e-6)
    assert loaded.config.id2label == {0: "Real", 1: "Fake"}


def test_the_other_families_have_the_parameters_they_are_said_to_have() -> None:
    # detection.md §4.6 has 0.88 million for the control; the CvT is smaller than §4.3's of 3.15 million.
    for family, count in (("cvt", 2.06e6), ("cnn", 0.88e6)):
        detector = build(DetectorSpec(family=family), seed=0)  # type: ignore[arg-type]
        assert sum(p.numel() for p in detector.parameters()) == pytest.approx(count, rel=0.1), family
        judged = detector(torch.rand(2, 3, 112, 112))
        assert judged.logits.shape == (2, 2)
        assert judged.patch_logits.shape == (2, 7, 7)


def test_transformers_processor_makes_the_pixels_we_make(detector: VitDetector, tmp_path: Path) -> None:
    save_detector(tmp_path / "d", detector, Card())
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    made = AutoImageProcessor.from_pretrained(tmp_path / "d")(crop, return_tensors="pt").pixel_values
    assert torch.allclose(made, to_pixels(torch.from_numpy(crop)[None]), atol=1e-6)


def test_half_precision_moves_logits_by_less_than_a_fiftieth(
    detector: VitDetector, pixels: torch.Tensor, tmp_path: Path
) -> None:
    save_detector(tmp_path / "d", detector, Card(), half=True)
    loaded, _ = load_detector(tmp_path / "d")
    with torch.inference_mode():
        assert (loaded(pixels).logits - detector(pixels).logits).abs().max() < 2e-2
    assert next(loaded.parameters()).dtype == torch.float32


def test_the_card_comes_back_and_can_be_replaced(detector: VitDetector, tmp_path: Path) -> None:
    card = Card(1.5, {"0.05": 0.8}, training={"arm": "ssat"}, figures={"auc": 0.9}, seen=("ab", "cd"))
    save_detector(tmp_path / "d", detector, card)
    assert load_detector(tmp_path / "d")[1] == card
    write_card(tmp_path / "d", Card(temperature=2.0))
    assert load_detector(tmp_path / "d")[1] == Card(temperature=2.0)


def test_a_decoder_is_never_exported(detector: VitDetector, tmp_path: Path) -> None:
    save_detector(tmp_path / "d", detector, Card())
    assert {path.name for path in (tmp_path / "d").iterdir()} == {
        "config.json", "model.safetensors", "preprocessor_config.json", "patch_head.safetensors",
        "detector.json",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["model.safetensors", "preprocessor_config.json", "detector.json"])
def test_a_folder_that_lacks_a_file_is_refused_by_name(
    detector: VitDetector, tmp_path: Path, name: str
) -> None:
    save_detector(tmp_path / "d", detector, Card())
    (tmp_path / "d" / name).unlink()
    with pytest.raises(UserError, match=name):
        load_detector(tmp_path / "d")


def test_swapped_labels_are_said_and_not_guessed(detector: VitDetector, tmp_path: Path) -> None:
    save_detector(tmp_path / "d", detector, Card())
    path = tmp_path / "d" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"id2label": {"0": "Fake", "1": "Real"}}))
    with pytest.raises(UserError, match="labels"):
        load_detector(tmp_path / "d")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", "{", "config.json is not valid JSON"),
        ("config.json", "{}", "config.json cannot be read"),
        ("preprocessor_config.json", '{"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}', "image_mean"),
        ("preprocessor_config.json", "[]", "image_mean"),
        ("detector.json", "[]", "no detector's card"),
        ("detector.json", '{"files": {}, "temperature": "hot"}', "temperature is 'hot'"),
    ],
)
def test_a_file_that_says_something_else_is_refused_by_name(
    detector: VitDetector, tmp_path: Path, name: str, content: str, told: str
) -> None:
    save_detector(tmp_path / "d", detector, Card())
    (tmp_path / "d" / name).write_text(content)
    with pytest.raises(UserError, match=told):
        load_detector(tmp_path / "d")


def test_a_detector_that_was_never_calibrated_gives_no_verdicts() -> None:
    with pytest.raises(UserError, match=r"no threshold for .* 0\.05"):
        _ = Card(thresholds={"0.01": 0.9}).threshold


def test_a_changed_weight_file_is_refused(detector: VitDetector, tmp_path: Path) -> None:
    save_detector(tmp_path / "d", detector, Card())
    path = tmp_path / "d" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="changed"):
        load_detector(tmp_path / "d")


def test_a_config_that_does_not_fit_the_weights_is_refused(detector: VitDetector, tmp_path: Path) -> None:
    save_detector(tmp_path / "d", detector, Card())
    path = tmp_path / "d" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 3}))
    content = json.loads((tmp_path / "d" / "detector.json").read_text())
    del content["files"]["config.json"]
    (tmp_path / "d" / "detector.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="do not fit"):
        load_detector(tmp_path / "d")


def test_saving_again_replaces_the_whole_folder(detector: VitDetector, tmp_path: Path) -> None:
    save_detector(tmp_path / "d", detector, Card())
    (tmp_path / "d" / "stray.txt").write_text("x")
    save_detector(tmp_path / "d", build(SPEC, seed=9), Card(temperature=3.0))
    assert not (tmp_path / "d" / "stray.txt").exists()
    assert load_detector(tmp_path / "d")[1].temperature == 3.0
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_masking_hides_three_quarters_of_each_picture_differently() -> None:
    mask = draw_mask(torch.Generator().manual_seed(0), batch=4, patches=49)
    assert mask.kept.shape == (4, 12)
    assert mask.hidden.sum(1).tolist() == [37] * 4
    assert not mask.hidden.gather(1, mask.kept).any()
    assert len({tuple(row.tolist()) for row in mask.kept}) == 4


def test_a_reconstruction_depends_on_the_kept_patches_alone(any_detector: Shipped) -> None:
    pixels, decoder = torch.rand(3, 3, 64, 64) * 2 - 1, Decoder(any_detector).eval()
    grid, patch_px = any_detector.grid, any_detector.patch_px
    mask = draw_mask(torch.Generator().manual_seed(0), batch=3, patches=grid**2)
    hidden = mask.hidden.reshape(3, 1, grid, grid).repeat_interleave(patch_px, 2)
    hidden = hidden.repeat_interleave(patch_px, 3)
    other = torch.where(hidden, torch.rand(3, 3, 64, 64), pixels)
    with torch.inference_mode():
        first, second = (reconstruct(any_detector, decoder, p, mask.kept) for p in (pixels, other))
    assert first.shape == (3, grid**2, 3 * patch_px**2)
    assert torch.allclose(first, second, atol=1e-6)
    assert not torch.allclose(first[0], first[1], atol=1e-3)


def test_with_every_patch_kept_the_masked_pass_is_the_full_pass(any_detector: Shipped) -> None:
    pixels, patches = torch.rand(3, 3, 64, 64) * 2 - 1, any_detector.grid**2
    with torch.inference_mode():
        encoded = any_detector.encode_kept(pixels, torch.arange(patches).expand(3, patches))
        again = any_detector.judge(encoded)
        expected = any_detector(pixels)
    assert torch.allclose(again.logits, expected.logits, atol=1e-6)
    assert torch.allclose(again.patch_logits, expected.patch_logits, atol=1e-6)


def test_a_masked_pass_leaves_the_running_statistics_of_whole_pictures_alone() -> None:
    detector = build(replace(SPEC, family="cvt", input_px=64), seed=1).train()
    before = {name: value.clone() for name, value in detector.named_buffers() if "running" in name}
    detector.encode_kept(torch.rand(3, 3, 64, 64), torch.arange(4).expand(3, 4))  # type: ignore[operator]
    assert before
    assert all(torch.equal(value, before[n]) for n, value in detector.named_buffers() if n in before)
    detector(torch.rand(3, 3, 64, 64))
    assert any(not torch.equal(value, before[n]) for n, value in detector.named_buffers() if n in before)


def test_strided_depthwise_convolutions_stay_in_full_precision() -> None:
    detector = build(replace(SPEC, family="cvt", input_px=64), seed=1).eval()
    seen: list[torch.dtype] = []
    for module in detector.modules():
        if isinstance(module, torch.nn.Conv2d) and module.groups > 1 and module.stride[0] > 1:
            module.register_forward_hook(lambda _module, _given, made: seen.append(made.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        detector(torch.rand(1, 3, 64, 64))
    assert set(seen) == {torch.float32}


def test_both_tasks_reach_the_encoder(detector: VitDetector, pixels: torch.Tensor) -> None:
    decoder = Decoder(detector)
    mask = draw_mask(torch.Generator().manual_seed(0), batch=3, patches=16)
    weight = detector.classifier.vit.layers[0].mlp.fc1.weight
    for loss in (detector(pixels).logits.square().sum(), detector(pixels).patch_logits.square().sum(),
                 reconstruct(detector, decoder, pixels, mask.kept).square().sum()):  # fmt: skip
        (gradient,) = torch.autograd.grad(loss, weight)
        assert gradient.abs().sum() > 0


def test_positions_are_sines_and_cosines_of_row_and_column() -> None:
    positions = sin_cos_positions(grid=3, width=8)[0]
    assert positions.shape == (10, 8)
    assert positions[0].abs().sum() == 0
    row, column = 2, 1
    # Frequencies 10000^(−i/(C/4)) for i = 0, 1 (He et al. 2022): 1 and 0.01.
    angles = torch.tensor([row * 1.0, row * 0.01, column * 1.0, column * 0.01])
    expected = torch.cat((angles[:2].sin(), angles[:2].cos(), angles[2:].sin(), angles[2:].cos()))
    assert torch.allclose(positions[1 + 3 * row + column], expected, atol=1e-6)
