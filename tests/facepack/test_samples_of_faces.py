"""Training samples: repeatable, and their labels lie on the picture."""

import numpy as np
import pytest

from faceswap.augment.backgrounds import background, load_photographs
from faceswap.facepack.cache import FaceCache, write_cache
from faceswap.facepack.crops import CropMaker, random_crop
from faceswap.facepack.labels import hand_points, held_back_people
from faceswap.facepack.make import finder_targets
from faceswap.facepack.scenes import SceneMaker, visible_share

from .conftest import drawn_face


def test_a_cache_gives_back_pictures_and_labels(drawn_faces: FaceCache) -> None:
    for seed in range(6):
        picture, points, weight = drawn_faces.face(seed)
        told = drawn_face(seed)
        np.testing.assert_array_equal(picture, told.picture)
        np.testing.assert_array_equal(points, told.points)
        np.testing.assert_array_equal(weight, told.weight)


def test_a_stopped_write_leaves_no_cache(tmp_path) -> None:
    def failing():
        yield drawn_face(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path, failing())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["crop", "scene"])
def test_the_same_seed_draws_the_same_sample(drawn_faces: FaceCache, kind: str) -> None:
    pytest.importorskip("skimage")
    photographs = load_photographs()[:3]
    crops, scenes = CropMaker(drawn_faces, photographs), SceneMaker(drawn_faces, photographs)

    def draw(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        return (crops.draw(random) if kind == "crop" else scenes.draw(128, random)).picture

    np.testing.assert_array_equal(draw(5), draw(5))
    assert (draw(5) != draw(6)).any()


def test_a_crop_holds_its_face_upright_enough_and_whole() -> None:
    points = drawn_face(0).points
    for seed in range(50):
        picture_to_crop = random_crop(points, np.random.default_rng(seed))
        placed = points[17:] @ picture_to_crop[:, :2].T + picture_to_crop[:, 2]
        assert (placed > 0).all()
        assert (placed < 192).all()
        assert placed[36 - 17 : 42 - 17, 0].mean() < placed[42 - 17 : 48 - 17, 0].mean()


def test_every_wanted_face_of_a_scene_is_seen_and_asked_for(drawn_faces: FaceCache) -> None:
    pytest.importorskip("skimage")
    scenes = SceneMaker(drawn_faces, load_photographs()[:3])
    drawn = [scenes.draw(128, np.random.default_rng(seed)) for seed in range(12)]
    targets = finder_targets(drawn, 128)
    wanted = sum(int(scene.wanted.sum()) for scene in drawn)
    assert wanted > 0
    assert len(targets.positive) >= wanted
    assert all((visible_share(scene.boxes, 128)[scene.wanted] > 0.5).all() for scene in drawn)


def test_backgrounds_have_the_asked_size() -> None:
    photographs = [np.full((90, 70, 3), 128, np.uint8)]
    for seed in range(30):
        picture = background(photographs, 96, 64, np.random.default_rng(seed))
        assert picture.shape == (96, 64, 3)
        assert picture.dtype == np.uint8


def test_twenty_people_are_held_back_by_name_and_always_the_same(shared_data) -> None:
    people = held_back_people(shared_data)
    assert people == held_back_people(shared_data)
    assert len(people) == 20
    assert sum(name.startswith("canada/") for name in people) == 3


def test_a_jaw_from_an_outline_runs_from_ear_to_ear_through_the_chin() -> None:
    random = np.random.default_rng(0)
    hand = random.uniform(40, 60, (189, 2)).astype(np.float32)
    around = np.linspace(np.pi, 0, 19)
    outline = [109, 185, 110, 186, 111, *range(125, 134), 114, 188, 113, 187, 112]
    hand[outline] = np.stack([50 + 40 * np.cos(around), 50 + 40 * np.sin(around)], 1)
    table = {str(index): 50 + index for index in range(17, 68)} | {"8": 129}
    points, weight = hand_points(hand, table)
    assert (weight[:17] > 0).all()
    assert (np.diff(points[:17, 0]) > 0).all()
    np.testing.assert_allclose(points[8], (50, 90), atol=0.5)
    np.testing.assert_allclose(np.linalg.norm(points[:17] - 50, axis=1), 40, atol=0.7)
