"""Labels of the bundled mask model: what counts as face, and who is held back."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.geometry.landmarks import MESH_BROWS, MESH_OVAL
from faceswap.masks.train import generic_labels as labels
from faceswap.masks.train.generic import CANVAS_PX, CROP_PX, make_sample
from faceswap.masks.train.measure import exam_of

RED, HAIR, SKIN, EYES = (255, 0, 0), (127, 0, 0), (255, 255, 0), (0, 0, 255)
EYE_LINE, MIDDLE, HALF = 120, 100, 50


def mesh() -> np.ndarray:
    """(468, 2) vertices of which only outline, eyes and brows mean something: an ellipse of a face."""
    vertices = np.full((468, 2), MIDDLE, np.float32)
    angles = np.linspace(0, 2 * np.pi, len(MESH_OVAL), endpoint=False)
    vertices[MESH_OVAL] = np.stack([MIDDLE + HALF * np.sin(angles), 140 - 60 * np.cos(angles)], 1)
    vertices[33], vertices[263] = (MIDDLE - 30, EYE_LINE), (MIDDLE + 30, EYE_LINE)
    for brow, x in zip(MESH_BROWS, (MIDDLE - 28, MIDDLE + 28), strict=True):
        vertices[brow] = np.array([(x + dx, 105 + dy) for dy in (-2, 2) for dx in (-14, -7, 0, 7, 14)])
    return vertices


def painted(fringe: bool = False) -> np.ndarray:
    """A head as `segmented` paints it: hair over skin with ears and neck, brows in the colour of hair."""
    picture = np.full((260, 200, 3), RED, np.uint8)
    cv2.ellipse(picture, (MIDDLE, 110), (60, 90), 0, 0, 360, HAIR, -1)
    cv2.ellipse(picture, (MIDDLE, 135), (HALF, 75), 0, 0, 360, SKIN, -1)
    cv2.rectangle(picture, (MIDDLE - 30, 190), (MIDDLE + 30, 259), SKIN, -1)
    for x in (MIDDLE - 58, MIDDLE + 58):
        cv2.circle(picture, (x, 130), 9, SKIN, -1)
    for x in (MIDDLE - 28, MIDDLE + 28):
        cv2.rectangle(picture, (x - 14, 103), (x + 14, 107), HAIR, -1)
        cv2.circle(picture, (x, EYE_LINE), 5, EYES, -1)
    if fringe:
        cv2.rectangle(picture, (MIDDLE - 45, 60), (MIDDLE + 45, 110), HAIR, -1)
    return picture


def face_of(picture: np.ndarray) -> np.ndarray:
    return labels.whole_face(labels.nearest_class(picture), mesh(), 60.0)


def test_the_face_has_brows_and_eyes_and_a_forehead_but_no_ears_neck_or_hair() -> None:
    mask = face_of(painted())
    inside = {"brow": (105, MIDDLE - 28), "eye": (EYE_LINE, MIDDLE + 28), "forehead": (72, MIDDLE)}
    outside = {"ear": (130, MIDDLE - 60), "neck": (240, MIDDLE), "hair": (40, MIDDLE), "wall": (5, 5)}
    assert {name: mask[at] for name, at in inside.items()} == dict.fromkeys(inside, 1.0)
    assert {name: mask[at] for name, at in outside.items()} == dict.fromkeys(outside, 0.0)


def test_a_fringe_over_the_brows_is_hair() -> None:
    mask = face_of(painted(fringe=True))
    assert mask[105, MIDDLE - 28] == 0 and mask[80, MIDDLE] == 0 and mask[150, MIDDLE] == 1


def test_mixed_colours_at_painted_edges_go_to_the_nearest_class() -> None:
    mixed = np.array([[(250, 10, 5), (140, 20, 0), (240, 230, 20), (10, 240, 20)]], np.uint8)
    assert labels.nearest_class(mixed).tolist() == [[0, 1, 2, 5]]


def test_nothing_beyond_the_pictures_edge_is_figure() -> None:
    ones = np.ones((200, 200), np.float32)
    points = (0.8 * HEAD_MODEL[:, :2] + (100, 110)).astype(np.float32)
    face = labels.LabelledFace(
        "stills", "0", "0", np.full((200, 200, 3), 50, np.uint8), points, ones, ones, ones
    )
    sample = make_sample(face)
    assert sample.picture.shape == (CANVAS_PX, CANVAS_PX, 3) and CROP_PX < CANVAS_PX
    seen = sample.picture[..., 0] == 50
    # At the edge itself a cubic and a linear kernel mix the last pixel with nothing differently.
    assert 0 < seen.mean() < 1 and np.mean(seen == (sample.layers[..., 1] == 255)) > 0.98


def test_white_around_a_cut_out_is_no_figure_but_white_inside_it_is() -> None:
    picture = np.full((60, 40, 3), 255, np.uint8)
    cv2.rectangle(picture, (8, 10), (32, 59), (120, 90, 80), -1)
    cv2.circle(picture, (20, 30), 4, (255, 255, 255), -1)
    figure = labels._figure(picture)
    assert figure[3, 3] == 0 and figure[30, 2] == 0 and figure[30, 20] == 1 and figure[45, 20] == 1


def test_people_of_segmented_are_told_by_picture_or_by_name() -> None:
    base = Path("segmented")
    assert labels.segmented_person(base / "frontal02/train/rgb/7.png") == "frontal02/7"
    turned = base / "multipose01/train/rgb/yaw-30_personne04244+0-30.png"
    assert labels.segmented_person(turned) == "multipose01/04"


@pytest.mark.slow
def test_nobody_is_both_trained_on_and_measured(shared_data: Path) -> None:
    pytest.importorskip("skimage")
    trained, kept = (list(labels.labelled_faces(shared_data, held_back)) for held_back in (False, True))
    people = [{(face.source, face.person) for face in faces} for faces in (trained, kept)]
    assert not people[0] & people[1]
    exams = [exam_of(face) for face in kept]
    counts = {name: exams.count(name) for name in set(exams)}
    assert counts == {"landmarked": 20, "segmented_frontal": 10, "segmented_turned": 24, "stills": 120}
    # The actors of the clips are the test and the demo: nothing is read of them but the stills' archive.
    assert {face.source for face in trained} == set(labels.SOURCES)


def test_held_back_people_of_segmented_are_some_of_each_collection(shared_data: Path) -> None:
    paths = (shared_data / "segmented").glob("*/train/rgb/*.png")
    people = {labels.segmented_person(path) for path in paths}
    kept = {person for person in people if labels.person_is_held_back(person)}
    counts = [sum(person.startswith(name) for person in kept) for name in ("frontal02", "multipose01")]
    assert counts == [6, 2] and len(people) == 27
