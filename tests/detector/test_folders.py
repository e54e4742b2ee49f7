"""What is read from a user's folder, what belongs together, and that nobody is on two sides."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.detector.division import divide
from faceswap.detector.folder_recipe import RECIPES
from faceswap.detector.folders import Entry, connected, read_folder, require_both, split
from faceswap.detector.judge import fit
from faceswap.detector.prepare import Cut, Cutter, Picture, prepare, read_square, to_square
from faceswap.errors import UserError
from faceswap.faces.analysis import Analyst
from faceswap.faces.packs import load_pack
from faceswap.io.images import write_image
from tests.detector.conftest import actor_frames

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def noise(seed: int, side_px: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)


def fill(folder: Path, count: int, seed: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        write_image(path, noise(1000 * seed + number))
    return paths


@pytest.fixture
def both(tmp_path: Path) -> Path:
    fill(tmp_path / "Real", 3, 1)
    fill(tmp_path / "Fake", 3, 2)
    return tmp_path


def groups_csv(
    data: Path, *lines: str, columns: str = "file,identity,video", encoding: str = "utf-8"
) -> None:
    (data / "groups.csv").write_text("\n".join([columns, *lines]), encoding=encoding)


def test_folders_of_any_case_are_read_with_their_sub_folders_and_nothing_hidden(tmp_path: Path) -> None:
    fill(tmp_path / "REAL" / "deep" / "deeper", 2, 1)
    fill(tmp_path / "fake", 1, 2)
    (tmp_path / "fake" / "clip.MP4").write_bytes(b"a clip")
    (tmp_path / "fake" / "notes.txt").write_text("no picture")
    fill(tmp_path / "fake" / ".thumbnails", 1, 3)
    entries = read_folder(tmp_path)
    assert [(entry.file, entry.label) for entry in entries] == [
        ("REAL/deep/deeper/000.png", 0),
        ("REAL/deep/deeper/001.png", 0),
        ("fake/000.png", 1),
        ("fake/clip.MP4", 1),
    ]
    assert [entry.is_clip for entry in entries] == [False, False, False, True]


def test_one_class_only_an_empty_class_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        read_folder(tmp_path / "nowhere")
    fill(tmp_path / "Real", 2)
    with pytest.raises(UserError, match="no folder Fake"):
        read_folder(tmp_path)
    (tmp_path / "Fake").mkdir()
    with pytest.raises(UserError, match="no picture and no clip"):
        read_folder(tmp_path)
    fill(tmp_path / "FAKE", 1, 5)
    if len(list(tmp_path.iterdir())) == 3:
        with pytest.raises(UserError, match="two folders Fake"):
            read_folder(tmp_path)


def test_a_file_that_is_real_and_fake_is_refused_with_both_names(both: Path) -> None:
    shutil.copy(both / "Real" / "001.png", both / "Fake" / "other name.png")
    with pytest.raises(UserError, match=r"Real/001\.png = Fake/other name\.png"):
        read_folder(both)


def test_copies_people_and_clips_link_files_also_through_others(both: Path) -> None:
    shutil.copy(both / "Real" / "002.png", both / "Real" / "copy.png")
    # 000 and 001 share a person, 001 and Fake/000 a clip, 002 and its copy their bytes.
    groups_csv(both, "Real/000.png,ann,", "Real/001.png,ann,v1", "Fake\\000.png,,v1", "Fake/001.png,ben,")
    group = {entry.file: entry.group for entry in read_folder(both)}
    assert group["Real/000.png"] == group["Real/001.png"] == group["Fake/000.png"]
    assert group["Real/002.png"] == group["Real/copy.png"]
    assert len(set(group.values())) == 4


def test_a_clip_named_like_a_person_is_not_that_person(both: Path) -> None:
    groups_csv(both, "Real/000.png,x,", "Real/001.png,,x")
    group = {entry.file: entry.group for entry in read_folder(both)}
    assert group["Real/000.png"] != group["Real/001.png"]


def test_excels_byte_order_mark_is_no_part_of_a_column(both: Path) -> None:
    groups_csv(both, "Real/000.png,ann,", "Fake/000.png,ann,", encoding="utf-8-sig")
    group = {entry.file: entry.group for entry in read_folder(both)}
    assert group["Real/000.png"] == group["Fake/000.png"]


@pytest.mark.parametrize(
    ("columns", "lines", "told"),
    [
        ("file,identity,age", ["Real/000.png,ann,7"], "other columns"),
        ("file", ["Real/000.png"], "other columns"),
        ("file,identity", ["Real/999.png,ann"], r"line 2 .* not there"),
        ("file,identity", ["../Real/000.png,ann"], "not there"),
        ("file,identity", ["Real/000.png,ann", "Real/000.png,ben"], "two things about Real/000.png"),
        ("file,identity", ["Real/000.png,ann,extra"], "more or fewer cells"),
        ("file,identity", ["Real/000.png"], "more or fewer cells"),
    ],
)
def test_a_groups_table_that_does_not_fit_is_refused(
    both: Path, columns: str, lines: list[str], told: str
) -> None:
    groups_csv(both, *lines, columns=columns)
    with pytest.raises(UserError, match=told):
        read_folder(both)


def test_a_groups_table_of_another_encoding_is_refused(both: Path) -> None:
    groups_csv(both, "Real/000.png,Jürgen,", encoding="latin-1")
    with pytest.raises(UserError, match="UTF-8"):
        read_folder(both)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=20))
def test_items_are_of_one_component_exactly_when_a_chain_of_keys_links_them(keys: list[list[int]]) -> None:
    numbers = connected(keys)
    reach = [{index} for index in range(len(keys))]
    for _ in keys:
        for index, near in enumerate(reach):
            touched = {key for item in near for key in keys[item]}
            reach[index] = near | {item for item, has in enumerate(keys) if touched & set(has)}
    for index, near in enumerate(reach):
        assert {item for item, number in enumerate(numbers) if number == numbers[index]} == near


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_single_pictures_are_stratified_to_within_one(reals: int, fakes: int, seed: int) -> None:
    labels = [0] * reals + [1] * fakes
    sides = split(labels, range(len(labels)), SHARES, seed)
    count = Counter(zip(labels, sides, strict=True))
    for label, total in enumerate((reals, fakes)):
        for side, share in SHARES.items():
            assert abs(count[label, side] - share * total) <= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 15)), min_size=1, max_size=80), st.integers(0, 9))
def test_no_group_is_on_two_sides(items: list[tuple[int, int]], seed: int) -> None:
    labels, groups = zip(*items, strict=True)
    sides = split(labels, groups, SHARES, seed)
    for group in set(groups):
        assert len({side for side, other in zip(sides, groups, strict=True) if other == group}) == 1


def test_many_small_groups_keep_the_shares_of_both_classes() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(120), rng.integers(1, 9, 120))
    labels = (rng.random(len(groups)) < 0.2).astype(int)
    sides = np.array(split(labels, groups.tolist(), SHARES, 0))
    for label in (0, 1):
        for side, share in SHARES.items():
            assert (sides[labels == label] == side).mean() == pytest.approx(share, abs=0.02)


def test_a_seed_fixes_the_split_and_another_one_changes_it() -> None:
    labels = [0, 1] * 40
    first, again, other = (split(labels, range(80), SHARES, seed) for seed in (5, 5, 6))
    assert first == again != other


def test_a_side_without_a_class_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match="no fake picture left for") as told:
        labels, groups = [0] * 30 + [1] * 30, [*range(30), *([99] * 30)]
        require_both(labels, groups, split(labels, groups, SHARES, 0))
    assert "30 fake pictures come from 1 people" in str(told.value)


@settings(max_examples=10, deadline=None)
@given(st.integers(1100, 3000))
def test_the_tutorial_draws_its_subset_and_leaves_the_rest_alone(count: int) -> None:
    pictures = [Picture(Path(), Entry(Path(), str(n), n % 2, str(n), n)) for n in range(count)]
    counts = divide(pictures, RECIPES["tutorial"], 1).counts
    sums = {side: sum(by_class.values()) for side, by_class in counts.items()}
    if count >= 1400:
        assert {side: round(sums[side], -1) for side in SHARES} == {
            "train": 1000,
            "validation": 200,
            "test": 200,
        }
    else:
        assert "unused" not in sums
        assert sums["train"] == pytest.approx(count * 5 / 7, abs=2)
    assert sum(sums.values()) == count


def test_copies_of_a_picture_stay_on_one_side(both: Path) -> None:
    fill(both / "Real", 12, 1)
    for path in fill(both / "Fake", 10, 2):
        for copy in range(3):
            shutil.copy(path, both / "Fake" / f"{path.stem}_{copy}.png")
    pictures = [Picture(entry.path, entry) for entry in read_folder(both)]
    division = divide(pictures, RECIPES["virtus"], 83)
    hashes = [{p.entry.sha256 for p in division.of(side)} for side in SHARES]
    assert all(hashes)
    assert not (hashes[0] & hashes[1] or hashes[0] & hashes[2] or hashes[1] & hashes[2])


def whole(work: Path, frames: int = 4) -> Cutter:
    return Cutter(work, None, frames, 32)


def test_a_corrupt_file_among_others_is_left_out_and_named(both: Path, tmp_path: Path) -> None:
    (both / "Fake" / "cut.png").write_bytes((both / "Fake" / "000.png").read_bytes()[:-30])
    (both / "Fake" / "no clip.mp4").write_bytes(b"nothing that moves")
    found = prepare(read_folder(both), whole(tmp_path / "work"))
    assert {skipped.entry.file for skipped in found.skipped} == {"Fake/cut.png", "Fake/no clip.mp4"}
    assert all(skipped.damaged for skipped in found.skipped)
    assert len(found.pictures) == 6
    assert found.faceless(1) == 0


def test_whole_pictures_are_read_where_they_lie_in_any_depth_and_colour(both: Path, tmp_path: Path) -> None:
    import cv2

    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    cv2.imwrite(str(both / "Real" / "grey.png"), grey)
    write_image(both / "Real" / "deep.png", np.dstack([grey.astype(np.uint16) * 257] * 3))
    cv2.imwrite(str(both / "Real" / "alpha.png"), np.dstack([grey, grey, grey, 255 - grey]))
    found = prepare(read_folder(both), whole(tmp_path / "work"))
    squares = {p.path.name: read_square(p.path, 16) for p in found.pictures}
    for name in ("grey.png", "deep.png", "alpha.png"):
        assert (squares[name] == np.dstack([grey] * 3)).all()
    assert not (tmp_path / "work" / "crops").exists()


def test_a_clip_gives_evenly_spaced_frames_of_one_group(both: Path, demo_clips: Path, tmp_path: Path) -> None:
    shutil.copy(demo_clips / "actor_a.mp4", both / "Fake")
    found = prepare(read_folder(both), whole(tmp_path / "work", 4))
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
    analyst = Analyst(load_pack("bundled", "cpu"), max_faces=1)
    found = prepare(read_folder(tmp_path), Cutter(tmp_path / "work", analyst, 4, 112, "bundled"))
    assert [read_square(p.path, 160).shape for p in found.pictures] == [(160, 160, 3)] * 4
    assert [(skipped.entry.file, skipped.reason) for skipped in found.skipped] == [
        ("Fake/wall.jpg", "no face was found")
    ]
    assert (found.faceless(0), found.faceless(1)) == (0, 0.5)
    assert "missed more often" in capsys.readouterr().err


def test_a_class_of_which_nothing_is_left_is_refused(both: Path, tmp_path: Path) -> None:
    for path in (both / "Fake").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="not one picture of Fake"):
        prepare(read_folder(both), whole(tmp_path / "work"))


class _Idle(Cutter):
    def __call__(self, entry: Entry) -> Cut:
        raise AssertionError(f"{entry.file} is made again")


def test_what_is_prepared_is_not_prepared_again(both: Path, demo_clips: Path, tmp_path: Path) -> None:
    shutil.copy(demo_clips / "actor_a.mp4", both / "Fake")
    entries, work = read_folder(both), tmp_path / "work"
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


def test_a_line_that_a_kill_cut_off_costs_one_file_only(both: Path, tmp_path: Path) -> None:
    entries, work = read_folder(both), tmp_path / "work"
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


def test_the_table_of_groups_may_come_from_a_spreadsheet(both: Path) -> None:
    with (both / "groups.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows([["video", "file"], ['a "b", c', "Real/000.png"], ['a "b", c', "Fake/000.png"]])
    group = {entry.file: entry.group for entry in read_folder(both)}
    assert group["Real/000.png"] == group["Fake/000.png"]
