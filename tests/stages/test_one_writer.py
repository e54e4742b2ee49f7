"""One process at a time writes a folder: real stages are refused before they have changed anything."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from faceswap.config import StageSettings
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import masks_of
from faceswap.io.files import list_images
from faceswap.io.images import write_image
from faceswap.io.lock import FolderLock
from faceswap.types import Side
from tests.conftest import MakeFaces, RunStage

REPOSITORY = Path(__file__).parents[2]
# Those that write nothing, or single small files in one step each, or ask the lock themselves.
UNLOCKED = {
    "benchmark", "doctor", "faceset", "preview", "detector exam", "detector predict", "detector probe",
    "detector serve", "model backup", "model delete", "model list", "model restore",
}  # fmt: skip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks are those of POSIX")


def settings() -> Iterator[tuple[str, Any]]:
    """The settings class of every stage, and of every action of those that have any."""
    for path in sorted((REPOSITORY / "stages").glob("[!_]*.py")):
        module = importlib.import_module(f"stages.{path.stem}")
        for word, (cls, _) in getattr(module, "ACTIONS", {}).items():
            yield f"{path.stem} {word}", cls
        if hasattr(module, "Settings"):
            yield path.stem, module.Settings


@pytest.mark.parametrize(("name", "cls"), settings())
def test_every_stage_says_what_it_writes(name: str, cls: type[StageSettings]) -> None:
    assert (cls.writes is StageSettings.writes) == (name in UNLOCKED)


@pytest.fixture
def job(tmp_path: Path, make_faces: MakeFaces) -> Path:
    """Frames and faces of both sides, merged frames, a clip, a trash that is not there yet."""
    place = tmp_path / "job"
    for side in Side:
        make_faces(place / f"data_{side}" / "aligned", 2, side)
        for number in (1, 2):
            write_image(place / f"data_{side}" / f"{number:05d}.png", np.zeros((32, 32, 3), np.uint8))
    write_image(place / "data_dst" / "merged" / "00001.png", np.zeros((32, 32, 3), np.uint8))
    (place / "data_dst.mp4").write_bytes(b"a clip")
    (place / "model" / "new").mkdir(parents=True)
    return place


def tree(place: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in place.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    folders = {path: (0, b"") for path in place.rglob("*") if path.is_dir()}
    return folders | {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


QUICK = [
    ("extract_dst --again", "data_dst"),
    ("denoise --replace", "data_dst"),
    ("cut --input data_dst.mp4 --end 1", "data_dst_cut"),
    ("align_dst --again --size-px 64", "data_dst/aligned"),
    ("align_dst --again --size-px 64", "data_dst/masks of aligned"),
    ("mask_edit --side src", "data_src/aligned"),
    ("mask_apply --side src", "data_src/masks of aligned"),
    ("mask_remove", "data_dst/masks of aligned"),
    ("mask_fetch --move", "data_dst/aligned"),
    ("export_base --output base", "base"),
    ("merge --again", "data_dst/merged"),
    ("encode", "result.mp4"),
    ("encode --codec png", "result_png"),
    ("detector train --set set --output run --iterations 1", "run"),
]
SLOW = [
    ("extract_src --again", "data_src"),
    ("denoise", "data_dst_denoised"),
    ("align_src --again", "data_src/aligned"),
    ("mask_remove --polygons", "data_dst/aligned"),
    ("mask_export", "data_dst/aligned_masks_png"),
    ("mask_train --model new", "model/new"),
    ("train", "model/new"),
    ("merge --stream --codec prores422", "result.mov"),
    ("encode --frames data_src --fps 5", "data_src.mp4"),
    ("selftest", "selftest"),
    ("detector gather --set set --data x", "set"),
    ("detector finetune --data x --output run", "run"),
    ("workspace", "."),
]


@pytest.mark.parametrize(
    ("words", "held"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_the_second_is_told_who_was_first_and_has_changed_nothing(job: Path, words: str, held: str) -> None:
    before = tree(job)
    with FolderLock(job / held):
        done = subprocess.run(
            [sys.executable, "-m", f"stages.{words.split()[0]}", *words.split()[1:], "--workspace", "."],
            cwd=job, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert "in use by another process" in done.stderr and f"process {os.getpid()} on" in done.stderr
        assert "Traceback" not in done.stderr and tree(job) == before


def test_a_mistyped_workspace_leaves_nothing_behind(tmp_path: Path, run_stage: RunStage) -> None:
    for stage in ("extract_dst", "align_dst", "merge"):
        assert run_stage(stage, "--workspace", "jbo/a").returncode == 2
    assert not list(tmp_path.iterdir())


def test_of_several_alignments_of_different_size_at_once_one_works(
    tmp_path: Path, toy: SimpleNamespace, toy_pack: Path
) -> None:
    for number in range(1, 21):
        frame = np.zeros((480, 640, 3), np.uint8)
        toy.draw(frame, number % 18, 5)
        write_image(tmp_path / "data_dst" / f"{number:05d}.png", frame)
    command = [sys.executable, "-m", "stages.align_dst", "--workspace", str(tmp_path), "--workers", "1"]
    command += ["--face-models", str(toy_pack), "--device", "cpu", "--size-px"]
    sizes = (96, 128, 160, 192)
    started = [
        subprocess.Popen(
            [*command, str(size)], env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True,
        )
        for size in sizes
    ]  # fmt: skip
    errors = [process.communicate()[1] for process in started]
    codes = [process.returncode for process in started]
    assert sorted(codes) == [0, 2, 2, 2] and not any("Traceback" in text for text in errors)
    faces = Faceset.open(tmp_path / "data_dst" / "aligned").faces
    assert {face.meta.size_px for face in faces} == {sizes[codes.index(0)]} and len(faces) == 20
    assert not (tmp_path / "data_dst" / "aligned_trash").exists()


def test_who_reads_what_is_still_written_is_told_so_and_goes_on(job: Path, run_stage: RunStage) -> None:
    aligned = job / "data_src" / "aligned"
    with FolderLock(aligned):
        done = run_stage("mask_export", "--workspace", job, "--side", "src")
    assert done.returncode == 0 and f"{aligned} is being written by" in done.stderr
    assert len(list_images(job / "data_src" / "aligned_masks_png")) == 2
    with FolderLock(masks_of(aligned)):
        done = run_stage("mask_export", "--workspace", job, "--side", "src")
    assert done.returncode == 0 and "is being written by" in done.stderr
    done = run_stage("mask_export", "--workspace", job, "--side", "src")
    assert "is being written" not in done.stderr
