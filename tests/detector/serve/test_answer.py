"""What the service says of a picture or a clip."""

import base64
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from faceswap.detector.network.model import LIMITATIONS
from faceswap.detector.predict import Examiner
from faceswap.io.images import decode_image, encode_image
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.types import Frame
from tests.detector.toy_service import KNOWN
from tests.detector.toy_set import actor_frames


def pixels(data_uri: str) -> Frame:
    return decode_image(base64.b64decode(data_uri.partition(",")[2]))


def test_a_picture_is_judged_as_predict_judges_it(
    client: TestClient, examiner: Examiner, actor: NDArray[np.uint8], portrait: bytes
) -> None:
    answer = client.post("/judge", content=portrait).json()
    found = examiner.picture("x", actor)
    assert (answer["kind"], answer["label"]) == ("picture", found.label.lower())
    assert answer["probability"] == pytest.approx(found.score, abs=1e-6)
    assert answer["threshold"] == 0.5
    assert answer["detector"] == KNOWN.model_dump()
    assert answer["limits"] == list(LIMITATIONS)
    (face,), (expected,) = answer["faces"], found.faces
    assert face["box"] == pytest.approx(expected.box)
    assert (face["frame"], face["time_s"]) == (0, None)


def test_every_face_of_a_picture_has_a_score_and_a_heat_map(client: TestClient) -> None:
    both = np.concatenate([actor_frames(which, 1)[0][0] for which in "ab"], axis=1)
    answer = client.post("/judge", content=encode_image(".png", both)).json()
    assert len(answer["faces"]) == 2
    assert answer["probability"] == max(face["score"] for face in answer["faces"])
    assert all(face["heat_map"].startswith("data:image/png;base64,") for face in answer["faces"])


def test_a_heat_map_is_what_lies_between_its_corners_with_the_patches_over_it(
    client: TestClient, actor: NDArray[np.uint8], portrait: bytes
) -> None:
    (face,) = client.post("/judge", content=portrait).json()["faces"]
    found = pixels(face["heat_map"]).astype(np.float32)
    side = found.shape[0]
    outer = np.array([(0, 0), (side, 0), (0, side)], np.float32) - 0.5
    to_crop = cv2.getAffineTransform(np.array(face["corners"], np.float32), outer)
    crop = cv2.warpAffine(actor, to_crop, (side, side), flags=cv2.INTER_AREA).mean(axis=2, keepdims=True)
    patches = np.array(face["patches"], np.float32)
    glow = 0.7 * np.kron(patches, np.ones((side // len(patches),) * 2))[..., None]
    assert np.abs(found - (crop * (1 - glow) + np.array([255, 120, 20]) * glow)).mean() < 4


def test_a_clip_is_judged_frame_by_frame_and_says_which(client: TestClient, clip: bytes) -> None:
    answer = client.post("/judge", content=clip).json()
    scores = [frame["score"] for frame in answer["frames"]]
    assert answer["kind"] == "clip"
    assert answer["note"] == "10 of its 200 frames were judged, evenly spaced"
    assert len(scores) == 10
    assert answer["probability"] == pytest.approx(np.mean(scores))
    assert np.diff([frame["time_s"] for frame in answer["frames"]]) == pytest.approx([0.8] * 9)
    assert all(pixels(frame["picture"]).shape == (512, 512, 3) for frame in answer["frames"])


def test_three_frames_are_too_few_to_judge_a_clip(
    client: TestClient, demo_clips: Path, tmp_path: Path
) -> None:
    command = [ffmpeg_binary(), "-loglevel", "error", "-i", str(demo_clips / "actor_a.mp4")]
    subprocess.run([*command, "-c", "copy", "-frames:v", "3", "-an", str(tmp_path / "x.mp4")], check=True)
    answer = client.post("/judge", content=(tmp_path / "x.mp4").read_bytes()).json()
    assert (answer["label"], answer["probability"]) == ("undetermined", None)
    assert "3 of 3 frames" in answer["reason"]


@pytest.mark.parametrize(("side_px", "reason"), [(200, "no face was found"), (20, "20x20 px are too few")])
def test_where_nothing_can_be_said_there_is_no_number(client: TestClient, side_px: int, reason: str) -> None:
    wall = encode_image(".png", np.full((side_px, side_px, 3), 90, np.uint8))
    answer = client.post("/judge", content=wall).json()
    assert (answer["label"], answer["probability"], answer["faces"]) == ("undetermined", None, [])
    assert reason in answer["reason"]
    assert [frame["score"] for frame in answer["frames"]] == [None]


@pytest.mark.parametrize("kind", ["sixteen bits", "grey", "alpha", "webp"])
def test_pictures_of_every_depth_and_format_are_judged(
    client: TestClient, actor: NDArray[np.uint8], kind: str
) -> None:
    bgr = actor[..., ::-1]
    suffix, content = {
        "sixteen bits": (".png", bgr.astype(np.uint16) * 257),
        "grey": (".png", bgr.mean(axis=2).astype(np.uint8)),
        "alpha": (".png", np.dstack([bgr, bgr[..., 0]])),
    }.get(kind, (f".{kind}", bgr))
    sent = cv2.imencode(suffix, content)[1].tobytes()
    assert client.post("/judge", content=sent).json()["label"] in ("real", "fake")
