"""What is removed can be put back, and nothing is overwritten by it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, rewrite_meta
from faceswap.faceset.stored_masks import mask_path
from faceswap.masks.apply import apply
from faceswap.masks.removal import remove_polygons, remove_stored, restore
from faceswap.masks.smooth import is_smoothed, smooth
from tests.toy_masks import Bright

MakeSet = Callable[..., Faceset]
SQUARE = polygons_to_json([Polygon("include", np.array([(9, 9), (60, 9), (60, 60)], np.float32))])


def masks(faceset: Faceset) -> dict[str, bytes]:
    folder = faceset.folder / "masks"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def draw(faceset: Faceset, *numbers: int) -> Faceset:
    for number in numbers:
        face = faceset.faces[number]
        rewrite_meta(face.path, replace(face.meta, polygons=SQUARE))
    return Faceset.open(faceset.folder)


def drawn(faceset: Faceset) -> list[int]:
    return [number for number, face in enumerate(Faceset.open(faceset.folder).faces) if face.meta.polygons]


def test_stored_masks_go_to_the_trash_and_come_back(make_set: MakeSet) -> None:
    faceset = make_set(4)
    apply(faceset, Bright(), 2, 2, "dst")
    smooth(faceset, 2, "dst")
    before = masks(faceset)
    count, trash = remove_stored(faceset)
    assert count == 4 and trash is not None and trash.name == "001" and not masks(faceset)
    assert restore(faceset) == (4, 0)
    assert masks(faceset) == before and all(map(is_smoothed, faceset.faces)) and not trash.exists()


def test_masks_made_since_are_not_overwritten_and_the_trash_keeps_the_others(make_set: MakeSet) -> None:
    faceset = make_set(3)
    apply(faceset, Bright(), 2, 2, "dst")
    _, trash = remove_stored(faceset)
    apply(replace(faceset, faces=faceset.faces[:1]), Bright(input_px=32), 2, 2, "dst")
    newer = mask_path(faceset.faces[0].path).read_bytes()
    assert restore(faceset) == (2, 0)
    assert mask_path(faceset.faces[0].path).read_bytes() == newer
    assert trash is not None and len(list(trash.rglob("*.png"))) == 1


def test_drawn_masks_are_taken_out_and_put_back_exactly(make_set: MakeSet) -> None:
    faceset = draw(make_set(4), 1, 3)
    pixels = faceset.faces[1].path.read_bytes()
    count, trash = remove_polygons(faceset)
    assert count == 2 and trash is not None and drawn(faceset) == []
    assert restore(Faceset.open(faceset.folder)) == (0, 2)
    assert drawn(faceset) == [1, 3] and faceset.faces[1].path.read_bytes() == pixels


def test_a_mask_drawn_since_stays_and_the_older_one_stays_in_the_trash(make_set: MakeSet) -> None:
    faceset = draw(make_set(2), 0, 1)
    _, trash = remove_polygons(faceset)
    again = draw(Faceset.open(faceset.folder), 0)
    assert restore(again) == (0, 1)
    assert drawn(faceset) == [0, 1] and trash is not None and (trash / "polygons.json").is_file()


def test_nothing_to_remove_or_restore_is_said(make_set: MakeSet) -> None:
    faceset = make_set(1)
    assert remove_stored(faceset) == (0, None) and remove_polygons(faceset) == (0, None)
    with pytest.raises(UserError, match=r"no masks of .* were removed"):
        restore(faceset)
