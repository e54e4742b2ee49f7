"""Finished swaps beside the frames they were made from."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.detector.data.manifest import read_manifest, write_manifest
from faceswap.detector.data.pairs import Origin, add_pairs, difference_mask, open_finished
from faceswap.errors import UserError
from faceswap.faceset.store import read_face
from faceswap.io.images import read_image, write_image
from faceswap.types import Side
from faceswap.workspace import Workspace
from tests.detector.toy_set import actor_frames, gather_toys, people
from tests.detector.toy_workspace import GREEN, add_face, toy_workspace

FRAMES_N = 3


@pytest.fixture
def finished(tmp_path: Path) -> Workspace:
    return toy_workspace(tmp_path / "work", FRAMES_N)


def test_a_pair_shows_the_same_place_of_both_frames(finished: Workspace) -> None:
    pairs = list(open_finished(finished).pairs())
    assert [pair.frame for pair in pairs] == ["00001", "00002", "00003"]
    for pair in pairs:
        # Resampling reaches a few pixels over the mask's border.
        outside, inside = cv2.dilate(pair.mask, np.ones((9, 9))) == 0, pair.mask == 1
        assert np.array_equal(pair.real[outside], pair.fake[outside])
        assert np.median(pair.fake[inside], axis=0).tolist() == pytest.approx(GREEN, abs=2)


def test_the_landmarks_of_a_crop_lie_on_its_mask(finished: Workspace) -> None:
    for pair in open_finished(finished).pairs():
        nose = np.rint(pair.crop_landmarks[30]).astype(int)
        assert pair.mask[nose[1], nose[0]] == 1


def test_without_masks_the_difference_tells_where_the_swap_is(finished: Workspace) -> None:
    given = [pair.mask for pair in open_finished(finished).pairs()]
    for path in finished.merged_mask.iterdir():
        path.unlink()
    for told, mask in zip(given, (pair.mask for pair in open_finished(finished).pairs()), strict=True):
        overlap = ((told > 0.5) & (mask > 0.5)).sum() / ((told > 0.5) | (mask > 0.5)).sum()
        assert overlap > 0.8


def test_what_a_codec_does_to_every_pixel_is_no_swap() -> None:
    rng = np.random.default_rng(3)
    real = rng.integers(60, 190, (80, 80, 3)).astype(np.uint8)
    fake = np.clip(real + rng.normal(0, 12, real.shape), 0, 255).astype(np.uint8)
    fake[20:50, 20:50] = 255 - fake[20:50, 20:50]
    mask = difference_mask(real, fake)
    assert mask[25:45, 25:45].mean() > 0.9
    assert mask[60:, 60:].mean() == 0


def test_frames_of_other_sizes_are_refused(finished: Workspace) -> None:
    with pytest.raises(UserError, match="another size"):
        difference_mask(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8))
    write_image(finished.merged / "00002.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError, match="differ in size"):
        list(open_finished(finished).pairs())


def test_a_workspace_without_merged_frames_or_their_originals_is_refused(finished: Workspace) -> None:
    (finished.frames(Side.DST) / "00002.png").unlink()
    with pytest.raises(UserError, match="no untouched one"):
        open_finished(finished)
    with pytest.raises(UserError, match="merge first"):
        open_finished(Workspace(finished.root / "elsewhere"))


def test_a_damaged_frame_is_passed_over_and_named(finished: Workspace) -> None:
    whole = (finished.merged / "00002.png").read_bytes()
    (finished.merged / "00002.png").write_bytes(whole[: len(whole) // 2])
    seen = list(open_finished(finished).seen())
    assert [(one.frame, len(one.pairs)) for one in seen] == [("00001", 1), ("00002", 0), ("00003", 1)]
    assert "00002.png" in seen[1].damage and "cut short" in seen[1].damage
    assert [pair.frame for pair in open_finished(finished).pairs()] == ["00001", "00003"]


def test_a_frame_without_a_face_is_seen_and_several_faces_each_make_a_pair(finished: Workspace) -> None:
    (finished.aligned(Side.DST) / "00001_0.jpg").unlink()
    frame, points = actor_frames("b", FRAMES_N)[1]
    add_face(finished, "00002", frame, points + np.float32([40, 0]), number=1)
    comparison = open_finished(finished)
    seen = list(comparison.seen())
    assert [len(one.pairs) for one in seen] == [0, 2, 1]
    assert [pair.face for pair in seen[1].pairs] == [0, 1]
    assert not np.array_equal(seen[1].pairs[0].real, seen[1].pairs[1].real)
    assert comparison.count() == (3, 3)


def test_sixteen_bit_frames_give_the_crops_of_eight_bit_ones(finished: Workspace) -> None:
    eight = [pair.fake for pair in open_finished(finished).pairs()]
    for path in finished.merged.glob("*.png"):
        write_image(path, read_image(path).astype(np.uint16) * 257)
    for before, pair in zip(eight, open_finished(finished).pairs(), strict=True):
        assert pair.fake.dtype == np.uint8
        assert np.array_equal(before, pair.fake)


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


def test_a_swap_between_people_of_different_splits_is_refused(finished: Workspace, tmp_path: Path) -> None:
    (who,), (donor,) = people("train", 1), people("test", 1)
    with pytest.raises(UserError, match="different splits"):
        add_pairs(tmp_path, open_finished(finished), Origin("ae-late", who, donor, "clip", "own"))
