"""Networks to ONNX files in the shapes by which insightface tells models apart.

Nine outputs make a finder (scores, boxes, five points; strides 8, 16, 32); an input of 192 × 192 with
136 outputs makes `landmark_2d_68`. insightface itself applies (x − 127.5) / 128: no normalisation
may be in the graph.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from faceswap.facepack.anchors import STRIDES
from faceswap.facepack.networks import CROP_PX, Finder, Landmarker
from faceswap.io.files import atomic_path

FINDER_FILE = "finder.onnx"
LANDMARKS_FILE = "landmarks.onnx"
_OPSET = 17


class _NineOutputs(nn.Module):
    def __init__(self, finder: Finder) -> None:
        super().__init__()
        self.finder = finder
        self.training = finder.training

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        scores, sides, offsets = zip(*self.finder.levels(x), strict=True)
        return (*(score.sigmoid() for score in scores), *sides, *offsets)


def export_finder(finder: Finder, path: Path) -> None:
    """Write nine outputs (B, anchors, 1 | 4 | 10), batch and picture size free (multiples of 32)."""
    names = [f"{what}_{stride}" for what in ("score", "sides", "offsets") for stride in STRIDES]
    axes = {name: {0: "batch", 1: f"anchors_{name}"} for name in names}
    axes["input"] = {0: "batch", 2: "height", 3: "width"}
    export_onnx(_NineOutputs(finder), torch.zeros(1, 3, 160, 192), path, names, axes)


def export_landmarker(landmarker: Landmarker, path: Path) -> None:
    """Write one output (B, 136), batch free, input 192 × 192."""
    axes = {"input": {0: "batch"}, "points": {0: "batch"}}
    export_onnx(landmarker, torch.zeros(1, 3, CROP_PX, CROP_PX), path, ["points"], axes)


def export_onnx(
    network: nn.Module, example: Tensor, path: Path, outputs: list[str], axes: dict[str, dict[int, str]]
) -> None:
    """Write and check the graph of a network in evaluation mode; its one input is called `input`."""
    import onnx

    was_training = network.training
    network.eval()
    with atomic_path(path) as temporary:
        # The tracing exporter folds batch normalisation and keeps free axes without onnxscript.
        torch.onnx.export(
            network, (example,), str(temporary), input_names=["input"], output_names=outputs,
            dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
        onnx.checker.check_model(onnx.load(temporary))
    network.train(was_training)
