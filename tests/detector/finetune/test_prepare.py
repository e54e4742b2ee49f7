"""What a folder's files become: pictures, frames and faces, each made once, the rest named."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.detector.finetune.folders import Entry, read_folder
from faceswap.detector.finetune.prepare import Cut, Cutter, prepare, read_square, to_square
from faceswap.detector.network.judge import fit
from faceswap.errors import UserError
from faceswap.io.images import write_image
from tests.detector.toy_folder import noise
from tests.detector.toy_set import actor_frames


def whole(work: Path, frames: int = 4) -> Cutter:
    return Cutter(work, None, frames, 32)


def test_a_corrupt_file_among_others_is_left_out_and_named(real_and_fake: Path, tmp_path: Path) -> None:
    (real_and_fake / "Fake" / "cut.png").write_bytes((real_and_fake / "Fake" / "000.png").read_bytes()[:-30])
    (real_and_fake / "Fake" / "no clip.mp4").write_bytes(b"nothing that moves")
    found = prepare(read_folder(real_and_fake), whole(tmp_path / "work"))
    assert {skipped.entry.file for skipped in found.skipped} == {"Fake/cut.png", "Fake/no clip.mp4"}
    assert all(skipped.damaged for skipped in found.skipped)
    assert len(found.pictures) == 6
    assert found.faceless(1) == 0


def test_whole_pictures_are_read_where_they_lie_in_any_depth_and_colour(
    real_and_fake: Path, tmp_path: Path
) -> None:
    import cv2

    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    cv2.imwrite(str(real_and_fake / "Real" / "grey.png"), grey)
    write_image(real_and_fake / "Real" / "deep.png", np.dstack([grey.astype(np.uint16) * 257] * 3))
    cv2.imwrite(str(real_and_fake / "Real" / "alpha.png"), np.dstack([grey, grey, grey, 255 - grey]))
    found = prepare(read_folder(real_and_fake), whole(tmp_path / "work"))
    squares = {p.path.name: read_square(p.path, 16) for p in found.pictures}
    for name in ("grey.png", "deep.png", "alpha.png"):
        assert (squares[name] == np.dstack([grey] * 3)).all()
    assert not (tmp_path / "work" / "crops").exists()


def test_a_clip_gives_evenly_spaced_frames_of_one_group(
    real_and_fake: Path, demo_clips: Path, tmp_path: Path
) -> None:
    shutil.copy(demo_clips / "actor_a.mp4", real_and_fake / "Fake")
    found = prepare(read_folder(real_and_fake), whole(tmp_path / "work", 4))
    frames = [picture for picture in found.pictures if picture.frame is not None]
    # The middles of four quarters of 200 frames.
    assert [picture.frame for picture in frames] == [25, 75, 125, 175]
    assert len({picture.entry.group for picture in frames}) == 1
    assert all(read_square(picture.path, 32).std() > 10 for picture in frames)
    assert len({picture.path.read_bytes() for picture in frames}) == 4


def test_faces_are_cut_out_and_pictures_without_one_counted_by_class(tmp_path: Path, capsys) -> None:
    (tmp_path / "Real").mkdir()
    for number, (frame, _) in enumerate(actor_frames("a", 3)):
        write_image(tmp_path / "Real" / f"{number}.jpg", frame)
    (tmp_path / "Fake").mkdir()
    write_image(tmp_path / "Fake" / "face.jpg", actor_frames("b", 1)[0][0])
    write_image(tmp_path / "Fake" / "wall.jpg", np.full((300, 300, 3), 90, np.uint8))
    analyst = FaceAnalyzer(load_pack("bundled", "cpu"), max_faces=1)
    found = prepare(read_folder(tmp_path), Cutter(tmp_path / "work", analyst, 4, 112, "bundled"))
    assert [read_square(p.path, 160).shape for p in found.pictures] == [(160, 160, 3)] * 4
    assert [(skipped.entry.file, skipped.reason) for skipped in found.skipped] == [
        ("Fake/wall.jpg", "no face was found")
    ]
    assert (found.faceless(0), found.faceless(1)) == (0, 0.5)
    assert "missed more often" in capsys.readouterr().err


def test_a_class_of_which_nothing_is_left_is_refused(real_and_fake: Path, tmp_path: Path) -> None:
    for path in (real_and_fake / "Fake").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="not one picture of Fake"):
        prepare(read_folder(real_and_fake), whole(tmp_path / "work"))


class _Idle(Cutter):
    def __call__(self, entry: Entry) -> Cut:
        raise AssertionError(f"{entry.file} is made again")


def test_what_is_prepared_is_not_prepared_again(
    real_and_fake: Path, demo_clips: Path, tmp_path: Path
) -> None:
    shutil.copy(demo_clips / "actor_a.mp4", real_and_fake / "Fake")
    entries, work = read_folder(real_and_fake), tmp_path / "work"
    first = prepare(entries, whole(work))
    again = prepare(entries, _Idle(work, None, 4, 32))
    assert first == again
    # Other choices make other pictures, and a crop that is gone is made again.
    with pytest.raises(AssertionError, match="again"):
        prepare(entries, _Idle(work, None, 5, 32))
    next(picture.path for picture in first.pictures if picture.frame == 25).unlink()
    with pytest.raises(AssertionError, match="actor_a"):
        prepare(entries, _Idle(work, None, 4, 32))
    assert prepare(entries, whole(work)) == first


def test_a_line_that_a_kill_cut_off_costs_one_file_only(real_and_fake: Path, tmp_path: Path) -> None:
    entries, work = read_folder(real_and_fake), tmp_path / "work"
    first = prepare(entries, whole(work))
    log = work / "prepared.jsonl"
    log.write_text(log.read_text()[:-7])
    with pytest.raises(AssertionError, match=entries[-1].file):
        prepare(entries, _Idle(work, None, 4, 32))
    prepare(entries, whole(work))
    assert prepare(entries, _Idle(work, None, 4, 32)) == first


@pytest.mark.parametrize("side_px", [16, 20, 33, 64])
def test_a_square_is_scaled_as_the_judge_scales_it(side_px: int) -> None:
    picture = noise(4, 32)
    assert (to_square(picture, side_px) == fit(picture, side_px)).all()


def test_a_picture_that_is_no_square_is_stretched_to_one() -> None:
    wide = np.repeat(noise(4, 16), 2, axis=1)
    assert (to_square(wide, 16) == noise(4, 16)).all()
    assert to_square(wide, 24).shape == (24, 24, 3)
