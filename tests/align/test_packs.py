"""Face-model packs that are missing, empty, damaged or incomplete end in a sentence with what to type."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import requests
from onnx import helper, numpy_helper

from faceswap.align import packs
from faceswap.align.packs import find_pack, load_pack
from faceswap.errors import UserError


def test_a_folder_without_models_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"no ONNX models[\s\S]*notes\.txt[\s\S]*--face-models"):
        load_pack(str(tmp_path))


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(UserError, match=r"no folder some/where[\s\S]*--face-models"):
        find_pack("some/where")


def test_a_pack_without_finder_is_refused(toy: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no face finder"):
        load_pack(str(toy.build(tmp_path / "p", leave_out="det_10g")))


def test_a_pack_with_only_106_landmarks_is_refused(toy: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="106 landmarks"):
        load_pack(str(toy.build(tmp_path / "p", leave_out="1k3d68")))


@pytest.mark.parametrize("itself", [False, True])
def test_a_recogniser_that_centres_pixels_itself_is_given_plain_ones(
    toy: SimpleNamespace, tmp_path: Path, itself: bool
) -> None:
    folder = toy.build(tmp_path / "p")
    if itself:
        path = folder / "w600k_r50.onnx"
        model = onnx.load(path)
        middle = numpy_helper.from_array(np.float32(127.5), "middle")
        model.graph.initializer.append(middle)
        for node in model.graph.node:
            node.input[:] = ["centred" if name == "input.1" else name for name in node.input]
        for place, (kind, *names) in enumerate((("Sub", "input.1", "zeroed"), ("Div", "zeroed", "centred"))):
            node = helper.make_node(kind, [names[0], "middle"], [names[1]])
            model.graph.node.insert(place, node)
        onnx.save(model, path)
    recogniser = load_pack(str(folder)).recogniser
    assert (recogniser.input_mean, recogniser.input_std) == ((0.0, 1.0) if itself else (127.5, 127.5))


def test_a_damaged_model_is_refused(toy: SimpleNamespace, tmp_path: Path) -> None:
    folder = toy.build(tmp_path / "p")
    model = folder / "1k3d68.onnx"
    model.write_bytes(model.read_bytes()[:500])
    with pytest.raises(UserError, match="cannot be loaded"):
        load_pack(str(folder))


def test_a_pack_in_insightfaces_home_is_found_by_name(
    toy: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "INSIGHTFACE_HOME", tmp_path)
    toy.build(tmp_path / "models" / "toyalo_l")
    assert load_pack("toyalo_l").landmarks_key == "landmark_3d_68"


def test_offline_a_missing_pack_ends_in_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no network in this test")

    monkeypatch.setattr(packs, "INSIGHTFACE_HOME", tmp_path)
    monkeypatch.setattr(requests, "get", offline)
    with pytest.raises(UserError) as caught:
        load_pack("buffalo_l")
    assert "buffalo_l" in caught.value.what
    assert str(tmp_path / "models" / "buffalo_l") in caught.value.hint


def test_an_accelerator_that_onnxruntime_lacks_is_refused(toy_pack: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use CUDA")
    with pytest.raises(UserError, match="--device cuda"):
        load_pack(str(toy_pack), device="cuda")
