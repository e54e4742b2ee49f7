import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import faceswap.media.denoise as module
from faceswap.errors import UserError
from faceswap.io.files import list_images
from faceswap.io.images import read_image, write_image
from faceswap.media.denoise import denoise
from faceswap.media.timestamps import NAME as TIMES
from stages.denoise import Settings, main


def still(height=64, width=96):
    y, x = np.mgrid[:height, :width]
    waves = [0.5 + 0.4 * np.sin(x / 40 + k) * np.cos(y / 30 - k) for k in range(3)]
    return np.stack(waves, -1)


def fill(folder, count=12, sigma=4, dtype=np.uint8, suffix="png", scene=None):
    """Frames of `scene` (count, H, W, 3) in [0, 1] with noise of `sigma` in 255ths."""
    rng, top = np.random.default_rng(0), np.iinfo(dtype).max
    for number in range(count):
        clean = still() if scene is None else scene[number]
        noisy = clean + rng.normal(0, sigma / 255, clean.shape)
        pixels = np.rint(np.clip(noisy, 0, 1) * top).astype(dtype)
        write_image(folder / f"{number + 1:05d}.{suffix}", pixels)
    return folder


def psnr(folder, scene, skip=3):
    errors = [
        np.mean((read_image(path) / np.iinfo(read_image(path).dtype).max - clean) ** 2)
        for path, clean in list(zip(list_images(folder), scene, strict=True))[skip:]
    ]
    return -10 * np.log10(np.mean(errors))


def content(folder):
    return {path.name: path.read_bytes() for path in list_images(folder)}


@pytest.mark.parametrize(("dtype", "suffix"), [(np.uint8, "png"), (np.uint16, "png"), (np.uint8, "jpg")])
def test_noise_goes_and_depth_names_and_originals_stay(tmp_path, dtype, suffix):
    folder = fill(tmp_path / "f", dtype=dtype, suffix=suffix)
    before = content(folder)
    made = denoise(folder, 7)
    assert content(folder) == before and made.originals == folder
    assert [p.name for p in list_images(made.frames)] == list(before)
    assert read_image(list_images(made.frames)[0]).dtype == dtype
    scene = [still()] * len(before)
    assert psnr(made.frames, scene) > psnr(folder, scene) + 2


@pytest.mark.parametrize("suffix", ["webp", "tif", "bmp"])
def test_frames_of_formats_that_are_not_written_become_png(tmp_path, suffix):
    folder = fill(tmp_path / "f", 3)
    for path in list_images(folder):
        Image.open(path).save(path.with_suffix(f".{suffix}"), lossless=True)
        path.unlink()
    before = content(folder)
    made = denoise(folder, 7)
    assert content(folder) == before
    assert [path.name for path in list_images(made.frames)] == ["00001.png", "00002.png", "00003.png"]
    filtered = content(made.frames)
    made = denoise(folder, 7, replace=True)
    assert content(folder) == filtered and content(made.originals) == before


def test_frames_that_would_meet_under_one_name_are_refused(tmp_path):
    folder = fill(tmp_path / "f", 2)
    Image.open(folder / "00001.png").save(folder / "00001.bmp")
    with pytest.raises(UserError, match="several frames of one name"):
        denoise(folder, 7)


def test_a_filmed_face_comes_nearer_to_the_truth(tmp_path, demo_clips):
    """Motion and detail, with noise of 4/255 over it: DeepFaceLab's factor of 7 gains 4 dB and more."""
    with av.open(str(demo_clips / "actor_a.mp4")) as container:
        frames = [f.to_ndarray(format="rgb24") / 255 for f in islice(container.decode(video=0), 12)]
    folder = fill(tmp_path / "f", scene=frames)
    denoise(folder, 7)
    assert psnr(tmp_path / "f_denoised", frames) > psnr(folder, frames) + 4


def test_16_bits_are_used_and_not_only_written(tmp_path):
    denoise(fill(tmp_path / "f", dtype=np.uint16), 5)
    values = np.unique(read_image(tmp_path / "f_denoised/00010.png"))
    assert len(values) > 1000


