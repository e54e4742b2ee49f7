"""Finished swaps beside the frames they were made from."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.detector.manifest import leaked_people, read_manifest, split_of, write_manifest
from faceswap.detector.pairs import Origin, add_pairs, add_people, difference_mask, open_finished
from faceswap.errors import UserError
from faceswap.faces.geometry import crop_transform
from faceswap.faces.landmarks import hull_mask
from faceswap.faces.warp import cut_crop
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import read_face, write_face
from faceswap.io.images import write_image, write_mask
from faceswap.types import FaceType, Side
from faceswap.workspace import Workspace
from tests.detector.conftest import actor_frames, gather_toys, people

FRAMES_N = 3


@pytest.fixture
def finished(tmp_path: Path) -> Workspace:
    """A workspace whose merged frames are the frames with a green face."""
    place = Workspace(tmp_path / "work")
    for index, (frame, points) in enumerate(actor_frames("b", FRAMES_N), start=1):
        name, size_px = f"{index:05d}", 128
        mask = hull_mask(points, *frame.shape[:2])
        merged = np.where(mask[..., None] > 0, np.uint8([0, 200, 0]), frame).astype(np.uint8)
        write_image(place.frames(Side.DST) / f"{name}.png", frame)
        write_image(place.merged / f"{name}.png", merged)
        write_mask(place.merged_mask / f"{name}.png", mask)
        to_face = crop_transform(points, size_px, FaceType.WHOLE)
        meta = FaceMeta(f"{name}.png", to_face, size_px, points, FaceType.WHOLE, Side.DST, 0, 1.0)
        write_face(place.aligned(Side.DST) / f"{name}_0.jpg", cut_crop(frame, to_face, size_px), meta)
    return place


def test_a_pair_shows_the_same_place_of_both_frames(finished: Workspace) -> None:
    pairs = list(open_finished(finished).pairs())
    assert [pair.frame for pair in pairs] == ["00001", "00002", "00003"]
    for pair in pairs:
        # Resampling reaches a few pixels over the mask's border.
        outside, inside = cv2.dilate(pair.mask, np.ones((9, 9))) == 0, pair.mask == 1
        assert np.array_equal(pair.real[outside], pair.fake[outside])
        assert np.median(pair.fake[inside], axis=0).tolist() == pytest.approx([0, 200, 0], abs=2)


def test_without_masks_the_difference_tells_where_the_swap_is(finished: Workspace) -> None:
    given = [pair.mask for pair in open_finished(finished).pairs()]
    for path in finished.merged_mask.iterdir():
        path.unlink()
    for told, mask in zip(given, (pair.mask for pair in open_finished(finished).pairs()), strict=True):
        overlap = ((told > 0.5) & (mask > 0.5)).sum() / ((told > 0.5) | (mask > 0.5)).sum()
        assert overlap > 0.8


def test_frames_of_other_sizes_are_refused() -> None:
    with pytest.raises(UserError, match="another size"):
        difference_mask(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8))


def test_a_workspace_without_merged_frames_or_their_originals_is_refused(finished: Workspace) -> None:
    (finished.frames(Side.DST) / "00002.png").unlink()
    with pytest.raises(UserError, match="no untouched one"):
        open_finished(finished)
    with pytest.raises(UserError, match="merge first"):
        open_finished(Workspace(finished.root / "elsewhere"))


def test_added_swaps_carry_people_twin_and_mask(finished: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    there = gather_toys(folder)
    who, donor = people("train", 2)
    new = add_pairs(folder, open_finished(finished), Origin("ae-late", who, donor, "clip", "own"), every=2)
    write_manifest(folder, [*there, *new])
    rows = {item.file: item for item in read_manifest(folder)}
    fakes = [item for item in rows.values() if item.is_fake]
    assert len(fakes) == 2
    for item in fakes:
        assert (item.identity, item.donor, item.split, item.manipulation) == (who, donor, "train", "ae-late")
        assert rows[item.twin].label == "real"
        assert (folder / item.mask).is_file()
        # Nothing but the pixels tells them apart: same format, size and metadata.
        real, fake = read_face(folder / item.twin), read_face(folder / item.file)
        assert real[0].shape == fake[0].shape
        assert real[1].to_json() == fake[1].to_json()


def test_frames_named_by_people_go_to_their_people_s_splits(finished: Workspace, tmp_path: Path) -> None:
    made = open_finished(finished)
    renamed = {f"{index}_x": stem for index, stem in enumerate(made.merged)}
    by_people = replace(
        made,
        frames={name: made.frames[stem] for name, stem in renamed.items()},
        merged={name: made.merged[stem] for name, stem in renamed.items()},
        masks={name: made.masks[stem] for name, stem in renamed.items()},
        faces={name: made.faces[stem] for name, stem in renamed.items()},
    )
    new = add_people(tmp_path, by_people, "crowd", "ae-early")
    assert [item.identity for item in new if item.is_fake] == ["crowd/0", "crowd/1", "crowd/2"]
    assert all(item.split == split_of(item.identity) for item in new)
    assert leaked_people(new) == set()


def test_a_swap_between_people_of_different_splits_is_refused(finished: Workspace, tmp_path: Path) -> None:
    (who,), (donor,) = people("train", 1), people("test", 1)
    with pytest.raises(UserError, match="different splits"):
        add_pairs(tmp_path, open_finished(finished), Origin("ae-late", who, donor, "clip", "own"))
