"""Who is in which split, and that files are what the manifest says."""

from dataclasses import replace
from pathlib import Path

import pytest

from faceswap.detector.data.gather import TRAINING_CLIPS
from faceswap.detector.data.manifest import (
    Item,
    changed_files,
    common_split,
    leaked_people,
    manifest_hash,
    read_manifest,
    require_unchanged,
    split_of,
    write_manifest,
)
from faceswap.errors import UserError
from faceswap.io.files import sha256


def item(file: str, person: str, **more: str) -> Item:
    base = Item(file, "0" * 64, "real", person, f"video of {person}", "toy", "ours", split_of(person))
    return replace(base, **more)  # type: ignore[arg-type]


def test_every_split_has_a_clip() -> None:
    assert {split_of(f"clips/{name}") for name in TRAINING_CLIPS} == {"train", "val", "test"}


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [item("b.jpg", "Zoë, “Z”"), item("a.jpg", "名前")]
    write_manifest(tmp_path, rows)
    assert read_manifest(tmp_path) == sorted(rows, key=lambda row: row.file)


def test_a_person_keeps_the_split_whoever_else_is_in_the_set() -> None:
    assert {split_of(f"person {n}") for n in range(100)} == {"train", "val", "test"}
    assert split_of("person 7") == split_of("person 7")


def test_splits_have_about_70_15_15_percent_of_people() -> None:
    counts = {"train": 0, "val": 0, "test": 0}
    for n in range(5000):
        counts[split_of(f"person {n}")] += 1
    # Three standard deviations of a binomial with n = 5,000 are under 2 points.
    assert counts["train"] / 5000 == pytest.approx(0.70, abs=0.02)
    assert counts["val"] / 5000 == pytest.approx(0.15, abs=0.02)


def test_a_swap_between_splits_belongs_to_none() -> None:
    people = [f"person {n}" for n in range(200)]
    train = [p for p in people if split_of(p) == "train"]
    test = [p for p in people if split_of(p) == "test"]
    assert common_split(train[0], train[1]) == "train"
    assert common_split(train[0], test[0]) is None
    assert common_split(test[0], "") == "test"


def test_a_person_in_two_splits_is_found_as_identity_and_as_donor() -> None:
    clean = [item("a", "p1", split="train"), item("b", "p2", split="test")]
    assert leaked_people(clean) == set()
    assert leaked_people([*clean, item("c", "p3", split="test", donor="p1")]) == {"p1"}


def test_one_video_in_two_splits_is_found() -> None:
    rows = [item("a", "p1", split="train", video="v"), item("b", "p2", split="test", video="v")]
    assert leaked_people(rows) == {"toy/v"}
    assert leaked_people([rows[0], replace(rows[1], dataset="other")]) == set()


def test_a_manifest_with_a_leak_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, [item("a", "p1", split="train"), item("b", "p1", split="test")])
    with pytest.raises(UserError, match="more than one split"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(("column", "value"), [("label", "maybe"), ("split", "holdout")])
def test_an_unknown_label_or_split_is_refused_with_its_line(tmp_path: Path, column: str, value: str) -> None:
    write_manifest(tmp_path, [item("a", "p1"), item("b", "p2", **{column: value})])
    with pytest.raises(UserError, match="line 3"):
        read_manifest(tmp_path)


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    rows = []
    for name in ("kept", "changed", "gone"):
        (tmp_path / name).write_text(name)
        rows.append(item(name, name, sha256=sha256(tmp_path / name)))
    require_unchanged(tmp_path, rows)
    (tmp_path / "changed").write_text("other")
    (tmp_path / "gone").unlink()
    assert changed_files(tmp_path, rows) == ["changed", "gone"]
    with pytest.raises(UserError, match="2 of 3"):
        require_unchanged(tmp_path, rows)


def test_the_hash_of_a_set_knows_contents_and_labels_but_no_names() -> None:
    rows = [item("a", "p1", sha256="1" * 64), item("b", "p2", sha256="2" * 64)]
    moved = [replace(rows[1], file="other"), rows[0]]
    assert manifest_hash(rows) == manifest_hash(moved)
    assert manifest_hash(rows) != manifest_hash([rows[0], replace(rows[1], label="fake")])


def test_a_missing_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gather"):
        read_manifest(tmp_path / "nowhere")
