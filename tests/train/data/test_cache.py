"""Samples are made once; an interruption or a change of the set costs no more than what it concerns."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import write_mask
from faceswap.train.data import cache as train_cache
from faceswap.train.data.cache import cached_samples, open_samples
from faceswap.train.data.samples import SampleStore
from faceswap.types import FaceType
from tests.train.data.test_samples import RESOLUTION, fill


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the crops that are decoded, as it happens."""
    names: list[str] = []
    read = train_cache.read_face

    def count(path: Path) -> object:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(train_cache, "read_face", count)
    return names


def open_set(folder: Path) -> SampleStore:
    return open_samples(Faceset.open(folder), FaceType.WHOLE, RESOLUTION, folder.parent / "cache", "src")


def all_of(samples: SampleStore) -> tuple[object, ...]:
    rows = range(len(samples))
    arrays = samples.take(rows), samples.eyes_mouth(rows), samples.yaws_rad()
    return samples.names, samples.skipped, samples.masks, [array.tobytes() for array in arrays]


def test_the_cache_is_reused_until_the_set_changes(tmp_path: Path) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 2)
    cache = tmp_path / "cache"
    open_samples(faceset, FaceType.WHOLE, RESOLUTION, cache, "src")
    first = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    open_samples(faceset, FaceType.WHOLE, RESOLUTION, cache, "src")
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == first
    faceset.faces[0].path.unlink()
    smaller = open_samples(Faceset.open(tmp_path / "aligned"), FaceType.WHOLE, RESOLUTION, cache, "src")
    assert len(smaller) == 1
    assert len(list(cache.iterdir())) == 4, "the outdated cache is removed"


def test_the_cache_alone_answers_for_a_set_that_has_not_changed(tmp_path: Path) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 2)
    stranger = tmp_path / "aligned" / "holiday.jpg"
    Image.new("RGB", (8, 8)).save(stranger)
    how = (FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")
    assert cached_samples(faceset.folder, *how) is None
    made = open_samples(Faceset.open(faceset.folder), *how)
    known = cached_samples(faceset.folder, *how)
    assert known is not None and known.names == made.names
    assert known.skipped == {"holiday.jpg": "it carries no face metadata"}
    stranger.unlink()
    assert cached_samples(faceset.folder, *how) is None
    assert cached_samples(tmp_path / "gone", *how) is None


@pytest.mark.parametrize("suffix", ["[!s].npy", ".landmarks.npy", "[!s].json", ".rows.json"])
@pytest.mark.parametrize("length", [0, 5, 200])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, suffix: str, length: int) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 2)
    whole = open_samples(faceset, FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")
    expected = whole.take([0, 1])
    del whole
    damaged = next((tmp_path / "cache").glob(f"*{suffix}"))
    damaged.write_bytes(damaged.read_bytes()[:length] if suffix.endswith(".npy") else b"{")
    again = open_samples(faceset, FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")
    assert np.array_equal(again.take([0, 1]), expected)


@pytest.mark.parametrize("at", [0, 1, 70, 99])
def test_an_interrupted_start_leaves_its_work_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[str], at: int
) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 100, size_px=32)
    expected = all_of(open_set(faceset.folder))
    for path in (tmp_path / "cache").iterdir():
        path.unlink()

    def interrupt(count: int) -> None:
        def stopping(rows: object, name: str, *others: object) -> None:
            if name == f"{count:05d}_0.png":
                raise KeyboardInterrupt
            add(rows, name, *others)  # type: ignore[arg-type]

        monkeypatch.setattr(train_cache._Rows, "add", stopping)

    add = train_cache._Rows.add
    # The last comes before what the one before had done is taken over.
    for stop in (at // 2, at, at // 3):
        interrupt(stop)
        with pytest.raises(KeyboardInterrupt):
            open_set(faceset.folder)
        assert cached_samples(faceset.folder, FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src") is None
    monkeypatch.setattr(train_cache._Rows, "add", add)
    decoded.clear()
    assert all_of(open_set(faceset.folder)) == expected
    assert sorted(decoded) == [f"{index:05d}_0.png" for index in range(at, 100)]


def test_only_what_has_changed_is_made_anew(tmp_path: Path, decoded: list[str]) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 6)
    before = open_set(faceset.folder).take(range(6))
    gone, _, replaced, masked, *_ = faceset.faces
    gone.path.unlink()
    replaced.path.write_bytes(faceset.faces[5].path.read_bytes())
    write_mask(masked, np.ones((256, 256), np.float32), "test")
    decoded.clear()
    samples = open_set(faceset.folder)
    assert sorted(decoded) == [replaced.path.name, masked.path.name]
    assert samples.names == tuple(face.path.name for face in faceset.faces[1:])
    assert samples.masks == {"polygons": 0, "stored": 1, "hull": 4}
    after = samples.take(range(5))
    assert np.array_equal(after[[0, 3, 4]], before[[1, 4, 5]])
    assert np.array_equal(after[1], before[5])
    assert np.array_equal(after[2, ..., :3], before[3, ..., :3]) and after[2, ..., 3].min() == 255
    decoded.clear()
    fresh = open_samples(
        Faceset.open(faceset.folder), FaceType.WHOLE, RESOLUTION, tmp_path / "another", "src"
    )
    assert len(decoded) == 5 and all_of(fresh) == all_of(samples)


def test_rows_of_another_size_or_face_type_are_not_taken(tmp_path: Path, decoded: list[str]) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.HEAD, 2)
    for face_type, resolution in ((FaceType.HEAD, 64), (FaceType.WHOLE, 64), (FaceType.WHOLE, 96)):
        decoded.clear()
        samples = open_samples(faceset, face_type, resolution, tmp_path / "cache", "src")
        assert len(decoded) == 2 and samples.pixels.shape == (2, resolution, resolution, 4)


def test_a_disk_too_small_for_two_caches_keeps_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 2)
    open_set(faceset.folder)
    faceset.faces[0].path.unlink()

    def full_while_the_old_one_is_there(folder: Path, _needed: int, what: str) -> None:
        if list(folder.glob("*.npy")):
            raise UserError(what)

    monkeypatch.setattr(train_cache, "require_free_space", full_while_the_old_one_is_there)
    decoded.clear()
    assert len(open_set(faceset.folder)) == 1 and len(decoded) == 1
