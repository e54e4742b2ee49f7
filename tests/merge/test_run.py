"""A merge of a whole clip: what is written, what is passed on, what continues."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faces.geometry import crop_transform
from faceswap.faces.warp import cut_crop
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Faceset, write_face
from faceswap.io.images import read_image, read_mask, write_image
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import fingerprint, plan
from faceswap.merge.record import RECORD_NAME, Record
from faceswap.merge.run import Summary, lay_faces, merge
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Frame, Image, Points, Side

LOOK = MergeSettings(mask_mode="learned-prd", erode=0, color_transfer="none")


class Paint:
    """The simplest swapper: every face becomes one colour under a round mask."""

    resolution, face_type, identity = 64, FaceType.WHOLE, "paint at 1"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, crops: Sequence[Image]) -> list[Prediction]:
        self.batches.append(len(crops))
        y, x = np.indices((64, 64), np.float32)
        mask = np.clip(20 - np.hypot(x - 32, y - 34), 0, 1).astype(np.float32)
        return [Prediction(np.full((64, 64, 3), 0.25, np.float32), mask, mask) for _ in crops]


@pytest.fixture
def clip(tmp_path: Path, face_at) -> Path:
    """data_dst with eight frames: 3 without a face, 5 with two, the rest with one; 16-bit frame 6."""
    rng = np.random.default_rng(2)
    for number in range(1, 9):
        frame: Frame = rng.integers(0, 256, (120, 200, 3), np.uint8)
        if number == 6:
            frame = rng.integers(0, 65536, (120, 200, 3), np.uint16)
        name = f"{number:05d}.{'jpg' if number == 2 else 'png'}"
        write_image(tmp_path / "data_dst" / name, frame)
        centers = [] if number == 3 else [60, 145] if number == 5 else [60]
        for index, x in enumerate(centers):
            add_face(tmp_path / "data_dst", name, frame, face_at(x, 55, 30), index)
    return tmp_path / "data_dst"


def add_face(folder: Path, source: str, frame: Frame, landmarks: Points, index: int) -> None:
    frame_to_face = crop_transform(landmarks, 96, FaceType.WHOLE)
    meta = FaceMeta(source, frame_to_face, 96, landmarks, FaceType.WHOLE, Side.DST, index, 0.9)
    path = folder / "aligned" / f"{Path(source).stem}_{index}.png"
    write_face(path, cut_crop(frame, frame_to_face, 96), meta)


def run(clip: Path, look: MergeSettings = LOOK, again: bool = False) -> tuple[Summary, int]:
    """Merge and return the summary with the number of frames that were to be done."""
    paint = Paint()
    tasks = plan(clip, Faceset.open(clip / "aligned"), paint.identity, look)
    record = Record(clip / "merged", clip / "merged_mask", fingerprint(paint.identity, look))
    todo = record.begin(tasks, again)
    summary = merge(todo, record, paint, look, batch_size=3, workers=2)
    assert all(size <= 3 for size in paint.batches)
    return summary, len(todo)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_every_frame_gets_a_picture_and_a_mask_of_its_name_and_size(clip: Path) -> None:
    summary, _ = run(clip)
    wanted = {f"{number:05d}.png" for number in range(1, 9)}
    assert set(contents(clip / "merged")) == set(contents(clip / "merged_mask")) == wanted
    assert (summary.merged, summary.without_face, summary.faces) == (7, 1, 8)
    assert not list(clip.glob("merged*/.*"))
    for name in wanted:
        frame, mask = read_image(clip / "merged" / name), read_mask(clip / "merged_mask" / name)
        assert frame.shape == (120, 200, 3) and mask.shape == (120, 200)
        assert frame.dtype == (np.uint16 if name == "00006.png" else np.uint8)


def test_outside_the_masks_frames_are_bit_identical_and_inside_swapped(clip: Path) -> None:
    run(clip)
    for path in sorted(clip.glob("*.*")):
        before, after = read_image(path), read_image(clip / "merged" / f"{path.stem}.png")
        mask = read_mask(clip / "merged_mask" / f"{path.stem}.png")
        assert np.array_equal(before[mask == 0], after[mask == 0])
        if path.stem == "00003":
            assert not mask.any() and (clip / "merged" / "00003.png").read_bytes() == path.read_bytes()
        else:
            top = np.iinfo(after.dtype).max
            assert np.abs(after[mask == 1] / top - 0.25).max() < 0.01


def test_several_faces_of_a_frame_are_all_swapped(clip: Path) -> None:
    run(clip)
    mask = read_mask(clip / "merged_mask" / "00005.png")
    assert mask[55, 60] == 1 and mask[55, 145] == 1 and mask[:, 105].max() == 0


def test_overlapping_faces_lie_one_over_the_other(frame: Frame, face_at) -> None:
    here = face_at(240, 170, 100)
    near = here + np.float32([40, 0])
    predictions = Paint()([np.zeros((64, 64, 3), np.float32)] * 2)
    one, two = frame.copy(), frame.copy()
    first = lay_faces(one, [here], predictions[:1], FaceType.WHOLE, LOOK)
    both = lay_faces(two, [here, near], predictions, FaceType.WHOLE, LOOK)
    assert both.max() <= 1 and (both >= first - 1e-6).all()
    assert np.abs(two[both == 1] - 0.25 * 255).max() <= 1


def test_a_finished_merge_has_nothing_left_to_do(clip: Path) -> None:
    run(clip)
    before = contents(clip / "merged")
    _, todo = run(clip)
    assert todo == 0
    assert contents(clip / "merged") == before


@pytest.mark.parametrize("lost", ["merged", "merged_mask"])
def test_only_missing_files_are_made_again_and_come_out_equal(clip: Path, lost: str) -> None:
    run(clip)
    before = contents(clip / "merged") | {"mask": contents(clip / "merged_mask")["00004.png"]}
    (clip / lost / "00004.png").unlink()
    _, todo = run(clip)
    assert todo == 1
    assert contents(clip / "merged") | {"mask": contents(clip / "merged_mask")["00004.png"]} == before


def test_a_frame_written_but_not_yet_recorded_is_made_again_without_asking(clip: Path) -> None:
    run(clip)
    record = clip / "merged" / RECORD_NAME
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:-2]) + lines[-2][:17])
    assert run(clip)[1] == 2
    assert run(clip)[1] == 0


def test_frames_made_with_other_settings_are_replaced_only_when_asked(clip: Path) -> None:
    run(clip)
    before = contents(clip / "merged")
    other = LOOK.model_copy(update={"blur": 11})
    with pytest.raises(UserError, match="--again"):
        run(clip, other)
    assert contents(clip / "merged") == before
    _, todo = run(clip, other, again=True)
    assert todo == 7, "the frame without a face is the same under any settings"
    changed = {name for name, data in contents(clip / "merged").items() if data != before[name]}
    assert changed == set(before) - {"00003.png"}
    assert run(clip, other)[1] == 0


def test_pictures_of_another_program_are_never_replaced_unasked(clip: Path) -> None:
    write_image(clip / "merged" / "00001.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UserError, match="--again"):
        run(clip)
    assert set(contents(clip / "merged")) == {"00001.png"}


def test_a_face_that_was_removed_is_left_alone_next_time(clip: Path) -> None:
    run(clip)
    (clip / "aligned" / "00005_1.png").unlink()
    with pytest.raises(UserError, match="other faces"):
        run(clip)
    assert run(clip, again=True)[1] == 1
    assert read_mask(clip / "merged_mask" / "00005.png")[:, 105:].max() == 0


@pytest.mark.parametrize("name", ["00003.png", "00004.png"])
def test_a_damaged_frame_is_named_and_the_others_are_merged(clip: Path, name: str) -> None:
    path = clip / name
    path.write_bytes(path.read_bytes()[:500])
    summary, _ = run(clip)
    assert [damage.path.name for damage in summary.damaged] == [name]
    assert len(contents(clip / "merged")) == 7
    write_image(path, np.zeros((120, 200, 3), np.uint8))
    assert run(clip)[1] == 1


def test_faces_whose_frames_are_missing_are_said_and_the_rest_merged(clip: Path, capsys) -> None:
    (clip / "00001.png").unlink()
    assert run(clip)[0].merged == 6
    assert "00001" in capsys.readouterr().err


def test_a_faceset_of_other_frames_is_refused(clip: Path) -> None:
    for path in clip.glob("*.*"):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(UserError, match="belongs to a frame"):
        run(clip)


def test_two_frames_of_one_name_are_refused(clip: Path) -> None:
    write_image(clip / "00001.jpg", np.zeros((120, 200, 3), np.uint8))
    with pytest.raises(UserError, match=r"00001\.jpg, 00001\.png"):
        run(clip)


def test_no_frames_at_all_is_refused(clip: Path) -> None:
    for path in clip.glob("*.*"):
        path.unlink()
    with pytest.raises(UserError, match="no frames"):
        run(clip)


def test_grey_frames_are_merged_as_colour(clip: Path) -> None:
    grey = cv2.cvtColor(read_image(clip / "00001.png"), cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(clip / "00001.png"), grey)
    run(clip)
    assert read_image(clip / "merged" / "00001.png").shape == (120, 200, 3)
