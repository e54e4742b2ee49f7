"""The bundled pack as alignment uses it: found at any turn, landmarks near the actors' truth."""

import json
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.finding import turn_back
from faceswap.align.packs import load_pack
from faceswap.geometry.geometry import apply_transform
from faceswap.geometry.landmarks import outer_eye_distance, roll_deg
from faceswap.types import Frame, Points
from faceswap.workspace import assets

CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@pytest.fixture(scope="module")
def analyst() -> FaceAnalyzer:
    if not (assets() / "faces" / "finder.onnx").is_file():
        pytest.skip("the bundled pack is not built: python -m stages.train_faces")
    return FaceAnalyzer(load_pack("bundled", "cpu"))


@cache
def frames_and_truth(folder: Path, actor: str, every: int) -> list[tuple[Frame, Points]]:
    """Every n-th frame of an actor's clip with its true landmarks, counted from pixel centres."""
    truth = json.loads((folder / f"actor_{actor}.json").read_text(encoding="utf-8"))["frames"]
    with av.open(str(folder / f"actor_{actor}.mp4")) as clip:
        frames = [
            frame.to_ndarray(format="rgb24")
            for index, frame in enumerate(clip.decode(video=0))
            if index % every == 0
        ]
    # The renderer's (0, 0) is the corner of the first pixel.
    points = [np.array(item["landmarks68"], np.float32) - 0.5 for item in truth[::every]]
    return list(zip(frames, points, strict=True))


@pytest.mark.parametrize("actor", ["a", "b"])
def test_landmarks_are_within_the_issues_bar_of_the_truth(
    analyst: FaceAnalyzer, demo_clips: Path, actor: str
) -> None:
    errors = []
    for frame, truth in frames_and_truth(demo_clips, actor, 25):
        (face,) = analyst.find(frame)
        distance = np.linalg.norm(face.landmarks[17:] - truth[17:], axis=1).mean()
        errors.append(distance / outer_eye_distance(truth))
    assert np.mean(errors) <= 0.035


@pytest.mark.parametrize("actor", ["a", "b"])
@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_roll_of_found_landmarks_is_within_3_degrees_of_the_truth(
    analyst: FaceAnalyzer, demo_clips: Path, actor: str, every: int
) -> None:
    truth = json.loads((demo_clips / f"actor_{actor}.json").read_text(encoding="utf-8"))["frames"][::every]
    found = [analyst.find(frame)[0] for frame, _ in frames_and_truth(demo_clips, actor, every)]
    # The renderer's roll leans the other way (conventions in its JSON).
    errors = [abs(roll_deg(face.landmarks) + item["roll"]) for face, item in zip(found, truth, strict=True)]
    assert np.mean(np.array(errors) <= 3) >= 0.99


@pytest.mark.parametrize("degrees", CODES)
def test_a_turned_actor_is_found_where_the_upright_one_is(
    analyst: FaceAnalyzer, demo_clips: Path, degrees: int
) -> None:
    for frame, _ in frames_and_truth(demo_clips, "a", 120):
        (upright,) = analyst.find(frame)
        (turned,) = analyst.find(np.ascontiguousarray(cv2.rotate(frame, CODES[degrees])))
        back = apply_transform(turn_back(degrees, *frame.shape[:2]), turned.landmarks)
        error = np.linalg.norm(back - upright.landmarks, axis=1).mean()
        assert error <= 0.04 * outer_eye_distance(upright.landmarks)


def test_empty_rooms_and_noise_hold_no_face(analyst: FaceAnalyzer) -> None:
    random = np.random.default_rng(5)
    grey = np.full((480, 640, 3), 128, np.uint8)
    noise = random.integers(0, 256, (480, 640, 3), np.uint8)
    clouds = cv2.resize(
        random.integers(0, 256, (12, 16, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC
    )
    for frame in (grey, noise, clouds):
        assert analyst.find(frame) == []
