"""FaceMeta as JSON: the same numbers back, unknown keys kept, damage refused."""

import json
from typing import Any

import numpy as np
import pytest

from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.types import FaceType, Side


def example(**changes: Any) -> FaceMeta:
    landmarks = (1.37 * HEAD_MODEL[:, :2] + (320.1, 260.7)).astype(np.float32)
    values: dict[str, Any] = {
        "source": "kadr 01_2 «é».png",
        "frame_to_face": crop_transform(landmarks, 256, FaceType.WHOLE),
        "size_px": 256,
        "landmarks": landmarks,
        "face_type": FaceType.WHOLE,
        "side": Side.SRC,
        "index": 1,
        "score": 0.875,
        "polygons": ({"kind": "exclude", "points": [[1.5, 2.0], [3, 4], [5, 6]]},),
        "embedding": np.random.default_rng(0).normal(size=512).astype(np.float32),
        "found_landmarks": landmarks + np.float32(0.3),
        "extra": {"weather": {"sky": "grey"}},
    }
    return FaceMeta(**(values | changes))


def test_json_gives_back_the_same_numbers_bit_for_bit() -> None:
    meta = example()
    again = FaceMeta.from_json(json.loads(json.dumps(meta.to_json())))
    np.testing.assert_array_equal(again.frame_to_face, meta.frame_to_face)
    np.testing.assert_array_equal(again.landmarks, meta.landmarks)
    assert meta.embedding is not None
    assert again.embedding is not None
    np.testing.assert_array_equal(again.embedding, meta.embedding)
    np.testing.assert_array_equal(again.found_landmarks, meta.found_landmarks)
    assert again.to_json() == meta.to_json()
    assert (again.frame_to_face.dtype, again.landmarks.dtype) == (np.float64, np.float32)


def test_unknown_keys_survive_reading_and_writing() -> None:
    data = example().to_json() | {"future": [1, {"x": None}]}
    again = FaceMeta.from_json(data)
    assert again.extra == {"weather": {"sky": "grey"}, "future": [1, {"x": None}]}
    assert again.to_json() == data


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": None},
        {"landmarks": [[1, 2]]},
        {"landmarks": [[1, float("nan")]] * 68},
        {"frame_to_face": [[1, 0, float("inf")], [0, 1, 0]]},
        {"face_type": "nose"},
        {"frame_to_face": "x"},
        {"score": None},
    ],
)
def test_damaged_or_newer_metadata_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MetadataError):
        FaceMeta.from_json(example().to_json() | change)


@pytest.mark.parametrize("value", [None, [], "face", {}])
def test_what_is_no_metadata_is_refused(value: object) -> None:
    with pytest.raises(MetadataError):
        FaceMeta.from_json(value)


def test_a_resized_face_keeps_its_landmarks_in_place() -> None:
    meta = example()
    half = meta.resized(128)
    # Corner coordinates (pixel centre + 1/2) scale with the picture.
    np.testing.assert_allclose((half.crop_landmarks() + 0.5) * 2, meta.crop_landmarks() + 0.5, atol=1e-3)
    np.testing.assert_array_equal(half.landmarks, meta.landmarks)
