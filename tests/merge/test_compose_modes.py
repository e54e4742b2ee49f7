"""Every mode and colour transfer: what it changes, what it leaves, and that it looks alike at every size."""

from typing import get_args

import cv2
import numpy as np
import pytest

from faceswap.color.transfer import ColorTransfer
from faceswap.geometry.warp import crop_face
from faceswap.merge.masks import Prediction
from faceswap.merge.render import Composite, compose, raw_picture
from faceswap.merge.settings import MergeSettings, Mode
from faceswap.types import FaceType, Frame, Points

LAID: list[Mode] = ["overlay", "hist-match", "seamless", "seamless-hist-match"]
TREATED = {
    "motion_blur_power": 30,
    "super_resolution_power": 50,
    "sharpen_mode": "box",
    "blursharpen_amount": 2,
}


@pytest.fixture
def dark() -> Frame:
    """A dim bluish picture of 360 × 480, smooth, so that its light can be told."""
    soft = cv2.resize(np.random.default_rng(8).random((5, 6, 3), np.float32), (480, 360))
    return np.rint(255 * (0.08 + 0.25 * soft * np.float32([0.6, 0.8, 1.2]))).astype(np.uint8)


def laid(frame: Frame, landmarks: Points, prediction: Prediction, **look: object) -> tuple[Frame, Composite]:
    settings = MergeSettings.model_validate({"color_transfer": "none", "mask_mode": "learned-prd"} | look)
    part = compose(frame, landmarks, FaceType.WHOLE, prediction, settings, (6.0, 3.0))
    result = frame.copy()
    result[part.rectangle.slices] = part.pixels
    return result, part


@pytest.mark.parametrize("mode", LAID)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_the_mask_is_zero_every_mode_is_bit_identical(frame, face_at, prediction, mode, dtype) -> None:
    deep = frame.astype(dtype) * (257 if dtype is np.uint16 else 1)
    result, part = laid(deep, face_at(240, 170), prediction, mode=mode, color_transfer="rct", **TREATED)
    before = deep[part.rectangle.slices]
    assert result.dtype == dtype
    assert np.array_equal(part.pixels[part.mask == 0], before[part.mask == 0])
    assert (part.pixels[part.mask > 0.5] != before[part.mask > 0.5]).mean() > 0.9


@pytest.mark.parametrize("mode", LAID)
def test_sixteen_bits_give_what_eight_give_only_finer(dark, face_at, prediction, mode) -> None:
    coarse, _ = laid(dark, face_at(240, 170), prediction, mode=mode)
    fine, part = laid(dark.astype(np.uint16) * 257, face_at(240, 170), prediction, mode=mode)
    assert np.abs(fine / 257 - coarse).max() <= 1.5
    inside = fine[part.rectangle.slices][part.mask > 0.5]
    assert len(np.unique(inside)) > 1000


@pytest.mark.parametrize("transfer", get_args(ColorTransfer))
def test_every_transfer_but_none_brings_the_face_nearer_to_the_frames_light(
    dark, face_at, prediction, transfer
) -> None:
    result, part = laid(dark, face_at(240, 170), prediction, color_transfer=transfer)
    inside = part.mask > 0.9
    means = [picture[part.rectangle.slices][inside].mean(0) for picture in (result, dark)]
    assert (np.abs(means[0] - means[1]).max() < 8) == (transfer != "none")


@pytest.mark.parametrize("transfer", ["idt-m", "sot-m", "mix-m"])
def test_a_transfer_that_draws_directions_draws_the_same_in_every_frame(
    dark, face_at, prediction, transfer
) -> None:
    pictures = [laid(dark, face_at(240, 170), prediction, color_transfer=transfer)[0] for _ in range(2)]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("mode", ["hist-match", "seamless", "seamless-hist-match"])
def test_these_modes_take_the_frames_light(dark, face_at, prediction, mode) -> None:
    def distance(mode: Mode) -> float:
        result, part = laid(dark, face_at(240, 170), prediction, mode=mode, hist_match_threshold=255)
        inside = part.mask > 0.9
        return float(np.abs(result.astype(int) - dark)[part.rectangle.slices][inside].mean())

    assert distance(mode) < 0.6 * distance("overlay")


def test_a_seamless_face_meets_the_frame_at_the_edge_of_its_mask(dark, face_at, prediction) -> None:
    def step(mode: Mode) -> float:
        result, part = laid(dark, face_at(240, 170), prediction, mode=mode, erode=0, blur=10)
        edge = (part.mask > 0.6) & (cv2.erode((part.mask > 0.6).astype(np.uint8), np.ones((3, 3))) == 0)
        return float(np.abs(result.astype(int) - dark)[part.rectangle.slices][edge].mean())

    assert step("seamless") < 0.5 * step("overlay")


def test_a_lower_threshold_keeps_highlights_down(dark, face_at, prediction) -> None:
    bright = [
        int(
            laid(dark, face_at(240, 170), prediction, mode="hist-match", hist_match_threshold=t)[
                1
            ].pixels.max()
        )
        for t in (120, 238, 255)
    ]
    assert bright[0] <= bright[1] <= bright[2]
    pictures = [
        laid(dark, face_at(240, 170), prediction, mode="hist-match", hist_match_threshold=t)[1]
        for t in (120, 255)
    ]
    inside = pictures[0].mask > 0.9
    assert pictures[0].pixels[inside].mean() < pictures[1].pixels[inside].mean() - 3


