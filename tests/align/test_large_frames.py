"""Faces of every size in frames larger than the finder's picture: found once, wherever tiles meet."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.finding import View, views
from faceswap.align.packs import load_pack
from faceswap.geometry.boxes import Boxes, iou_matrix
from faceswap.geometry.geometry import apply_transform
from faceswap.types import Frame
from faceswap.workspace import assets

Stills = list[tuple[Frame, Boxes]]
GREY = 110


@pytest.fixture(scope="module")
def analyst() -> FaceAnalyzer:
    if not (assets() / "faces" / "finder.onnx").is_file():
        pytest.skip("the bundled pack is not built: python -m stages.train_faces")
    return FaceAnalyzer(load_pack("bundled", "cpu"))


@pytest.fixture(scope="module")
def stills(analyst: FaceAnalyzer, demo_clips: Path) -> Stills:
    """Both actors, cut to the head, with the box that is found in the full picture."""
    found = []
    for actor in "ab":
        with av.open(str(demo_clips / f"actor_{actor}.mp4")) as clip:
            picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
        (face,) = analyst.find(picture)
        left, top, right, bottom = (face.box + np.array([-40, -60, 40, 30])).astype(int)
        found.append((picture[top:bottom, left:right], face.box - (left, top, left, top)))
    return found


def paste(canvas: Frame, still: tuple[Frame, Boxes], px: float, x: int, y: int) -> Boxes:
    """Put a head with a face box of `px` (its shorter side) with its corner at x, y; returns the box."""
    picture, box = still
    scale = px / float((box[2:] - box[:2]).min())
    height, width = (round(side * scale) for side in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    canvas[y : y + height, x : x + width] = small
    return (box * scale + (x, y, x, y)).astype(np.float32)


def all_found_once(analyst: FaceAnalyzer, canvas: Frame, wanted: list[Boxes]) -> bool:
    found = np.array([face.box for face in analyst.find(canvas)], np.float32).reshape(-1, 4)
    overlap = iou_matrix(np.array(wanted), found)
    return len(found) == len(wanted) and bool((overlap.max(1) > 0.4).all() and (overlap.max(0) > 0.4).all())


def grey(width: int, height: int) -> Frame:
    return np.full((height, width, 3), GREY, np.uint8)


def scattered(canvas: Frame, stills: Stills, sizes: tuple[int, ...]) -> list[Boxes]:
    """Heads of these sizes, largest first, in rows."""
    boxes, x, y, row = [], 7, 5, 0
    for number, px in enumerate(sizes):
        side = int(px * 2.2)
        if x + side > canvas.shape[1]:
            x, y, row = 7, y + row, 0
        boxes.append(paste(canvas, stills[number % 2], px, x, y))
        x, row = x + side, max(row, side)
    return boxes


@pytest.mark.parametrize(
    ("width", "height"), [(3840, 2160), (2160, 3840), (9000, 900)], ids=["4k", "portrait", "panorama"]
)
def test_large_and_small_faces_are_found_together(
    analyst: FaceAnalyzer, stills: Stills, width: int, height: int
) -> None:
    canvas = grey(width, height)
    wanted = scattered(canvas, stills, (340, 200, 96, 64, 48, 130, 64, 96))
    assert all_found_once(analyst, canvas, wanted)


def test_an_8k_frame_gives_faces_from_48_to_1500_px(analyst: FaceAnalyzer, stills: Stills) -> None:
    canvas = grey(7680, 4320)
    wanted = scattered(canvas, stills, (1500, 600, 200, 96, 64, 48))
    assert all_found_once(analyst, canvas, wanted)


def seams(levels: list[list[View]]) -> list[float]:
    """Where tiles of the finest level end inside the frame, in frame px across."""
    return sorted({float(view.bounds[2]) for view in levels[-1] if np.isfinite(view.bounds[2])})


def test_a_face_on_the_border_of_two_tiles_is_found_once(analyst: FaceAnalyzer, stills: Stills) -> None:
    canvas = grey(6144, 900)
    (seam, *_) = seams(list(views(canvas, 40)))
    wanted = [
        paste(canvas, stills[0], px, int(seam) + shift, y)
        for px, shift, y in ((64, -60, 10), (64, -100, 200), (96, -90, 400), (130, -110, 600))
    ]
    assert all_found_once(analyst, canvas, wanted)


def test_of_many_faces_the_largest_are_kept(analyst: FaceAnalyzer, stills: Stills) -> None:
    canvas = grey(3840, 2160)
    wanted = scattered(canvas, stills, (64, 220, 96, 64, 130, 48))
    largest = FaceAnalyzer(analyst.pack, max_faces=3).find(canvas)
    sides = [float((face.box[2:] - face.box[:2]).min()) for face in largest]
    np.testing.assert_allclose(sides, (220, 130, 96), rtol=0.1)
    assert len(wanted) == 6


def test_a_small_face_lying_on_its_side_is_found(analyst: FaceAnalyzer, stills: Stills) -> None:
    canvas = grey(3840, 2160)
    paste(canvas, stills[0], 80, 2000, 700)
    turned = np.ascontiguousarray(cv2.rotate(canvas, cv2.ROTATE_90_CLOCKWISE))
    assert len(analyst.find(turned)) == 1


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (640, 480)])
def test_frames_up_to_1080p_are_looked_at_once(width: int, height: int) -> None:
    assert [len(level) for level in views(grey(width, height), 40)] == [1]


@pytest.mark.parametrize(
    ("width", "height", "least"), [(7680, 4320, 40), (2160, 3840, 40), (16000, 1000, 40), (1920, 1080, 12)]
)
def test_tiles_cover_the_frame_and_map_back_to_it(width: int, height: int, least: int) -> None:
    canvas = grey(width, height)
    for level in views(canvas, least):
        covered = np.zeros((height // 10, width // 10), bool)
        for view in level:
            (left, top), (right, bottom) = apply_transform(
                view.to_frame, np.array([(-0.5, -0.5), np.array(view.picture.shape[1::-1]) - 0.5])
            )
            assert max(view.picture.shape[:2]) <= 1024
            covered[
                int(top + 1) // 10 : int(bottom) // 10 + 1, int(left + 1) // 10 : int(right) // 10 + 1
            ] = True
        assert covered.all()


def test_a_least_face_of_0_promises_nothing_beyond_one_look() -> None:
    assert [len(level) for level in views(grey(7680, 4320), 0)] == [1]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(7680, 4320), (4320, 7680), (16000, 2000), (3840, 2160)])
def test_a_crowd_is_found_but_for_a_few_of_the_smallest(
    analyst: FaceAnalyzer, stills: Stills, width: int, height: int
) -> None:
    canvas = grey(width, height)
    sizes = tuple(int(px) for px in np.random.default_rng(4).choice([200, 130, 96, 64, 44], 100))
    wanted = scattered(canvas, stills, tuple(sorted(sizes, reverse=True)))
    found = np.array([face.box for face in analyst.find(canvas)], np.float32)
    overlap = iou_matrix(np.array(wanted), found)
    assert len(found) <= 100
    assert (overlap.max(1)[np.array(sorted(sizes, reverse=True)) >= 64] > 0.4).all()
    assert (overlap.max(1) > 0.4).mean() >= 0.95
