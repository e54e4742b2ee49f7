"""Frames to facesets with a toy pack: what is written, continued, refused, reported."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from faceswap.errors import UserError
from faceswap.faceset.store import Faceset, read_face
from faceswap.io.images import read_image, write_image
from faceswap.types import FaceType, Frame, Side
from stages import align_dst, align_src

Align = Callable[..., Path]
NAMES = ("00001", "a b 'q' «é» 顔_2", "00003", "00004")


def toy_frame(toy: SimpleNamespace, *cells: tuple[int, int], dtype: type = np.uint8) -> Frame:
    frame = np.zeros((480, 640, 3), dtype)
    for column, row in cells:
        toy.draw(frame, column, row, dx=1.3, dy=-0.8)
    return frame


@pytest.fixture
def root(toy: SimpleNamespace, tmp_path: Path) -> Path:
    """A workspace with four frames: one face, two faces, none, one."""
    frames = [[(8, 5)], [(3, 2), (14, 9)], [], [(10, 6)]]
    for name, cells in zip(NAMES, frames, strict=True):
        write_image(tmp_path / "ws" / "data_dst" / f"{name}.png", toy_frame(toy, *cells))
    return tmp_path / "ws"


@pytest.fixture
def align(root: Path, toy_pack: Path) -> Align:
    """Run align_dst in this process with flags; returns data_dst/aligned."""

    def run(*flags: object) -> Path:
        words = ["--workspace", root, "--face-models", toy_pack, "--device", "cpu", "--size-px", 128, *flags]
        align_dst.main(align_dst.Settings.parse([str(word) for word in words]))
        return root / "data_dst" / "aligned"

    return run


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("*.jpg")}


def test_every_face_becomes_a_crop_named_after_its_frame(align: Align) -> None:
    faceset = Faceset.open(align())
    names = {face.path.name for face in faceset.faces}
    assert names == {f"{NAMES[0]}_0.jpg", f"{NAMES[1]}_0.jpg", f"{NAMES[1]}_1.jpg", f"{NAMES[3]}_0.jpg"}
    assert set(faceset.by_frame()) == {NAMES[0], NAMES[1], NAMES[3]}
    for face in faceset.faces:
        meta = face.meta
        assert (meta.side, meta.face_type, meta.size_px) == (Side.DST, FaceType.WHOLE, 128)
        assert meta.source.removesuffix(".png") in NAMES
        assert meta.embedding is not None


def test_the_crop_shows_the_frame_where_its_metadata_says(align: Align, root: Path) -> None:
    aligned = align("--format", "png")
    crop, meta = read_face(aligned / "00001_0.png")
    green = crop[..., 1].astype(np.float64)
    rows, columns = np.indices(green.shape)
    dot = np.array([(columns * green).sum(), (rows * green).sum()]) / green.sum()
    # In frame pixels the dot lies at the mark's middle, moved by (1.3, -0.8).
    np.testing.assert_allclose(meta.landmarks[30], (8 * 32 + 15.5 + 1.3, 5 * 32 + 31.5 - 0.8), atol=0.1)
    np.testing.assert_allclose(dot, meta.crop_landmarks()[30], atol=0.1)


def test_photographs_of_all_formats_and_sizes_give_the_face_in_the_same_place(
    align: Align, root: Path, toy: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = root / "data_dst"
    shutil.rmtree(folder)
    frame, upright = toy_frame(toy, (8, 5)), Image.Exif()
    upright[0x0112] = 6
    folder.mkdir()
    Image.fromarray(frame).save(folder / "a.webp", lossless=True)
    Image.fromarray(frame).save(folder / "b.avif", quality=100)
    Image.fromarray(frame).save(folder / "c.jfif", "JPEG", quality=100)
    Image.fromarray(np.rot90(frame)).save(folder / "d.jpg", exif=upright, quality=100, subsampling=0)
    cv2.imwrite(str(folder / "e.tif"), frame[..., ::-1].astype(np.float32) / 255)
    (folder / "f.jpe").write_bytes((folder / "d.jpg").read_bytes()[:-2])
    Image.new("RGB", (1, 1)).save(folder / "g.bmp")
    Image.new("RGB", (3, 900)).save(folder / "h.tga")
    (folder / "i.cr3").write_bytes(b"raw")
    faces = Faceset.open(align()).faces
    assert [face.path.name for face in faces] == [f"{stem}_0.jpg" for stem in "abcdef"]
    for face in faces:
        np.testing.assert_allclose(face.meta.landmarks[30], (272.8, 190.7), atol=1)
    assert "1 .cr3" in capsys.readouterr().out


def test_settings_are_saved_beside_the_faces(align: Align) -> None:
    saved = json.loads((align("--face-type", "full") / "align_dst.json").read_text(encoding="utf-8"))
    assert saved["settings"]["face_type"] == "full"
    assert saved["settings"]["size_px"] == 128


def test_frames_without_a_face_are_listed(align: Align, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads((align() / "align_report.json").read_text(encoding="utf-8"))
    assert report["without_face"] == ["00003.png"]
    assert (report["frames"], report["faces"]) == (4, 4)
    assert "00003.png" in capsys.readouterr().out


def test_a_finished_set_is_left_alone_and_deleted_crops_stay_deleted(
    align: Align, capsys: pytest.CaptureFixture[str]
) -> None:
    aligned = align()
    (aligned / f"{NAMES[1]}_1.jpg").unlink()
    before = snapshot(aligned)
    capsys.readouterr()
    align()
    assert snapshot(aligned) == before
    assert "all 4 frames are aligned already" in capsys.readouterr().out


def test_a_killed_run_is_continued_and_equals_one_that_never_stopped(align: Align, root: Path) -> None:
    aligned = align()
    whole = snapshot(aligned)
    # As a kill leaves it: the log torn inside the second line, a frame's second crop not yet written.
    log = aligned / "align.jsonl"
    first, second, *_ = log.read_text(encoding="utf-8").splitlines()
    log.write_text(first + "\n" + second[:20], encoding="utf-8")
    (aligned / f"{NAMES[1]}_1.jpg").unlink()
    (aligned / f"{NAMES[3]}_0.jpg").unlink()
    align()
    again = snapshot(aligned)
    assert {name: data for name, (_, data) in again.items()} == {
        name: data for name, (_, data) in whole.items()
    }
    assert again[f"{NAMES[0]}_0.jpg"] == whole[f"{NAMES[0]}_0.jpg"]
    assert len(log.read_text(encoding="utf-8").splitlines()) == 5


def test_new_frames_are_added_to_a_finished_set(align: Align, root: Path, toy: SimpleNamespace) -> None:
    align()
    write_image(root / "data_dst" / "00005.png", toy_frame(toy, (7, 7)))
    assert (align() / "00005_0.jpg").is_file()


@pytest.mark.parametrize("flag", [("--face-type", "head"), ("--size-px", 256), ("--max-faces", 1)])
def test_other_settings_are_refused_until_asked_for_and_then_nothing_is_lost(
    align: Align, root: Path, flag: tuple[str, object]
) -> None:
    aligned = align()
    before = snapshot(aligned)
    with pytest.raises(UserError, match=rf"{flag[0]} was [\s\S]*--again"):
        align(*flag)
    assert snapshot(aligned) == before
    align(*flag, "--again")
    assert set(snapshot(root / "data_dst" / "aligned_trash" / "001")) == set(before)
    assert snapshot(aligned) != before


@pytest.mark.parametrize("pack", ["missing", "empty", "damaged"])
def test_again_moves_nothing_where_the_pack_cannot_be_had(align: Align, tmp_path: Path, pack: str) -> None:
    aligned = align()
    before = sorted(aligned.iterdir())
    folder = tmp_path / pack
    if pack != "missing":
        folder.mkdir()
    if pack == "damaged":
        (folder / "finder.onnx").write_bytes(b"no model")
    with pytest.raises(UserError):
        align("--again", "--face-models", folder)
    assert sorted(aligned.iterdir()) == before
    assert not aligned.with_name("aligned_trash").exists()


def test_again_on_an_unfinished_set_continues_it(align: Align, root: Path) -> None:
    aligned = align()
    log = aligned / "align.jsonl"
    log.write_text(log.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    align("--again")
    assert not (root / "data_dst" / "aligned_trash").exists()
    align("--again")
    assert (root / "data_dst" / "aligned_trash" / "001").is_dir()


def test_pictures_of_unknown_origin_are_not_mixed_with_faces(align: Align, root: Path) -> None:
    write_image(root / "data_dst" / "aligned" / "mine.jpg", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError, match="did not make them"):
        align()


def test_frames_that_became_other_pictures_are_refused(
    align: Align, root: Path, toy: SimpleNamespace
) -> None:
    align()
    write_image(root / "data_dst" / "00001.png", toy_frame(toy, (3, 3), (10, 3)))
    with pytest.raises(UserError, match=r"1 frames have other files by now, as 00001\.png"):
        align()


def test_a_damaged_frame_is_named_and_aligned_once_it_is_mended(
    align: Align, root: Path, toy: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = root / "data_dst" / "00004.png"
    whole = frame.read_bytes()
    frame.write_bytes(whole[: len(whole) // 2])
    aligned = align()
    assert "00004.png could not be read" in capsys.readouterr().err
    report = json.loads((aligned / "align_report.json").read_text(encoding="utf-8"))
    assert list(report["damaged"]) == ["00004.png"]
    assert report["faces"] == 3
    frame.write_bytes(whole)
    assert (align() / "00004_0.jpg").is_file()


def test_debug_images_show_every_frame_with_its_faces_drawn_in(align: Align, root: Path) -> None:
    align("--debug-images")
    debug = root / "data_dst" / "aligned_debug"
    assert {path.stem for path in debug.iterdir()} == set(NAMES)
    drawn, plain = (read_image(debug / f"{name}.jpg").astype(int) for name in ("00001", "00003"))
    assert plain.max() < 20
    # Red lines of the crop's square, green ones of the landmarks.
    assert ((drawn[..., 0] > 150) & (drawn[..., 1:].max(-1) < 90)).sum() > 500
    assert ((drawn[..., 1] > 120) & (drawn[..., 0] < 90)).sum() > 100


def test_16_bit_frames_keep_their_bits_in_png_and_become_8_bit_jpeg(
    align: Align, root: Path, toy: SimpleNamespace
) -> None:
    for path in (root / "data_dst").glob("*.png"):
        path.unlink()
    write_image(root / "data_dst" / "deep.png", toy_frame(toy, (8, 5), dtype=np.uint16))
    assert read_face(align() / "deep_0.jpg")[0].dtype == np.uint8
    deep, _ = read_face(align("--format", "png", "--again") / "deep_0.png")
    assert deep.dtype == np.uint16
    assert deep.max() > 60000


def test_max_faces_keeps_the_largest(align: Align) -> None:
    assert not list(align("--max-faces", 1).glob("*_1.jpg"))


def test_a_second_frame_of_the_same_stem_is_left_out_aloud(
    align: Align, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = cv2.imread(str(root / "data_dst" / "00001.png"))
    cv2.imwrite(str(root / "data_dst" / "00001.jpg"), image)
    align()
    assert "00001.png is left out" in capsys.readouterr().err


def test_no_face_in_any_frame_is_an_error_with_hints(align: Align, root: Path) -> None:
    for name in (NAMES[0], NAMES[1], NAMES[3]):
        (root / "data_dst" / f"{name}.png").unlink()
    with pytest.raises(UserError, match=r"no face was found in any of 1 frames[\s\S]*--min-face-px"):
        align()


def test_src_is_aligned_like_dst(root: Path, toy_pack: Path) -> None:
    shutil.copytree(root / "data_dst", root / "data_src")
    words = ["--workspace", str(root), "--face-models", str(toy_pack), "--size-px", "64"]
    align_src.main(align_src.Settings.parse(words))
    faceset = Faceset.open(root / "data_src" / "aligned")
    assert {face.meta.side for face in faceset.faces} == {Side.SRC}
    assert len(faceset.faces) == 4


def test_as_a_process_mistakes_exit_with_2_and_a_sentence(
    run_stage: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    done = run_stage("align_src", "--workspace", tmp_path / "none")
    assert done.returncode == 2
    assert "no frames in" in done.stderr
    assert "stages.extract_src" in done.stderr
    assert "Traceback" not in done.stderr