def test_a_stopped_run_ends_with_the_pixels_of_an_unstopped_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 5)
    monkeypatch.setattr(module, "WARM_UP", 2)
    whole, stopped = fill(tmp_path / "a"), fill(tmp_path / "b")
    denoise(whole, 7)
    denoise(stopped, 7)
    for number in (3, 8, 9, 12):
        (tmp_path / f"b_denoised/{number:05d}.png").unlink()
    denoise(stopped, 7)
    assert content(tmp_path / "a_denoised") == content(tmp_path / "b_denoised")


def test_a_run_is_divided_without_a_seam(tmp_path, monkeypatch):
    denoise(fill(tmp_path / "a", count=40), 7)
    monkeypatch.setattr(module, "CHUNK", 30)
    denoise(fill(tmp_path / "b", count=40), 7)
    for name in ("00031.png", "00040.png"):
        frames = [read_image(tmp_path / f"{side}_denoised" / name).astype(int) for side in "ab"]
        assert np.abs(frames[0] - frames[1]).max() <= 1


def test_replacing_keeps_the_originals_and_happens_once(tmp_path, capsys):
    folder = fill(tmp_path / "f")
    (folder / TIMES).write_text("{}")
    before = content(folder)
    made = denoise(folder, 7, replace=True)
    assert content(made.originals) == before and made.frames == folder
    after = content(folder)
    assert set(after) == set(before) and all(after[name] != before[name] for name in before)
    assert not (tmp_path / "f_denoised").exists() and (folder / TIMES).read_text() == "{}"
    denoise(folder, 7, replace=True)
    assert content(folder) == after and "already denoised" in capsys.readouterr().out


def test_replacing_that_was_stopped_goes_on_and_filters_nothing_twice(tmp_path, monkeypatch):
    folder, twin = fill(tmp_path / "f"), fill(tmp_path / "g")
    before = content(folder)
    denoise(twin, 7)
    moves, replace = [], os.replace

    def stop_at_the_fifth(source, target):
        if Path(target).parent == folder and Path(target).suffix == ".png":
            moves.append(target)
            if len(moves) == 5:
                raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        denoise(folder, 7, replace=True)
    assert set(content(folder)) == set(before)
    monkeypatch.undo()
    made = denoise(folder, 7)
    assert content(made.originals) == before and content(folder) == content(tmp_path / "g_denoised")


def test_frames_extracted_anew_are_denoised_again(tmp_path):
    folder = fill(tmp_path / "f")
    denoise(folder, 7, replace=True)
    fill(folder, sigma=6)
    before = content(folder)
    assert content(denoise(folder, 7, replace=True).originals) == before


def test_another_factor_asks_before_it_drops_what_is_there(tmp_path):
    folder = fill(tmp_path / "f", count=3)
    denoise(folder, 7)
    first = content(tmp_path / "f_denoised")
    with pytest.raises(UserError, match="holds denoised frames"):
        denoise(folder, 12)
    denoise(folder, 12, again=True)
    assert content(tmp_path / "f_denoised") != first


def test_bad_folders_are_told_apart_and_nothing_is_lost(tmp_path):
    with pytest.raises(UserError, match="no frames in"):
        main(Settings.parse(["--frames", str(tmp_path / "none")]))
    folder = fill(tmp_path / "f", count=4)
    write_image(folder / "00003.png", np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(UserError, match="not like the first"):
        denoise(folder, 7)
    (folder / "00003.png").write_bytes((folder / "00002.png").read_bytes()[:99])
    with pytest.raises(UserError, match="damaged"):
        denoise(folder, 7, replace=True)
    (tmp_path / "g_denoised").mkdir()
    (tmp_path / "g_denoised/mine.png").write_bytes(b"x")
    with pytest.raises(UserError, match="not made by this stage"):
        denoise(fill(tmp_path / "g", count=2), 7, again=True)
    assert (tmp_path / "g_denoised/mine.png").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_whole_files_and_can_be_continued(tmp_path, run_stage, number):
    folder = fill(tmp_path / "f", count=60)
    before = content(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.denoise", "--frames", "f", "--replace"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    while len(list_images(tmp_path / "f_denoised")) < 8 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(number)
    _, words = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number) and b"Traceback" not in words
    assert content(folder) == before
    for path in list_images(tmp_path / "f_denoised"):
        read_image(path)
    run_stage("denoise", "--frames", "f", "--replace", check=True)
    assert content(tmp_path / "f_trash/001") == before and len(list_images(folder)) == 60
    assert not (tmp_path / "f_denoised").exists()
