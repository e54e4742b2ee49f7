"""`python -m stages.merge --upscaler` as a user types it."""

from pathlib import Path

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.files import list_images
from faceswap.io.images import read_image, read_mask
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import MergeSettings
from stages import merge
from tests.merge.test_upscale import network
from tests.stages.test_merge import make_job

LOOK = MergeSettings(mask_mode="dst", color_transfer="none", super_resolution_power=100)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_job(tmp_path / "job", frames=1)


def typed(job: Path, *words: object) -> None:
    merge.main(merge.Settings.parse(["--workspace", str(job), "--device", "cpu", *map(str, words)]))


def face(job: Path) -> np.ndarray:
    mask = read_mask(job / "data_dst/merged_mask/00001.png")
    return read_image(job / "data_dst/merged/00001.png")[mask == 1]


def test_it_draws_the_face_and_another_one_draws_it_again_only_when_asked(job: Path, tmp_path: Path) -> None:
    look = ("--mask-mode", "dst", "--color-transfer", "none", "--super-resolution-power", 100)
    black, white = network(tmp_path / "black.onnx", 4, gain=0), network(tmp_path / "white.onnx", 2, gain=1000)
    typed(job, *look, "--upscaler", black)
    assert (face(job) == 0).all()
    with pytest.raises(UserError, match="another way"):
        typed(job, *look, "--upscaler", white)
    typed(job, *look, "--upscaler", white, "--again")
    assert (face(job) == 255).all()


def test_a_session_keeps_it_until_it_is_sent_away(job: Path, tmp_path: Path) -> None:
    path, clip = job / "model/new" / NAME, Clip.of(list_images(job / "data_dst"))
    Session(path, clip, Keyframes(LOOK)).save()
    black = network(tmp_path / "black.onnx", 4, gain=0)
    typed(job, "--upscaler", black)
    typed(job)
    assert (face(job) == 0).all()
    typed(job, "--upscaler", "bundled")
    assert (face(job) > 0).any()
    assert Session.open(path, clip, LOOK).upscaler is None


def test_one_that_is_none_is_refused_and_the_session_keeps_what_it_had(job: Path, tmp_path: Path) -> None:
    path, clip = job / "model/new" / NAME, Clip.of(list_images(job / "data_dst"))
    Session(path, clip, Keyframes(LOOK)).save()
    with pytest.raises(UserError, match="is no upscaler"):
        typed(job, "--upscaler", network(tmp_path / "three.onnx", 3))
    assert Session.open(path, clip, LOOK).upscaler is None and not (job / "data_dst/merged").exists()
