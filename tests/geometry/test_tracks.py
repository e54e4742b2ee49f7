"""Faces followed through frames: kept, parted at cuts, jumps and gaps, told apart where they cross."""

import numpy as np
import pytest

from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.geometry.tracks import link_faces, with_gaps
from faceswap.types import Points


def face(x: float, y: float = 200.0, scale: float = 1.0) -> Points:
    """A mean head, about 146 px wide at scale 1, whose middle is at (x, y)."""
    return (scale * HEAD_MODEL[:, :2] + (x, y)).astype(np.float32)


def test_one_moving_face_is_one_track() -> None:
    assert link_faces([[face(100 + 8 * t)] for t in range(20)]) == [[(t, 0) for t in range(20)]]


def test_faces_side_by_side_are_tracks_of_their_own_whatever_their_order() -> None:
    frames = [[face(200 + t), face(500 - t)] if t % 2 else [face(500 - t), face(200 + t)] for t in range(6)]
    assert sorted(link_faces(frames)) == [[(t, t % 2) for t in range(6)], [(t, 1 - t % 2) for t in range(6)]]


@pytest.mark.parametrize("after", [face(320), face(200, 330), face(200, scale=2.0)], ids=["x", "y", "size"])
def test_a_jump_parts_a_track(after: Points) -> None:
    frames = [[face(200)]] * 4 + [[after]] * 4
    assert link_faces(frames) == [[(t, 0) for t in range(4)], [(t, 0) for t in range(4, 8)]]


def test_a_frame_without_a_face_parts_a_track() -> None:
    assert link_faces([[face(200)], [], [face(200)]]) == [[(0, 0)], [(2, 0)]]


def test_a_fast_face_is_followed_once_its_way_is_known() -> None:
    x = np.cumsum([0, 25, 35, 45, 55, 65])
    assert len(link_faces([[face(100 + place)] for place in x])) == 1


def test_faces_that_come_and_go_leave_the_others_alone() -> None:
    frames = [[face(200)], [face(600), face(200)], [face(600), face(200)], [face(200)]]
    assert link_faces(frames) == [[(0, 0), (1, 1), (2, 1), (3, 0)], [(1, 0), (2, 0)]]


@pytest.mark.parametrize("apart_px", [0.0, 40.0])
def test_two_faces_that_cross_keep_their_identity(apart_px: float) -> None:
    steps = range(31)
    right = [face(200 + 10 * t, 200) for t in steps]
    left = [face(503 - 10 * t, 200 + apart_px) for t in steps]
    # The larger face comes first, as in a faceset; halfway the two change places in the list.
    frames = [[a, b] if t % 3 else [b, a] for t, (a, b) in enumerate(zip(right, left, strict=True))]
    tracks = sorted(link_faces(frames), key=lambda track: track[0][1])
    assert tracks == [[(t, int(t % 3 != 0)) for t in steps], [(t, int(t % 3 == 0)) for t in steps]]


def test_every_face_is_in_exactly_one_track() -> None:
    random = np.random.default_rng(3)
    frames = [[face(*random.uniform(0, 900, 2)) for _ in range(random.integers(0, 5))] for _ in range(40)]
    spots = [spot for track in link_faces(frames) for spot in track]
    assert sorted(spots) == [(t, k) for t, faces in enumerate(frames) for k in range(len(faces))]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["00001", "00002", "00004"], ["00001", "00002", None, "00004"]),
        (["a_9", "a_10", "b_11"], ["a_9", "a_10", None, "b_11"]),
        (["one", "two", "3"], ["one", "two", None, "3"]),
        ([], []),
    ],
)
def test_a_skipped_number_or_another_clip_is_a_gap(names: list[str], expected: list[str | None]) -> None:
    assert list(with_gaps(names)) == expected
