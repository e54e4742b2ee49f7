"""A user's network draws faces finer; what is none is refused, and another one is another identity."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceswap.errors import UserError
from faceswap.merge.upscale import load_upscaler

FACE = np.random.default_rng(0).random((16, 16, 3), np.float32)


def network(path: Path, scale: float, channels: int = 3, gain: float = 1.0) -> Path:
    """Repeats every pixel `scale` times each way and multiplies it by `gain`."""
    sizes = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "sizes")
    times = numpy_helper.from_array(np.array([gain], np.float32), "times")
    nodes = [
        helper.make_node(
            "Resize", ["in", "", "sizes"], ["large"], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
        helper.make_node("Mul", ["large", "times"], ["out"]),
    ]  # fmt: skip
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, f"h_{name}", f"w_{name}"])
        for name in ("in", "out")
    ]
    graph = helper.make_graph(nodes, "toy", ends[:1], ends[1:], [sizes, times])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def test_a_network_of_four_gives_the_face_and_is_kept_within_the_range(tmp_path: Path) -> None:
    fine = load_upscaler(network(tmp_path / "a.onnx", 4), 16, False).enhance(FACE)
    assert np.array_equal(fine, FACE.repeat(4, 0).repeat(4, 1))
    bright = load_upscaler(network(tmp_path / "b.onnx", 4, gain=3), 16, False).enhance(FACE)
    assert bright.max() == 1 and bright.dtype == np.float32


def test_what_a_network_of_two_gives_is_enlarged_in_place(tmp_path: Path) -> None:
    upscaler = load_upscaler(network(tmp_path / "a.onnx", 2), 16, False)
    y, x = np.mgrid[:16, :16].astype(np.float32) / 16
    face = np.dstack([x, y, (x + y) / 2])
    fine = upscaler.enhance(face)
    assert fine.shape == (64, 64, 3)
    blocks = fine.reshape(16, 4, 16, 4, 3).mean((1, 3))
    np.testing.assert_allclose(blocks[2:-2, 2:-2], face[2:-2, 2:-2], atol=0.01)


def test_another_file_is_another_identity_and_a_copy_the_same(tmp_path: Path) -> None:
    one, other = network(tmp_path / "a.onnx", 4), network(tmp_path / "b.onnx", 4, gain=0.5)
    copy = tmp_path / "c.onnx"
    copy.write_bytes(one.read_bytes())
    identities = [load_upscaler(path, 16, False).identity for path in (one, other, copy)]
    assert identities[0] == identities[2] != identities[1]


@pytest.mark.parametrize(("scale", "channels"), [(1, 3), (3, 3), (4, 1)])
def test_networks_of_other_scales_or_channels_are_refused(tmp_path: Path, scale: int, channels: int) -> None:
    with pytest.raises(UserError, match=r"(?s)is no upscaler.*2 or 4 times"):
        load_upscaler(network(tmp_path / "a.onnx", scale, channels), 16, False)


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_a_file_that_is_no_network_or_missing_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.onnx"):
        load_upscaler(path, 16, False)
