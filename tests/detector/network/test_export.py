"""A detector that is handed on answers as it did here, and says what it is."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModelForImageClassification

from faceswap.detector.network.export import export
from faceswap.detector.network.files import Card, load_detector, save_detector
from faceswap.detector.network.model import DetectorSpec, Shipped, build
from faceswap.errors import UserError

CARD = Card(
    temperature=1.7,
    thresholds={"0.05": 0.8},
    training={"data": {"toys": "CC0"}, "recipe": {"arm": "ssat", "patches": True}, "pictures": 1280},
)


@pytest.fixture(scope="module", params=["vit", "cvt"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = DetectorSpec(request.param, 64, 16, hidden=24, layers=2, heads=3)
    detector = build(spec, seed=1).eval()
    assert isinstance(detector, Shipped)
    path = tmp_path_factory.mktemp("run") / "best"
    save_detector(path, detector, CARD, half=False)
    return path


def test_weights_calibration_and_graph_answer_as_before(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "handed_on"
    export(folder, output, half=False, onnx=True)
    pixels = torch.rand(3, 3, 64, 64) * 2 - 1
    detector, card = load_detector(output)
    assert (card.temperature, card.thresholds) == (1.7, {"0.05": 0.8})
    with torch.inference_mode():
        expected = load_detector(folder)[0](pixels)
        theirs = AutoModelForImageClassification.from_pretrained(output).eval()(pixels).logits
        ours = detector(pixels)
    graph = onnxruntime.InferenceSession(str(output / "model.onnx"))
    logits, patches = graph.run(None, {"input": pixels.numpy()})
    for found in (ours.logits.numpy(), theirs.numpy(), logits):
        assert np.allclose(found, expected.logits.numpy(), atol=1e-4)
    assert np.allclose(patches, expected.patch_logits.numpy(), atol=1e-4)


def test_the_card_names_data_terms_recipe_and_limits(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "handed_on")
    told = (tmp_path / "handed_on" / "README.md").read_text(encoding="utf-8")
    for words in ("| toys | CC0 |", "ssat with patches", "1,280 pictures", "no evidence", "undetectable"):
        assert words in told


def test_no_decoder_is_handed_on(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "handed_on")
    assert {path.name for path in (tmp_path / "handed_on").iterdir()} == {
        "config.json", "model.safetensors", "preprocessor_config.json", "patch_head.safetensors",
        "detector.json", "README.md",
    }  # fmt: skip


def test_a_second_export_replaces_the_first_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path / "handed_on", onnx=True)
    export(folder, tmp_path / "handed_on")
    assert not (tmp_path / "handed_on" / "model.onnx").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(UserError, match="no detector"):
        export(folder, tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"
