"""The bundled super-resolution is nearer to what was filmed than enlarging, and power mixes it."""

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.merge.enhance import FACTOR, BackProjection, super_resolve
from faceswap.merge.render import compose
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Image


def filmed(shared_data: Path) -> Iterator[Image]:
    with av.open(str(shared_data / "clips" / "host_1080p.mp4")) as clip:
        yield next(clip.decode(video=0)).to_ndarray(format="rgb24")[150:662, 712:1224]
    photo = cv2.imread(str(shared_data / "landmarked" / "3dsk" / "agata.jpg"))[..., ::-1]
    yield photo[100:700, :]


def likeness(image: Image, truth: Image) -> tuple[float, float]:
    """PSNR in dB and SSIM of the grey pictures (Wang, Bovik, Sheikh, Simoncelli 2004)."""
    psnr = -10 * np.log10(np.mean(np.square(image - truth)))
    a, b = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (image, truth))

    def mean(picture: Image) -> Image:
        return cv2.GaussianBlur(picture, (11, 11), 1.5)

    joint = mean(a * b) - mean(a) * mean(b)
    spread = mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2
    ssim = (2 * mean(a) * mean(b) + 1e-4) * (2 * joint + 9e-4)
    return float(psnr), float((ssim / ((mean(a) ** 2 + mean(b) ** 2 + 1e-4) * (spread + 9e-4))).mean())


def test_it_is_nearer_to_the_truth_than_cubic_enlarging(shared_data: Path) -> None:
    for frame in filmed(shared_data):
        truth = frame.astype(np.float32) / 255
        small = cv2.resize(truth, None, fx=1 / FACTOR, fy=1 / FACTOR, interpolation=cv2.INTER_AREA)
        cubic = np.clip(cv2.resize(small, truth.shape[1::-1], interpolation=cv2.INTER_CUBIC), 0, 1)
        psnr, ssim = np.subtract(likeness(BackProjection().enhance(small), truth), likeness(cubic, truth))
        assert psnr > 1 and ssim > 0.004


def test_shrunk_it_is_the_face_again(prediction) -> None:
    fine = BackProjection().enhance(prediction.face)
    assert fine.shape == (256, 256, 3) and fine.dtype == np.float32
    assert fine.min() >= 0 and fine.max() <= 1
    shrunk = cv2.resize(fine, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - prediction.face).mean() < 0.002


class White:
    def enhance(self, face: Image) -> Image:
        return np.ones((4 * face.shape[0], 4 * face.shape[1], 3), np.float32)


def test_power_is_the_share_of_the_enhancer() -> None:
    black = np.zeros((16, 16, 3), np.float32)
    assert np.allclose(super_resolve(black, White(), 30), 0.3)


def test_any_enhancer_serves_and_is_asked_only_where_wanted(frame, face_at, prediction) -> None:
    plain = MergeSettings(mask_mode="full", color_transfer="none")
    landmarks = face_at(240, 170)
    for power in (0, 100):
        settings = plain.model_copy(update={"super_resolution_power": power})
        part = compose(frame, landmarks, FaceType.WHOLE, prediction, settings, enhancer=White())
        assert (part.pixels[part.mask == 1] == 255).all() == bool(power)


@pytest.mark.parametrize("width_px", [40, 150])
def test_a_finer_face_lies_in_the_same_place(frame, face_at, prediction, width_px) -> None:
    plain = MergeSettings(mask_mode="full", color_transfer="none")
    finer = plain.model_copy(update={"super_resolution_power": 100})
    parts = [
        compose(frame, face_at(240, 170, width_px), FaceType.WHOLE, prediction, settings)
        for settings in (plain, finer)
    ]
    assert np.array_equal(parts[0].mask, parts[1].mask)
    assert np.abs(parts[0].pixels.astype(int) - parts[1].pixels)[parts[0].mask == 1].mean() < 2
