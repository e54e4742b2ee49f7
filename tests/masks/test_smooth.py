"""Smoothing the masks of a set: less flicker, the same however often, and back again."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, rewrite_meta
from faceswap.faceset.stored_masks import STORED_PX, mask_path, read_mask, unsmoothed_path, write_mask
from faceswap.io.images import write_mask as write_grey
from faceswap.masks.smooth import face_tracks, is_smoothed, smooth, unsmooth
from tests.toy_masks import face_disc

MakeSet = Callable[..., Faceset]


def noisy_set(make_set: MakeSet, count: int = 12) -> Faceset:
    """Faces whose masks tremble though their pictures do not."""
    faceset, rng = make_set(count), np.random.default_rng(3)
    for face in faceset.faces:
        radius = 0.2 + rng.normal(0, 0.01)
        write_mask(face, face_disc(face.meta.landmarks, face.meta.face_type, STORED_PX, radius), "m")
    return faceset


def stored(faceset: Faceset) -> list[bytes]:
    return [mask_path(face.path).read_bytes() for face in faceset.faces]


def test_flicker_is_more_than_halved_and_told(make_set: MakeSet) -> None:
    told = smooth(noisy_set(make_set), 2, "dst")
    assert told.pairs == 11 and 0 < told.after < told.before / 2
    assert told.to_json()["before"] == round(told.before, 6)


def test_smoothing_twice_gives_what_once_gave_and_unsmoothing_what_was(make_set: MakeSet) -> None:
    faceset = noisy_set(make_set)
    before = stored(faceset)
    first = smooth(faceset, 2, "dst")
    once = stored(faceset)
    assert all(map(is_smoothed, faceset.faces)) and once != before
    assert smooth(faceset, 1, "dst") == first and stored(faceset) == once
    assert unsmooth(faceset) == 12
    assert stored(faceset) == before and not any(map(is_smoothed, faceset.faces))
    assert not any(unsmoothed_path(face.path).exists() for face in faceset.faces)


def test_a_new_prediction_among_smoothed_masks_is_smoothed_from_the_models_own(make_set: MakeSet) -> None:
    faceset = noisy_set(make_set)
    smooth(faceset, 2, "dst")
    once = stored(faceset)
    face = faceset.faces[5]
    raw = unsmoothed_path(face.path).read_bytes()
    unsmooth(replace(faceset, faces=(face,)))
    assert mask_path(face.path).read_bytes() == raw
    smooth(faceset, 2, "dst")
    assert stored(faceset) == once


def test_drawn_and_painted_masks_stay_as_they_are(make_set: MakeSet) -> None:
    faceset = noisy_set(make_set)
    drawn, painted = faceset.faces[4], faceset.faces[6]
    square = np.array([(10, 10), (80, 10), (80, 80), (10, 80)], np.float32)
    rewrite_meta(drawn.path, replace(drawn.meta, polygons=polygons_to_json([Polygon("include", square)])))
    write_grey(mask_path(painted.path), np.ones((STORED_PX, STORED_PX), np.float32))
    before = stored(faceset)
    smooth(Faceset.open(faceset.folder), 2, "dst")
    after = stored(faceset)
    assert [number for number in range(12) if after[number] == before[number]] == [4, 6]


def test_faces_without_a_mask_or_with_damage_are_passed_over(make_set: MakeSet) -> None:
    faceset = noisy_set(make_set)
    mask_path(faceset.faces[2].path).unlink()
    crop = faceset.faces[5].path
    crop.write_bytes(crop.read_bytes()[:-30])
    mask_path(faceset.faces[7].path).write_bytes(b"damage")
    told = smooth(faceset, 2, "dst")
    assert told.pairs == 8
    assert read_mask(faceset.faces[2]) is None


def test_tracks_end_where_frames_are_missing(make_set: MakeSet) -> None:
    faceset = make_set(8)
    faceset.faces[3].path.unlink()
    tracks = face_tracks(Faceset.open(faceset.folder))
    assert [[face.meta.source for face in track] for track in tracks] == [
        [f"{number:05d}.png" for number in (1, 2, 3)], [f"{number:05d}.png" for number in (5, 6, 7, 8)]
    ]  # fmt: skip
