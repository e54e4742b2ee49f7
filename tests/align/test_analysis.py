"""Finding faces through insightface with a toy pack of buffalo_l's shape, whose answers can be foretold."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.finding import run_finder, turn_back
from faceswap.align.packs import Pack, load_pack
from faceswap.align.placing import place, run_landmarker
from faceswap.geometry.geometry import apply_transform
from faceswap.geometry.landmarks import five_points
from faceswap.types import Frame

CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@pytest.fixture(scope="module")
def pack(toy_pack: Path) -> Pack:
    return load_pack(str(toy_pack), device="cpu")


def black(height: int = 480, width: int = 640, dtype: type = np.uint8) -> Frame:
    return np.zeros((height, width, 3), dtype)


def test_a_pack_of_buffalo_shape_is_told_apart_by_insightface(pack: Pack) -> None:
    assert pack.landmarks_key == "landmark_3d_68"
    assert pack.recogniser is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_landmarks_land_on_the_pixel_they_stand_for(pack: Pack, toy: SimpleNamespace, dtype: type) -> None:
    frame = black(dtype=dtype)
    center = toy.draw(frame, 8, 5, dx=2.3, dy=-1.6)
    (face,) = FaceAnalyzer(pack).find(frame)
    np.testing.assert_allclose(face.landmarks[30], center, atol=0.05)
    # The box of 4 x 4 cells, one cell of padding above the mark.
    np.testing.assert_allclose(face.box, (8 * 32 - 48, 5 * 32 - 32, 8 * 32 + 80, 5 * 32 + 96), atol=0.5)
    assert face.score > 0.9


def test_the_first_pass_gives_what_insightface_itself_gives(
    pack: Pack, toy: SimpleNamespace, toy_pack: Path
) -> None:
    from insightface.app import FaceAnalysis

    frame = black()
    toy.draw(frame, 8, 5, dx=2.3, dy=-1.6)
    theirs = FaceAnalysis(name=str(toy_pack), providers=["CPUExecutionProvider"])
    theirs.prepare(0, det_size=(640, 640))
    (expected,) = theirs.get(np.ascontiguousarray(frame[..., ::-1]))
    (face,) = FaceAnalyzer(pack).find(frame)
    np.testing.assert_allclose(face.box, expected.bbox, atol=1e-3)
    center, side = (face.box[:2] + face.box[2:]) / 2, float(face.box[2] - face.box[0])
    landmarks = run_landmarker(pack, frame, center, side, 0.0)
    np.testing.assert_allclose(landmarks, expected.landmark_3d_68[:, :2], atol=0.1)


@pytest.mark.parametrize("degrees", CODES)
def test_a_turned_face_is_found_and_its_points_turned_back_exactly(
    pack: Pack, toy: SimpleNamespace, degrees: int
) -> None:
    upright = black()
    toy.draw(upright, 9, 4, dx=1.4, dy=-2.2)
    (expected,) = FaceAnalyzer(pack).find(upright)
    frame = np.ascontiguousarray(cv2.rotate(upright, CODES[degrees]))
    (face,) = FaceAnalyzer(pack).find(frame)
    # The frame was turned by `degrees`; turning its points back must give the upright ones.
    back = apply_transform(turn_back(degrees, *upright.shape[:2]), face.landmarks)
    np.testing.assert_allclose(back, expected.landmarks, atol=0.1)
    assert FaceAnalyzer(pack, rotations=False).find(frame) == []


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turning_back_undoes_cv2_rotate_to_the_pixel(degrees: int) -> None:
    picture = black(40, 60)
    picture[7, 22] = 255
    turned = picture if degrees == 0 else cv2.rotate(picture, CODES[degrees])
    y, x = np.argwhere(turned[..., 0])[0]
    np.testing.assert_array_equal(apply_transform(turn_back(degrees, 40, 60), np.array([(x, y)])), [(22, 7)])


def test_a_faint_face_is_believed_when_it_holds_up_from_near(pack: Pack, toy: SimpleNamespace) -> None:
    frame = black()
    toy.draw(frame, 8, 5, shift=(1, 4))
    small_boxes = run_finder(pack, frame)
    assert small_boxes[:, 4].max() < 0.5
    assert len(FaceAnalyzer(pack).find(frame)) == 1


def test_a_faint_mark_that_is_no_face_from_near_either_is_dropped(pack: Pack, toy: SimpleNamespace) -> None:
    frame = black()
    toy.draw(frame, 8, 5)
    dim = (frame * 0.78).astype(np.uint8)
    assert run_finder(pack, dim)[:, 4].max() > 0.25
    assert FaceAnalyzer(pack).find(dim) == []


def test_a_large_frame_is_shrunk_for_the_finder_but_not_for_the_landmarks(
    pack: Pack, toy: SimpleNamespace
) -> None:
    small = black()
    center = toy.draw(small, 8, 5, dx=2.3, dy=-1.6)
    frame = cv2.resize(small, (1920, 1440), interpolation=cv2.INTER_CUBIC)
    (face,) = FaceAnalyzer(pack).find(frame)
    # Corner coordinates scale: 3 (x + 1/2) - 1/2.
    np.testing.assert_allclose(face.landmarks[30], 3 * (np.array(center) + 0.5) - 0.5, atol=0.15)


def test_faces_come_largest_first_and_only_as_many_as_asked_for(pack: Pack, toy: SimpleNamespace) -> None:
    frame = black()
    for column, row in ((3, 2), (14, 9)):
        toy.draw(frame, column, row)
    both = FaceAnalyzer(pack).find(frame)
    areas = [np.prod(face.box[2:] - face.box[:2]) for face in both]
    assert len(both) == 2
    assert areas == sorted(areas, reverse=True)
    assert len(FaceAnalyzer(pack, max_faces=1).find(frame)) == 1


def test_boxes_below_the_least_size_are_ignored(pack: Pack, toy: SimpleNamespace) -> None:
    frame = black()
    toy.draw(frame, 8, 5)
    assert len(FaceAnalyzer(pack, min_face_px=120).find(frame)) == 1
    assert FaceAnalyzer(pack, min_face_px=140).find(frame) == []


def test_two_boxes_on_one_face_give_one_face(pack: Pack, toy: SimpleNamespace) -> None:
    frame = black()
    toy.draw(frame, 8, 5)
    box = np.array([200, 100, 330, 260], np.float32)
    twice = FaceAnalyzer(pack)._believed(frame, [(box, 0.9), (box + 3, 0.8)], 0, wary=False)
    assert len(twice) == 1


def test_landmarks_that_agree_twice_are_settled(pack: Pack, toy: SimpleNamespace) -> None:
    frame = black()
    toy.draw(frame, 8, 5)
    placed = place(pack, frame, np.array([208, 128, 336, 256], np.float32), 0)
    assert placed.settled


def test_embeddings_follow_the_face(pack: Pack, toy: SimpleNamespace) -> None:
    frame, other = black(), black()
    toy.draw(frame, 8, 5)
    toy.draw(other, 4, 6)
    first, second = (FaceAnalyzer(pack).find(picture)[0].embedding for picture in (frame, other))
    assert first is not None
    assert second is not None
    assert first.shape == (512,)
    np.testing.assert_allclose(first, second, atol=0.02)


def test_embeddings_are_those_insightface_computes(pack: Pack, toy: SimpleNamespace) -> None:
    from insightface.app.common import Face

    frame = black()
    toy.draw(frame, 8, 5)
    (face,) = FaceAnalyzer(pack).find(frame)
    assert pack.recogniser is not None
    seen = Face(kps=five_points(face.landmarks))
    expected = pack.recogniser.get(np.ascontiguousarray(frame[..., ::-1]), seen)
    np.testing.assert_allclose(face.embedding, expected, atol=0.03)


def test_frames_without_a_face_and_tiny_frames_have_none(pack: Pack) -> None:
    for height, width in ((480, 640), (1, 1), (3, 700), (33, 31)):
        assert FaceAnalyzer(pack).find(black(height, width)) == []
