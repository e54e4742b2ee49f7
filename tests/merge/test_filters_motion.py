"""Motion blur lies along the face's own movement, is as long as that, and follows the face's size."""

import cv2
import numpy as np
import pytest

from faceswap.merge.filters import blur_along, motion_kernel, movement
from faceswap.merge.masks import Prediction
from faceswap.merge.render import compose
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Image

STRAIGHT = np.array([[1.0, 0, 0], [0, 1, 0]])
# deepfacelab.md §15.6; OpenCV 5's exact linear warps move these by up to 4e-3.
GOLDEN = np.array(
    [
        [0, 0, 0, 0, 0.01574],
        [0, 0, 0.024874, 0.124368, 0.136028],
        [0, 0.099495, 0.198990, 0.099495, 0],
        [0.136028, 0.124368, 0.024874, 0, 0],
        [0.01574, 0, 0, 0, 0],
    ]
)


def spot(size_px: int = 101) -> Image:
    picture = np.zeros((size_px, size_px, 3), np.float32)
    picture[size_px // 2, size_px // 2] = 1
    return picture


def spread(picture: Image) -> np.ndarray:
    """Covariance of where the light of a spot lies, (x, y)."""
    light = np.where(picture[..., 0] > 1e-6, picture[..., 0], 0)
    y, x = np.nonzero(light)
    return np.cov(np.stack([x, y]), aweights=light[y, x])


def test_the_kernel_is_dfls_golden_one() -> None:
    assert np.abs(motion_kernel(5, 30) - GOLDEN).max() < 4e-3


@pytest.mark.parametrize("length_px", [1, 1.3, 2, 4.7, 9, 30.5])
@pytest.mark.parametrize("angle_deg", [0, 37, -90, 180])
def test_the_kernel_is_centred_and_keeps_the_light(length_px, angle_deg) -> None:
    kernel = motion_kernel(length_px, angle_deg)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(kernel - kernel[::-1, ::-1]).max() < 5e-3
    assert (kernel[len(kernel) // 2, len(kernel) // 2] == 1) == (length_px == 1)


def test_a_little_more_motion_blurs_a_little_more() -> None:
    widths = [
        np.sqrt(spread(blur_along(spot(), (x, 0), STRAIGHT, 100))[0, 0]) for x in np.arange(1, 15, 0.25)
    ]
    steps = np.diff(widths)
    assert (steps > 0).all() and steps.max() < 0.15


@pytest.mark.parametrize("motion", [(12.0, 0.0), (0.0, 12.0), (9.0, 9.0), (9.0, -9.0)])
def test_the_blur_lies_along_the_motion_and_is_as_long(motion) -> None:
    covariance = spread(blur_along(spot(), motion, STRAIGHT, 100))
    size, axes = np.linalg.eigh(covariance)
    assert abs(axes[:, 1] @ motion) == pytest.approx(np.hypot(*motion), rel=0.01)
    # A line of length n has a variance of n²/12.
    assert np.sqrt(12 * size[1]) == pytest.approx(1 + np.hypot(*motion), rel=0.08)
    assert size[0] < 0.3


def test_half_the_power_is_half_the_motion() -> None:
    half, whole = blur_along(spot(), (10, 4), STRAIGHT, 50), blur_along(spot(), (5, 2), STRAIGHT, 100)
    assert np.allclose(half, whole, atol=1e-6)


def test_a_tilted_crop_is_blurred_along_the_frames_direction() -> None:
    turned = np.array([[0.0, 1, 0], [-1, 0, 100]])
    covariance = spread(blur_along(spot(), (12, 0), turned, 100))
    assert covariance[1, 1] > 10 * covariance[0, 0]


def test_the_blur_ends_at_a_fifth_of_the_crop() -> None:
    longest = blur_along(spot(), (1e4, 0), STRAIGHT, 100)
    assert np.sqrt(12 * spread(longest)[0, 0]) == pytest.approx(0.2 * 101, rel=0.05)


def test_movement_is_how_far_the_face_goes_in_frame_pixels(face_at) -> None:
    assert movement(face_at(100, 80), face_at(107, 74.5)) == pytest.approx((7, -5.5), abs=1e-3)
    assert movement(face_at(100, 80), face_at(100, 80)) == (0, 0)


def test_the_same_motion_of_a_face_twice_as_large_blurs_it_alike(frame, face_at, prediction) -> None:
    everywhere = np.ones((64, 64), np.float32)
    sharp = Prediction(
        np.float32(np.indices((64, 64)).sum(0) // 8 % 2)[..., None].repeat(3, 2), everywhere, everywhere
    )
    settings = MergeSettings(mask_mode="full", color_transfer="none", motion_blur_power=50)
    small = compose(
        np.zeros((240, 320, 3), np.uint8), face_at(160, 120), FaceType.FULL, sharp, settings, (12, 5)
    )
    doubled = face_at(160, 120) * 2 + np.float32(0.5)
    large = compose(np.zeros((480, 640, 3), np.uint8), doubled, FaceType.FULL, sharp, settings, (24, 10))
    pictures = [np.zeros((240, 320, 3), np.uint8), np.zeros((480, 640, 3), np.uint8)]
    for picture, part in zip(pictures, (small, large), strict=True):
        picture[part.rectangle.slices] = part.pixels
    shrunk = cv2.resize(pictures[1], (320, 240), interpolation=cv2.INTER_AREA)
    still = compose(pictures[0] * 0, face_at(160, 120), FaceType.FULL, sharp, settings).pixels
    assert np.abs(small.pixels.astype(int) - still).mean() > 15, "the blur is to be seen"
    assert np.abs(shrunk.astype(int) - pictures[0]).mean() < 1.5
