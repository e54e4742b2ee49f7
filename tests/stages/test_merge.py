"""`python -m stages.merge` as a user types it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.io.images import read_image, read_mask, write_image
from faceswap.learn import checkpoint
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.types import FaceType, Side

REPOSITORY = Path(__file__).parent.parent.parent


def make_job(root: Path, frames: int = 5, size: tuple[int, int] = (120, 160)) -> Path:
    """Frames, a half-face faceset (frame 2 has no face) and an untrained whole-face model."""
    landmarks = (HEAD_MODEL[:, :2] * 0.3 + (size[1] / 2, size[0] / 2)).astype(np.float32)
    frame_to_face = crop_transform(landmarks, 64, FaceType.HALF)
    rng = np.random.default_rng(0)
    for number in range(1, frames + 1):
        frame = rng.integers(0, 256, (*size, 3), np.uint8)
        write_image(root / "data_dst" / f"{number:05d}.png", frame)
        if number != 2:
            meta = FaceMeta(
                f"{number:05d}.png", frame_to_face, 64, landmarks, FaceType.HALF, Side.DST, 0, 0.9
            )
            crop = cut_crop(frame, frame_to_face, 64)
            write_face(root / "data_dst" / "aligned" / f"{number:05d}_0.jpg", crop, meta)
    make_model(root, "new")
    return root


def make_model(root: Path, name: str) -> None:
    spec = ModelSpec(Arch.parse("DF"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
    state = {"iteration": 3, "spec": spec.to_json(), "face_type": "whole"}
    checkpoint.save(root / "model" / name, {"weights": build(spec).state_dict()}, state)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_job(tmp_path / "job ü 🎬")


def test_a_clip_is_merged_and_its_settings_replay_to_the_same_pixels(job: Path, run_stage) -> None:
    done = run_stage("merge", "--workspace", job, "--mask-mode", "dst", "--device", "cpu", check=True)
    assert "4 frames merged (4 faces), 1 without a face" in done.stdout
    assert "holds half faces" in done.stdout, "the crop's type is not the model's, which is fine and said"
    merged, masks = job / "data_dst" / "merged", job / "data_dst" / "merged_mask"
    assert [path.name for path in sorted(merged.glob("*.png"))] == [f"{n:05d}.png" for n in range(1, 6)]
    mask = read_mask(masks / "00001.png")
    before, after = read_image(job / "data_dst" / "00001.png"), read_image(merged / "00001.png")
    assert mask[60, 80] == 1 and not np.array_equal(before[mask > 0.5], after[mask > 0.5])
    assert np.array_equal(before[mask == 0], after[mask == 0])
    settings = json.loads((merged / "merge.json").read_text())["settings"]
    assert settings["mask_mode"] == "dst"

    merged.rename(job / "kept")
    masks.rename(job / "kept masks")
    run_stage("merge", "--workspace", job, "--config", job / "kept" / "merge.json", check=True)
    for path in (job / "kept").glob("*.png"):
        assert (merged / path.name).read_bytes() == path.read_bytes()


def test_other_settings_and_damaged_frames_end_with_what_to_type(job: Path, run_stage) -> None:
    frame = job / "data_dst" / "00004.png"
    frame.write_bytes(frame.read_bytes()[:3000])
    damaged = run_stage("merge", "--workspace", job)
    assert damaged.returncode == 2
    assert "00004.png: it is cut short" in damaged.stderr and "stages.extract_dst" in damaged.stderr
    assert len(list((job / "data_dst" / "merged").glob("*.png"))) == 4

    other = run_stage("merge", "--workspace", job, "--blur", 10)
    assert other.returncode == 2 and "--again" in other.stderr and "Traceback" not in other.stderr


def test_what_is_missing_is_said_with_the_command_that_makes_it(job: Path, run_stage) -> None:
    make_model(job, "second")
    two = run_stage("merge", "--workspace", job)
    assert two.returncode == 2 and "new, second" in two.stderr and "--model" in two.stderr
    for face in (job / "data_dst" / "aligned").iterdir():
        face.unlink()
    empty = run_stage("merge", "--workspace", job, "--model", "second")
    assert empty.returncode == 2 and "stages.align_dst" in empty.stderr
    out = run_stage("merge", "--workspace", job, "--erode", 401)
    assert out.returncode == 2 and "--erode" in out.stderr and "400" in out.stderr
    assert not (job / "data_dst" / "merged").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a child process")
def test_ctrl_c_leaves_only_whole_files_and_the_same_command_continues(tmp_path: Path, run_stage) -> None:
    job = make_job(tmp_path / "job", frames=200, size=(240, 320))
    merged = job / "data_dst" / "merged"
    command = [sys.executable, "-m", "stages.merge", "--workspace", str(job), "--workers", "1"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        # A job in a shell's background, as this test may be, does not hear Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        while process.poll() is None and len(list(merged.glob("[0-9]*.png"))) < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    written = sorted(merged.glob("*.png"))
    assert 3 <= len(written) < 200
    assert not list(merged.glob(".*")) and not list((job / "data_dst" / "merged_mask").glob(".*"))
    for path in written:
        read_image(path)
    # The frame that was being written when the signal came may lack its line in the record.
    finished = {path: path.stat().st_mtime_ns for path in written[:-3]}
    run_stage("merge", "--workspace", job, "--workers", 1, check=True)
    # The settings and the faces did not change, so what was finished was not made again.
    assert all(path.stat().st_mtime_ns == made for path, made in finished.items())
    assert len(list(merged.glob("*.png"))) == 200
