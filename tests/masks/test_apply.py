"""Every face gets the mask the network sees, in its own crop, once; what cannot be read is named."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from faceswap.faceset.store import Faceset, write_face
from faceswap.faceset.stored_masks import STORED_PX, mask_path, read_mask
from faceswap.io.images import write_image
from faceswap.masks.apply import apply
from faceswap.types import FaceType, Image, Mask
from tests.toy_masks import Bright, face_disc

MakeSet = Callable[..., Faceset]


@pytest.mark.parametrize("shown", list(FaceType))
@pytest.mark.parametrize("stored", [FaceType.FULL, FaceType.WHOLE, FaceType.HEAD])
def test_whatever_the_networks_face_type_the_mask_lies_where_the_face_does(
    make_set: MakeSet, stored: FaceType, shown: FaceType
) -> None:
    faceset = make_set(2, stored)
    apply(faceset, Bright(shown, 128), 4, 2, "dst")
    for face in faceset.faces:
        truth = face_disc(face.meta.landmarks, stored, STORED_PX)
        found = read_mask(face)
        assert found is not None and np.abs(found - truth).mean() < 0.01


def test_what_the_network_did_not_see_of_the_crop_is_no_face(make_set: MakeSet) -> None:
    faceset = make_set(1, FaceType.HEAD)
    face = faceset.faces[0]
    crop = np.full((96, 96, 3), 255, np.uint8)
    write_face(face.path, crop, face.meta)
    apply(faceset, Bright(FaceType.HALF), 4, 2, "dst")
    found = read_mask(face)
    assert found is not None and found.max() == 1 and found[:20].max() == 0 and 0.05 < found.mean() < 0.3


def test_masks_stay_soft(make_set: MakeSet) -> None:
    """DFL stores 0 and 1 (deepfacelab.md §6.4)."""
    faceset = make_set(1)
    face = faceset.faces[0]
    write_face(face.path, np.full((96, 96, 3), 102, np.uint8), face.meta)
    apply(faceset, Bright(), 4, 2, "dst")
    found = read_mask(face)
    assert found is not None and np.abs(found[8:-8, 8:-8] - 0.4).max() < 0.01


def test_a_second_run_does_nothing_and_again_does_all(make_set: MakeSet) -> None:
    faceset, network = make_set(5), Bright()
    assert apply(faceset, network, 2, 2, "dst")[:2] == (5, 0)
    times = [mask_path(face.path).stat().st_mtime_ns for face in faceset.faces]
    assert apply(faceset, network, 2, 2, "dst")[:2] == (0, 5)
    assert [mask_path(face.path).stat().st_mtime_ns for face in faceset.faces] == times
    assert apply(faceset, network, 2, 2, "dst", again=True)[:2] == (5, 0)
    assert network.batches == [2, 2, 1, 2, 2, 1]


def test_another_model_or_a_changed_crop_is_masked_anew(make_set: MakeSet) -> None:
    faceset = make_set(3)
    apply(faceset, Bright(), 2, 2, "dst")
    face = faceset.faces[1]
    write_face(face.path, np.zeros((96, 96, 3), np.uint8), face.meta)
    assert apply(faceset, Bright(), 2, 2, "dst")[:2] == (1, 2)
    assert not read_mask(face).any()
    assert apply(faceset, Bright(FaceType.FULL), 2, 2, "dst")[:2] == (3, 0)


def test_a_damaged_mask_is_made_anew(make_set: MakeSet) -> None:
    faceset = make_set(2)
    apply(faceset, Bright(), 2, 2, "dst")
    damaged = mask_path(faceset.faces[0].path)
    whole = damaged.read_bytes()
    for length in (0, 20, len(whole) // 2, len(whole) - 3):
        damaged.write_bytes(whole[:length])
        assert apply(faceset, Bright(), 2, 2, "dst").made == 1
        assert damaged.read_bytes() == whole


def test_faces_that_cannot_be_read_are_named_and_the_others_masked(make_set: MakeSet) -> None:
    faceset = make_set(4)
    first, second = faceset.faces[0].path, faceset.faces[2].path
    first.write_bytes(first.read_bytes()[:-50])
    second.unlink()
    done = apply(faceset, Bright(), 2, 2, "dst")
    assert done.made == 2 and set(done.failed) == {first.name, second.name}
    assert "cut short" in done.failed[first.name]


def test_a_crop_resized_by_another_program_is_masked_once_and_in_place(make_set: MakeSet) -> None:
    faceset = make_set(1)
    face = faceset.faces[0]
    larger = np.rint(face_disc(face.meta.landmarks, FaceType.WHOLE, 192) * 255).astype(np.uint8)
    write_image(face.path, np.dstack([larger] * 3))
    reopened = Faceset.open(faceset.folder)
    for made in (1, 0):
        assert apply(reopened, Bright(), 2, 2, "dst").made == made
    found = read_mask(reopened.faces[0])
    truth = face_disc(face.meta.landmarks, FaceType.WHOLE, STORED_PX)
    assert found is not None and np.abs(found - truth).mean() < 0.01


def test_where_masks_cannot_be_written_the_system_is_quoted(make_set: MakeSet) -> None:
    faceset = make_set(3)
    (faceset.folder / "masks").write_text("a file is in the way")
    with pytest.raises(OSError, match="masks"):
        apply(faceset, Bright(), 2, 2, "dst")


def test_stopped_at_any_batch_masks_are_whole_and_the_next_run_goes_on(make_set: MakeSet) -> None:
    class Stopping(Bright):
        def __call__(self, crops: Sequence[Image]) -> list[Mask]:
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return super().__call__(crops)

    faceset = make_set(8)
    with pytest.raises(KeyboardInterrupt):
        apply(faceset, Stopping(), 2, 2, "dst")
    there = sorted((faceset.folder / "masks").iterdir())
    assert there and all(path.suffix == ".png" and not path.name.startswith(".") for path in there)
    done = apply(faceset, Bright(), 2, 2, "dst")
    assert done.kept == len(there) and done.made == 8 - len(there)
