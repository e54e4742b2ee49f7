"""Natural order, what is left out of a folder of pictures, and photographs brought into a workspace."""

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.errors import UserError
from faceswap.io.files import list_images, list_names, natural_order
from faceswap.io.images import write_image
from faceswap.io.leftout import left_out
from faceswap.media.clips import bring_photographs, refuse_stills
from faceswap.media.timing import find_frames_timing, find_pictures
from faceswap.types import Side
from faceswap.workspace import Workspace
from stages.workspace import Settings, main


def ordered(names):
    shuffled = list(names)
    random.Random(0).shuffle(shuffled)
    return sorted(shuffled, key=natural_order)


@pytest.mark.parametrize(
    "names",
    [
        [f"{n}.png" for n in range(1, 121)],
        [f"shot {n} take {m}.jpg" for n in (1, 2, 10) for m in (9, 10, 11)],
        [f"clip_{n:05d}.png" for n in range(99990, 100012)],
        ["2024-01-09 1.jpg", "2024-01-10 2.jpg", "2024-01-10 10.jpg", "2024-11-02 1.jpg"],
        ["0.png", "00.png", "01.png", "1.png", "002.png", "02.png", "2.png", "10.png"],
        ["9" * 40 + ".png", "1" + "0" * 40 + ".png", "2" + "0" * 40 + ".png"],
        ["a.png", "a1.png", "a2.png", "a10.png", "b.png", "٢.png"],
        ["frame-1.png", "frame-2.png", "frame-10.png"],
    ],
    ids=lambda names: names[-1],
)
def test_numbers_in_names_count_by_their_value(names):
    assert ordered(names) == names


@settings(max_examples=50)
@given(st.lists(st.integers(0, 99999), unique=True), st.sampled_from(["", "clip_", "ü 3 ", "x-"]))
def test_names_padded_to_one_length_stay_in_the_order_of_their_characters(numbers, start):
    names = [f"{start}{number:05d}.png" for number in numbers]
    assert ordered(names) == sorted(names)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=12), unique=True))
def test_any_names_have_one_order(names):
    assert ordered(names) == ordered(reversed(names))


def test_pictures_and_stems_are_listed_in_natural_order(tmp_path):
    for number in (10, 9, 1, 2):
        write_image(tmp_path / f"{number}.png", np.zeros((2, 2, 3), np.uint8))
    assert [path.name for path in list_images(tmp_path)] == ["1.png", "2.png", "9.png", "10.png"]
    assert list_names(tmp_path, ".png") == ["1", "2", "9", "10"]


def test_what_is_left_out_is_named_with_its_count(tmp_path):
    names = "a.CR3", "b.cr3", "notes.txt", "README", "a.jpg", "b.WEBP", ".hidden", "timestamps.json", "c.mp4"
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "aligned").mkdir()
    assert left_out(tmp_path) == "2 .cr3, 1 .mp4, 1 .txt, 1 without a suffix"
    assert ".mp4" not in left_out(tmp_path, (".mp4",))
    assert left_out(tmp_path / "aligned") == left_out(tmp_path / "nowhere") == ""


def test_two_pictures_of_one_frame_are_refused_not_chosen_from(tmp_path):
    for name in ("1.png", "2.png", "2.jpg"):
        write_image(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    timing = find_frames_timing(tmp_path, None, 25)
    with pytest.raises(UserError, match="several frames of one name"):
        find_pictures(tmp_path, timing, "")


def photographs(folder, *names):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        picture = np.full((4, 4, 3), 9 * number, np.uint8)
        write_image(folder / "made.png", picture)
        os.replace(folder / "made.png", folder / name)
    return folder


def there(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_folder_of_photographs_is_copied_under_its_names_and_again_is_quiet(tmp_path, capsys):
    source = photographs(tmp_path / "holiday", "IMG_1.jpg", "IMG_10.webp", "ü 🙂.bmp", "notes.txt")
    place = Workspace(tmp_path / "w")
    for side in ("src", "dst"):
        main(Settings.parse(["--workspace", str(place.root), f"--{side}", str(source)]))
        assert set(there(place.frames(Side(side)))) == {"IMG_1.jpg", "IMG_10.webp", "ü 🙂.bmp"}
    said = capsys.readouterr().out
    assert "3 pictures copied" in said and "1 .txt" in said and said.count("no clip\n") == 3
    before = there(place.frames(Side.SRC))
    main(Settings.parse(["--workspace", str(place.root), "--src", str(source)]))
    assert "copied" not in capsys.readouterr().out and there(place.frames(Side.SRC)) == before


def test_one_photograph_is_copied_into_the_folder_too(tmp_path):
    source = photographs(tmp_path / "s", "me.JPG", "other.png")
    main(Settings.parse(["--workspace", str(tmp_path / "w"), "--src", str(source / "me.JPG")]))
    assert set(there(tmp_path / "w" / "data_src")) == {"me.JPG"}
    assert not list((tmp_path / "w").glob("data_src.*"))


def test_pictures_that_differ_by_their_suffix_alone_keep_apart(tmp_path):
    source = photographs(tmp_path / "s", "a.jpg", "A.png", "b.png")
    for _ in range(2):
        bring_photographs(source, tmp_path / "data_src")
        made = list_images(tmp_path / "data_src")
        assert len(made) == 3 and len({path.stem.casefold() for path in made}) == 3
    assert {path.read_bytes() for path in made} == {path.read_bytes() for path in source.iterdir()}


def test_nothing_is_replaced_and_nothing_copied_where_a_name_is_taken(tmp_path):
    target = photographs(tmp_path / "data_src", "z.png")
    source = photographs(tmp_path / "s", "a.png", "z.png")
    before = there(target)
    with pytest.raises(UserError, match="already has another z"):
        bring_photographs(source, target)
    assert there(target) == before


def test_a_folder_without_pictures_says_what_it_holds(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.cr3").write_bytes(b"x")
    with pytest.raises(UserError, match="no pictures") as caught:
        bring_photographs(tmp_path / "raw", tmp_path / "data_src")
    assert "1 .cr3" in caught.value.found and not (tmp_path / "data_src").exists()


@pytest.mark.parametrize("where", ["given folder", "given file", "beside", "data_src_clips", "data_src"])
def test_extraction_of_stills_says_where_they_belong(tmp_path, where):
    place = Workspace(tmp_path)
    folder = {"beside": tmp_path, "given folder": tmp_path / "s", "given file": tmp_path / "s"}.get(
        where, tmp_path / where
    )
    photographs(folder, "data_src.webp")
    given = {"given folder": folder, "given file": folder / "data_src.webp"}.get(where)
    with pytest.raises(UserError, match=r"stills need no extraction|holds 1 pictures already") as caught:
        refuse_stills(place, Side.SRC, given)
    wanted = (
        "align_src" if where in ("beside", "data_src") else f"stages.workspace --workspace {tmp_path} --src"
    )
    assert wanted in caught.value.hint
    (tmp_path / "data_src.MOV").write_bytes(b"x")
    if where in ("beside", "data_src"):
        refuse_stills(place, Side.SRC, given)