def test_masked_matching_looks_at_the_face_only(dark, face_at, prediction) -> None:
    """A bright frame around a dark face must not brighten it."""
    landmarks = face_at(240, 170)
    _, part = laid(dark, landmarks, prediction, erode=-150)
    bright = np.full_like(dark, 250)
    bright[part.rectangle.slices] = np.where(part.mask[..., None] > 0, dark[part.rectangle.slices], 250)
    means = []
    for masked in (True, False):
        _, part = laid(bright, landmarks, prediction, mode="hist-match", masked_hist_match=masked, erode=20)
        means.append(part.pixels[part.mask > 0.9].mean())
    assert means[0] < 90 and means[1] > means[0] + 30


@pytest.mark.parametrize("mode", LAID)
@pytest.mark.parametrize(("x", "width_px"), [(3, 100), (478, 60), (240, 9), (240, 600)])
def test_no_face_is_too_small_too_large_or_too_near_the_edge(
    dark, face_at, prediction, mode, x, width_px
) -> None:
    result, part = laid(
        dark, face_at(x, 170, width_px), prediction, mode=mode, color_transfer="rct", **TREATED
    )
    assert part.mask.any() and result.shape == dark.shape


@pytest.mark.parametrize("mode", ["seamless", "hist-match"])
@pytest.mark.parametrize("transfer", ["none", "rct", "lct"])
def test_a_face_half_outside_the_frame_is_not_darkened_by_the_black_beyond(face_at, mode, transfer) -> None:
    grey = np.full((200, 300, 3), 150, np.uint8)
    face = np.clip(np.random.default_rng(1).normal(0.55, 0.05, (64, 64, 3)), 0, 1).astype(np.float32)
    mask = np.zeros((64, 64), np.float32)
    mask[12:52, 12:52] = 1
    _, part = laid(grey, face_at(4, 90), Prediction(face, mask, mask), mode=mode, color_transfer=transfer)
    assert part.pixels[part.mask > 0.9].mean() > 138


def test_raw_rgb_pastes_the_whole_crop_unblended_and_keeps_the_mask_as_it_is(
    frame, face_at, prediction
) -> None:
    landmarks = face_at(240, 170)
    look = {"mode": "raw-rgb", "erode": 100, "blur": 200, "color_transfer": "rct", "blursharpen_amount": -50}
    result, part = laid(frame, landmarks, prediction, **look)
    assert (result != frame).any(-1).sum() > 2 * (part.mask > 0).sum()
    crop = crop_face(result, landmarks, 64, FaceType.WHOLE)
    assert np.abs(crop - prediction.face)[3:-3, 3:-3].mean() < 0.02
    shown = np.zeros_like(frame)
    shown[part.rectangle.slices] = np.rint(255 * part.mask)[..., None]
    alpha = crop_face(shown, landmarks, 64, FaceType.WHOLE)[..., 0]
    assert np.abs(alpha - prediction.mask_prd)[2:-2, 2:-2].max() < 0.12


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_raw_predict_is_the_models_picture_and_mask(face_at, prediction, depth) -> None:
    settings = MergeSettings(
        mode="raw-predict", mask_mode="learned-prd", erode=100, super_resolution_power=100
    )
    pixels, mask = raw_picture(face_at(240, 170), FaceType.WHOLE, prediction, settings, depth)
    assert pixels.dtype == depth and pixels.shape == (64, 64, 3) and mask.shape == (64, 64)
    assert np.abs(pixels / np.iinfo(depth).max - prediction.face).max() <= 0.5 / 255
    assert np.abs(mask - prediction.mask_prd).mean() < 0.01


def test_raw_predict_has_no_place_in_a_frame(frame, face_at, prediction) -> None:
    with pytest.raises(ValueError, match="raw-predict"):
        laid(frame, face_at(240, 170), prediction, mode="raw-predict")


@pytest.mark.parametrize(
    "look",
    [
        *({"mode": mode, "color_transfer": "rct"} for mode in (*LAID, "raw-rgb")),
        {"blursharpen_amount": -30},
        {"blursharpen_amount": 3, "sharpen_mode": "gaussian"},
        {"super_resolution_power": 100},
        {"output_face_scale": 15, "mode": "seamless"},
    ],
)
def test_the_same_face_three_times_as_large_looks_the_same(dark, face_at, prediction, look) -> None:
    """720p and 2160p: the large picture, shrunk, is the small one."""
    small = face_at(240, 170, 160)
    here, _ = laid(dark, small, prediction, **look)
    large = cv2.resize(dark, (1440, 1080), interpolation=cv2.INTER_CUBIC)
    there, _ = laid(large, small * 3 + np.float32(1), prediction, **look)
    shrunk = cv2.resize(there, (480, 360), interpolation=cv2.INTER_AREA)
    changed = (here != dark).any(-1)
    assert changed.mean() > 0.05
    assert np.abs(shrunk.astype(int) - here)[changed].mean() < 1.5
