"""A merge of a whole clip: what is written, what is passed on, what continues."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.io.images import read_image, read_mask, write_image
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.plan import ClipFaces, plan
from faceswap.merge.record import RECORD_NAME, Record, Replace
from faceswap.merge.render import Subject, render
from faceswap.merge.run import Merger, Summary, merge
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Frame
from tests.toy_merge import Paint, make_clip

LOOK = MergeSettings(mask_mode="learned-prd", erode=0, color_transfer="none")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path)


def run(clip: Path, look: MergeSettings | Keyframes = LOOK, replace: Replace = "none") -> tuple[Summary, int]:
    """Merge and return the summary with the number of frames that were to be done."""
    paint, looks = Paint(), look if isinstance(look, Keyframes) else Keyframes(look)
    tasks = plan(ClipFaces.of(clip, Faceset.open(clip / "aligned")), paint.identity, looks)
    record = Record(clip / "merged", clip / "merged_mask")
    todo = record.begin(tasks, replace)
    summary = merge(todo, Merger(record, paint, batch_size=3, workers=2))
    assert all(size == 3 for size in paint.batches), "a frame comes out the same alone and among others"
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


def test_frames_of_another_size_are_named(clip: Path) -> None:
    write_image(clip / "00004.png", np.zeros((100, 180, 3), np.uint8))
    summary, _ = run(clip)
    assert summary.sizes == {(120, 200): "00001", (100, 180): "00004"}


def test_several_faces_of_a_frame_are_all_swapped(clip: Path) -> None:
    run(clip)
    mask = read_mask(clip / "merged_mask" / "00005.png")
    assert mask[55, 60] == 1 and mask[55, 145] == 1 and mask[:, 105].max() == 0


def test_overlapping_faces_lie_one_over_the_other(frame: Frame, face_at) -> None:
    here = face_at(240, 170, 100)
    near = here + np.float32([40, 0])
    predictions = Paint()([np.zeros((64, 64, 3), np.float32)] * 2)
    subjects = [Subject(here), Subject(near)]
    _, first = render(frame, subjects[:1], predictions[:1], FaceType.WHOLE, LOOK, 64)
    two, both = render(frame, subjects, predictions, FaceType.WHOLE, LOOK, 64)
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
    _, todo = run(clip, other, replace="all")
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
    with pytest.raises(UserError, match="another way"):
        run(clip)
    assert run(clip, replace="all")[1] == 1
    assert read_mask(clip / "merged_mask" / "00005.png")[:, 105:].max() == 0


def test_a_session_replaces_what_it_has_merged_and_nothing_else(clip: Path) -> None:
    run(clip)
    before = contents(clip / "merged")
    changed = Keyframes(LOOK).set({"blur": 11}, 3, 4)
    assert run(clip, changed, "own")[1] == 2
    after = contents(clip / "merged")
    assert {name for name in after if after[name] != before[name]} == {"00004.png", "00005.png"}
    (clip / "merged" / RECORD_NAME).unlink()
    with pytest.raises(UserError, match="something else"):
        run(clip, changed, "own")


def test_a_face_that_is_left_keeps_its_pixels_and_its_mask_and_a_skipped_one_has_neither(clip: Path) -> None:
    run(clip, Keyframes(LOOK).act(0, "leave", 4, 4).act(1, "skip", 4, 4))
    before, after = read_image(clip / "00005.png"), read_image(clip / "merged" / "00005.png")
    mask = read_mask(clip / "merged_mask" / "00005.png")
    assert np.array_equal(before, after)
    assert mask[55, 60] == 1 and mask[:, 105:].max() == 0


def test_whole_frame_filters_reach_frames_without_a_face(clip: Path) -> None:
    run(clip, LOOK.model_copy(update={"bicubic_degrade_power": 50}))
    assert not np.array_equal(read_image(clip / "00003.png"), read_image(clip / "merged" / "00003.png"))


def test_the_models_own_pictures_have_its_size_in_every_frame_or_in_none(clip: Path) -> None:
    run(clip, LOOK.model_copy(update={"mode": "raw-predict"}))
    for path in (clip / "merged").glob("*.png"):
        assert read_image(path).shape == (64, 64, 3)
        assert read_mask(clip / "merged_mask" / path.name).shape == (64, 64)
    with pytest.raises(UserError, match="frames of one size"):
        run(clip, Keyframes(LOOK).set({"mode": "raw-predict"}, 2, 3), "own")


def test_a_moving_face_is_blurred_along_its_way_and_a_resting_one_is_not(clip: Path) -> None:
    look = LOOK.model_copy(update={"motion_blur_power": 100})
    tasks = plan(ClipFaces.of(clip, Faceset.open(clip / "aligned")), "m", Keyframes(look))
    assert tasks[6].faces[0].motion == pytest.approx((0, 0))
    assert tasks[1].faces[0].motion is None, "frame 3 has no face"
    still = plan(ClipFaces.of(clip, Faceset.open(clip / "aligned")), "m", Keyframes(LOOK))
    assert {face.motion for task in still for face in task.faces} == {None}


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
