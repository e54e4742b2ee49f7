"""The pack's files: what torch computes, in the shapes by which insightface knows them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.facepack.anchors import STRIDES, lay_anchors
from faceswap.facepack.export import FINDER_FILE, LANDMARKS_FILE, export_finder, export_landmarker
from faceswap.facepack.networks import Finder, Landmarker
from faceswap.workspace import assets

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore")


def with_lively_norms(network: torch.nn.Module) -> torch.nn.Module:
    """Normalisations as after training, so that folding them into the file is really tried."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    return network.eval()


@pytest.mark.parametrize("height, width", [(96, 160), (352, 640)])
def test_the_finders_file_answers_as_torch_does(tmp_path: Path, height: int, width: int) -> None:
    finder = with_lively_norms(Finder(width=8))
    export_finder(finder, tmp_path / FINDER_FILE)
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    outputs = onnxruntime.InferenceSession(tmp_path / FINDER_FILE).run(None, {"input": x.numpy()})
    assert len(outputs) == 9
    with torch.no_grad():
        score, sides, offsets = finder(x)
    expected = (score.sigmoid(), sides, offsets)
    for index, tensor in enumerate(expected):
        joined = np.concatenate(outputs[3 * index : 3 * index + 3], 1)
        np.testing.assert_allclose(joined, tensor.numpy(), atol=2e-4)
    assert joined.shape[1] == len(lay_anchors(height, width).sizes)
    assert [output.shape[1] for output in outputs[:3]] == [2 * (height // s) * (width // s) for s in STRIDES]


def test_the_landmarkers_file_answers_as_torch_does(tmp_path: Path) -> None:
    landmarker = with_lively_norms(Landmarker(widths=(8, 8, 8, 8), fused=8))
    export_landmarker(landmarker, tmp_path / LANDMARKS_FILE)
    x = torch.randn(2, 3, 192, 192, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(tmp_path / LANDMARKS_FILE)
    with torch.no_grad():
        expected = landmarker(x).numpy()
    np.testing.assert_allclose(session.run(None, {"input": x.numpy()})[0], expected, atol=1e-4)
    # insightface reads the count of points off the file.
    assert session.get_outputs()[0].shape[1] == 136


def test_insightface_takes_the_files_for_a_finder_and_for_68_points(tmp_path: Path) -> None:
    model_zoo = pytest.importorskip("insightface.model_zoo")
    export_finder(Finder(width=8), tmp_path / FINDER_FILE)
    export_landmarker(Landmarker(widths=(8, 8, 8, 8), fused=8), tmp_path / LANDMARKS_FILE)
    kinds = [model_zoo.get_model(str(tmp_path / name)).taskname for name in (FINDER_FILE, LANDMARKS_FILE)]
    assert kinds == ["detection", "landmark_2d_68"]


def test_the_bundled_pack_is_at_most_12_mb() -> None:
    files = [assets() / "faces" / name for name in (FINDER_FILE, LANDMARKS_FILE)]
    assert sum(file.stat().st_size for file in files) <= 12_000_000


def test_the_bundled_pack_finds_a_synthetic_face_and_its_points(demo_clips: Path) -> None:
    import json

    from faceswap.align.analysis import FaceAnalyzer
    from faceswap.align.packs import load_pack
    from faceswap.facepack.exams import frames
    from faceswap.geometry.landmarks import outer_eye_distance

    truth = json.loads((demo_clips / "actor_b.json").read_text(encoding="utf-8"))["frames"][0]
    points = np.array(truth["landmarks68"], np.float32) - 0.5
    faces = FaceAnalyzer(load_pack("bundled")).find(next(frames(demo_clips / "actor_b.mp4")))
    assert len(faces) == 1
    error = np.linalg.norm(faces[0].landmarks[17:] - points[17:], axis=1).mean()
    assert error < 0.06 * outer_eye_distance(points)
