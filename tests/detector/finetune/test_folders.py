"""What a user's folder says of its pictures: label, person, clip, and what belongs together."""

import csv
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.detector.finetune.folders import connected, read_folder
from faceswap.errors import UserError
from tests.detector.toy_folder import fill


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


def test_a_file_that_is_real_and_fake_is_refused_with_both_names(real_and_fake: Path) -> None:
    shutil.copy(real_and_fake / "Real" / "001.png", real_and_fake / "Fake" / "other name.png")
    with pytest.raises(UserError, match=r"Real/001\.png = Fake/other name\.png"):
        read_folder(real_and_fake)


def test_copies_people_and_clips_link_files_also_through_others(real_and_fake: Path) -> None:
    shutil.copy(real_and_fake / "Real" / "002.png", real_and_fake / "Real" / "copy.png")
    # 000 and 001 share a person, 001 and Fake/000 a clip, 002 and its copy their bytes.
    groups_csv(
        real_and_fake, "Real/000.png,ann,", "Real/001.png,ann,v1", "Fake\\000.png,,v1", "Fake/001.png,ben,"
    )
    group = {entry.file: entry.group for entry in read_folder(real_and_fake)}
    assert group["Real/000.png"] == group["Real/001.png"] == group["Fake/000.png"]
    assert group["Real/002.png"] == group["Real/copy.png"]
    assert len(set(group.values())) == 4


def test_a_clip_named_like_a_person_is_not_that_person(real_and_fake: Path) -> None:
    groups_csv(real_and_fake, "Real/000.png,x,", "Real/001.png,,x")
    group = {entry.file: entry.group for entry in read_folder(real_and_fake)}
    assert group["Real/000.png"] != group["Real/001.png"]


def test_excels_byte_order_mark_is_no_part_of_a_column(real_and_fake: Path) -> None:
    groups_csv(real_and_fake, "Real/000.png,ann,", "Fake/000.png,ann,", encoding="utf-8-sig")
    group = {entry.file: entry.group for entry in read_folder(real_and_fake)}
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
    real_and_fake: Path, columns: str, lines: list[str], told: str
) -> None:
    groups_csv(real_and_fake, *lines, columns=columns)
    with pytest.raises(UserError, match=told):
        read_folder(real_and_fake)


def test_a_groups_table_of_another_encoding_is_refused(real_and_fake: Path) -> None:
    groups_csv(real_and_fake, "Real/000.png,Jürgen,", encoding="latin-1")
    with pytest.raises(UserError, match="UTF-8"):
        read_folder(real_and_fake)


def test_the_table_of_groups_may_come_from_a_spreadsheet(real_and_fake: Path) -> None:
    with (real_and_fake / "groups.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows([["video", "file"], ['a "b", c', "Real/000.png"], ['a "b", c', "Fake/000.png"]])
    group = {entry.file: entry.group for entry in read_folder(real_and_fake)}
    assert group["Real/000.png"] == group["Fake/000.png"]


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
