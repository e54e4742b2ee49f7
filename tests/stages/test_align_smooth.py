"""align_dst --smooth with a toy pack: crops follow steadier landmarks, and nothing is lost by it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from faceswap.align.steady import found_landmarks
from faceswap.faceset.store import Faceset, read_face, read_meta, rewrite_meta
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.smoothing import jitter, smooth_track
from faceswap.geometry.warp import cut_crop
from faceswap.io.images import read_image, write_image
from stages import align_dst

Align = Callable[..., Path]
FRAMES = 9


@pytest.fixture(scope="module")
def aligned_once(
    toy: SimpleNamespace, toy_pack: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[object]]:
    """A workspace of nine aligned frames, one trembling face and another in the first five; and the flags."""
    root, random = tmp_path_factory.mktemp("smooth") / "ws", np.random.default_rng(1)
    for number in range(FRAMES):
        frame = np.zeros((480, 640, 3), np.uint8)
        for column, row in [(4, 4), (13, 8)][: 2 if number < 5 else 1]:
            toy.draw(frame, column, row, *random.normal(scale=1.5, size=2))
        write_image(root / "data_dst" / f"{number + 1:05d}.png", frame)
    flags = ["--face-models", toy_pack, "--device", "cpu", "--size-px", 128]
    run_align(root, *flags)
    return root, flags


def run_align(root: Path, *flags: object) -> Path:
    words = ["--workspace", root, *flags]
    align_dst.main(align_dst.Settings.parse([str(word) for word in words]))
    return root / "data_dst" / "aligned"


@pytest.fixture
def root(aligned_once: tuple[Path, list[object]], tmp_path: Path) -> Path:
    """A copy of the aligned workspace."""
    return Path(shutil.copytree(aligned_once[0], tmp_path / "ws"))


@pytest.fixture
def aligned(root: Path) -> Path:
    return root / "data_dst" / "aligned"


@pytest.fixture
def align(root: Path, aligned_once: tuple[Path, list[object]]) -> Align:
    """Run align_dst in this process with further flags; returns data_dst/aligned."""
    return lambda *flags: run_align(root, *aligned_once[1], *flags)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("*.jpg")}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (_, data) in snapshot(folder).items()}


def landmarks(aligned: Path, column: int) -> np.ndarray:
    """Landmarks (T, 68, 2) of the left (0) or right (1) face in order of time."""
    faces = [face.meta for face in Faceset.open(aligned).faces]
    return np.stack([meta.landmarks for meta in faces if (meta.landmarks[30, 0] > 320) == column])


def test_landmarks_become_the_smoothed_ones_of_each_face(align: Align, aligned: Path) -> None:
    found = [landmarks(aligned, side) for side in (0, 1)]
    align("--smooth")
    for side in (0, 1):
        np.testing.assert_array_equal(landmarks(aligned, side), smooth_track(found[side]))


def test_the_crop_is_cut_where_the_smoothed_landmarks_say(align: Align, root: Path) -> None:
    crop, meta = read_face(align("--smooth", "--format", "png", "--again") / "00003_0.png")
    np.testing.assert_array_equal(meta.frame_to_face, crop_transform(meta.landmarks, 128, meta.face_type))
    frame = read_image(root / "data_dst" / "00003.png")
    np.testing.assert_array_equal(crop, cut_crop(frame, meta.frame_to_face, 128))


def test_no_smooth_gives_back_the_crops_as_they_were_byte_for_byte(align: Align, aligned: Path) -> None:
    before = contents(aligned)
    assert contents(align("--smooth")) != before
    assert contents(align("--no-smooth")) == before


def test_smoothing_while_aligning_or_afterwards_gives_the_same(align: Align) -> None:
    afterwards = contents(align("--smooth"))
    assert contents(align("--smooth", "--again")) == afterwards


def test_doing_it_again_changes_nothing_with_the_flag_or_without(align: Align) -> None:
    before = snapshot(align("--smooth"))
    assert snapshot(align("--smooth")) == before
    assert snapshot(align()) == before


def test_stopped_half_way_the_same_command_continues(align: Align, aligned: Path) -> None:
    found = contents(aligned)
    whole = contents(align("--smooth"))
    # As a kill leaves it: crops are written whole or not at all, so some are smoothed and some not yet.
    for name in sorted(found)[4:]:
        (aligned / name).write_bytes(found[name])
    assert contents(aligned) != whole
    assert contents(align("--smooth")) == whole


def test_the_index_restores_what_belongs_to_the_smoothed_pixels(align: Align) -> None:
    path = align("--smooth") / "00003_0.jpg"
    meta = read_meta(path)
    write_image(path, read_image(path))
    Faceset.open(path.parent)
    np.testing.assert_array_equal(read_meta(path).frame_to_face, meta.frame_to_face)
    np.testing.assert_array_equal(found_landmarks(read_meta(path)), found_landmarks(meta))


def test_the_jitter_is_said_and_reported(
    align: Align, aligned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = jitter([landmarks(aligned, side) for side in (0, 1)])
    assert "landmark_jitter" not in json.loads((aligned / "align_report.json").read_text(encoding="utf-8"))
    align("--smooth")
    report = json.loads((aligned / "align_report.json").read_text(encoding="utf-8"))["landmark_jitter"]
    after = jitter([landmarks(aligned, side) for side in (0, 1)])
    assert report == {
        "before": pytest.approx(before, abs=1e-6),
        "after": pytest.approx(after, abs=1e-6),
        "tracks": 2,
    }
    assert "smoothed 14 faces in 2 tracks" in capsys.readouterr().out


def test_a_missing_frame_parts_the_track(align: Align, aligned: Path, root: Path) -> None:
    (root / "data_dst" / "00006.png").unlink()
    found = landmarks(aligned, 0)
    # The crop of the missing frame cannot be cut anew and stays.
    expected = np.concatenate([smooth_track(found[:5]), found[5:6], smooth_track(found[6:])])
    np.testing.assert_array_equal(landmarks(align("--smooth"), 0), expected)


def test_a_face_with_a_drawn_mask_is_left_as_it_is_aloud(
    align: Align, aligned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = aligned / "00003_0.jpg"
    rewrite_meta(path, replace(read_meta(path), polygons=({"points": [[1, 2], [30, 4], [5, 60]]},)))
    before = path.read_bytes()
    align("--smooth")
    assert path.read_bytes() == before
    assert "1 faces with a drawn mask stay as they are" in capsys.readouterr().err


def test_frames_too_few_to_smooth_are_left_alone(
    align: Align, aligned: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((root / "data_dst").glob("*.png"))[2:]:
        path.unlink()
    before = snapshot(aligned)
    assert snapshot(align("--smooth")) == before
    assert "nothing was smoothed" in capsys.readouterr().out
