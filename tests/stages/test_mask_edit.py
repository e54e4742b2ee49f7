"""stages.mask_edit before its window opens."""

import os
from pathlib import Path

from faceswap.io.lock import FolderLock
from faceswap.types import Side
from tests.conftest import MakeFaces, RunStage


def test_a_packed_set_is_refused_with_what_to_do(tmp_path: Path, run_stage: RunStage) -> None:
    (tmp_path / "faceset.pak").write_bytes(b"\1\0\0\0")
    done = run_stage("mask_edit", "--set", tmp_path / "faceset.pak")
    assert done.returncode == 2 and "a packed set" in done.stderr and "unpack" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_set_that_is_open_in_another_editor_is_refused(
    tmp_path: Path, run_stage: RunStage, make_faces: MakeFaces
) -> None:
    folder = tmp_path / "workspace" / "data_dst" / "aligned"
    make_faces(folder, 2, Side.DST)
    with FolderLock(folder):
        done = run_stage("mask_edit")
    assert done.returncode == 2 and "in use by another process" in done.stderr
    assert f"process {os.getpid()}" in done.stderr and "Traceback" not in done.stderr


def test_a_workspace_without_faces_says_how_to_get_them(tmp_path: Path, run_stage: RunStage) -> None:
    done = run_stage("mask_edit", "--side", "src")
    assert done.returncode == 2 and "align_src" in done.stderr
