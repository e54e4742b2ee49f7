"""A face-model pack of buffalo_l's shape, small enough to build in a test, whose answers can be foretold.

A toy face is a mark of 32 × 64 px, red above blue, with a soft green dot in its middle. The finder
answers where red lies above blue around a cell of stride 8; the landmarkers put point 30 on the green
dot and the others around it like a mean head; the recogniser answers with mean colours.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.types import Frame, Points

# Pixels of the landmarker's input per unit of the mean head: the box around such points has the side that
# fills the input to 1/1.5, so that a second look is at the same scale.
OFFSETS: Points = (0.731 * (HEAD_MODEL - HEAD_MODEL[30])).astype(np.float32)


def draw(
    frame: Frame, column: int, row: int, dx: float = 0.0, dy: float = 0.0, shift: tuple[int, int] = (0, 0)
) -> tuple[float, float]:
    """Draw an upright toy face into the cell (column, row) of 32 px; returns where its dot's centre is.

    dx, dy: the dot's distance from the mark's middle. shift: moves the mark off the finder's grid.
    """
    x, y = 32 * column + shift[0], 32 * row + shift[1]
    full = np.iinfo(frame.dtype).max
    frame[y : y + 32, x : x + 32, 0] = full
    frame[y + 32 : y + 64, x : x + 32, 2] = full
    center = (x + 15.5 + dx, y + 31.5 + dy)
    rows, columns = np.indices(frame.shape[:2])
    dot = np.exp(-((columns - center[0]) ** 2 + (rows - center[1]) ** 2) / (2 * 4.0**2))
    frame[..., 1] = np.maximum(frame[..., 1], np.rint(dot * full).astype(frame.dtype))
    return center


def build(folder: Path, leave_out: str = "") -> Path:
    """Write det_10g, 2d106det, 1k3d68, w600k_r50 and genderage into `folder`; `leave_out` skips one."""
    models = {
        "det_10g": _finder(),
        "2d106det": _constant("fc1", 192, np.zeros(212, np.float32)),
        "1k3d68": _landmarker(),
        "w600k_r50": _recogniser(),
        "genderage": _constant("fc1", 96, np.array([0.1, 0.9, 0.3], np.float32)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        if name != leave_out:
            onnx.save(model, str(folder / f"{name}.onnx"))
    return folder


class _Graph:
    def __init__(self, input_shape: list[int | str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.input = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, input_shape)

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        # Names that start with neither "Sub" nor "Mul": insightface would skip its normalisation.
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"toy_{name}", **attributes))
        return name

    def output(self, value: str, shape: list[int | str]) -> None:
        name = f"out{len(self.outputs)}"
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "toy", [self.input], self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def _finder() -> onnx.ModelProto:
    graph = _Graph([1, 3, "height", "width"])
    values = {1: [-10.0], 4: [6.0, 4.0, 10.0, 12.0], 10: [0.0] * 10}
    for fields in (1, 4, 10):
        for stride in (8, 16, 32):
            looks = fields == 1 and stride == 8
            height, width = (64, 32) if looks else (1, 1)
            kernel = np.zeros((2 * fields, 3, height, width), np.float32)
            bias = np.array(values[fields] * 2, np.float32)
            if looks:
                # 10 * (red - blue in the upper half + blue - red in the lower); a whole mark gives 40.
                kernel[0, 0, :32], kernel[0, 2, :32] = 10 / 32**2, -10 / 32**2
                kernel[0, 0, 32:], kernel[0, 2, 32:] = -10 / 32**2, 10 / 32**2
                bias[0] = -32
            raw = graph.add(
                "Conv", "input.1", graph.constant(kernel), graph.constant(bias),
                strides=[stride, stride], pads=[0, 0, max(0, height - stride), max(0, width - stride)],
            )  # fmt: skip
            if fields == 1:
                raw = graph.add("Sigmoid", raw)
            rows = graph.add("Transpose", raw, perm=[0, 2, 3, 1])
            rows = graph.add("Reshape", rows, graph.constant(np.array([-1, fields], np.int64)))
            graph.output(rows, [f"anchors_{stride}", fields])
    return graph.model()


def _landmarker() -> onnx.ModelProto:
    """(1, 3309): 1035 points nobody reads, then 68 × (x, y, z), in [-1, 1] over 192 px."""
    graph = _Graph([1, 3, 192, 192])
    place = np.arange(192, dtype=np.float32) / 96 - 1
    green = np.zeros((1, 3, 1, 1), np.float32)
    green[0, 1] = 128 / 255
    mass = graph.add("Conv", "input.1", graph.constant(green), graph.constant(np.array([0.5], np.float32)))
    total = graph.add("ReduceSum", mass, keepdims=1)
    centers = []
    for grid in (place[None, None, None, :], place[None, None, :, None]):
        weighted = graph.add("ReduceSum", graph.add("Mul", mass, graph.constant(grid)), keepdims=1)
        centers.append(graph.add("Div", weighted, total))
    zero = graph.constant(np.zeros((1, 1, 1, 1), np.float32))
    center = graph.add("Concat", *centers, zero, axis=3)
    center = graph.add("Reshape", center, graph.constant(np.array([1, 1, 3], np.int64)))
    points = np.concatenate([np.zeros((1035, 3), np.float32), OFFSETS / 96])
    moved = graph.add("Add", graph.constant(points[None]), center)
    graph.output(graph.add("Reshape", moved, graph.constant(np.array([1, 3309], np.int64))), [1, 3309])
    return graph.model()


def _recogniser() -> onnx.ModelProto:
    graph = _Graph(["batch", 3, 112, 112])
    mean = graph.add("Flatten", graph.add("GlobalAveragePool", "input.1"))
    spread = np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32)
    graph.output(graph.add("MatMul", mean, graph.constant(spread)), ["batch", 512])
    return graph.model()


def _constant(name: str, size: int, values: np.ndarray) -> onnx.ModelProto:
    graph = _Graph(["batch", 3, size, size])
    mean = graph.add("ReduceMean", graph.add("Flatten", "input.1"), axes=[1], keepdims=1)
    nothing = graph.add("Mul", mean, graph.constant(np.zeros(1, np.float32)))
    graph.output(graph.add("Add", nothing, graph.constant(values[None])), ["batch", len(values)])
    return graph.model()
