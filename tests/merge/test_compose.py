"""A swap changes what its mask covers, exactly nothing else, and the same way at every size."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.geometry.landmarks import hull_mask
from faceswap.geometry.warp import Rectangle, crop_face, paste_mask, placement
from faceswap.merge.masks import Prediction
from faceswap.merge.render import compose
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Frame, Mask, Points

PLAIN = MergeSettings(mask_mode="full", erode=0, blur=0, color_transfer="none")


def laid(
    frame: Frame, landmarks: Points, prediction: Prediction, settings: MergeSettings
) -> tuple[Frame, Mask]:
    """The whole frame after composing, and the whole mask."""
    part = compose(frame, landmarks, FaceType.WHOLE, prediction, settings)
    result, mask = frame.copy(), np.zeros(frame.shape[:2], np.float32)
    result[part.rectangle.slices], mask[part.rectangle.slices] = part.pixels, part.mask
    return result, mask


def itself(frame: Frame, landmarks: Points, size_px: int) -> Prediction:
    """The prediction of a model that changes nothing."""
    everywhere = np.ones((size_px, size_px), np.float32)
    return Prediction(crop_face(frame, landmarks, size_px, FaceType.WHOLE), everywhere, everywhere)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("transfer", ["none", "rct"])
def test_where_the_mask_is_zero_the_frame_is_bit_identical(
    frame, face_at, prediction, dtype, transfer
) -> None:
    deep = frame.astype(dtype) * (257 if dtype is np.uint16 else 1)
    before = deep.copy()
    result, mask = laid(deep, face_at(240, 170), prediction, MergeSettings(color_transfer=transfer))
    assert result.dtype == dtype
    assert 0.02 < (mask > 0.5).mean() < 0.5
    assert np.array_equal(result[mask == 0], before[mask == 0])
    assert (result[mask > 0.5] != before[mask > 0.5]).mean() > 0.9
    assert np.array_equal(deep, before), "the caller's frame was changed"


def test_an_empty_mask_changes_nothing(frame, face_at, prediction) -> None:
    nothing = np.zeros((64, 64), np.float32)
    part = compose(
        frame, face_at(240, 170), FaceType.WHOLE, Prediction(prediction.face, nothing, nothing), PLAIN
    )
    assert part.mask.any()
    empty = MergeSettings(erode=0, blur=50)
    part = compose(
        frame, face_at(240, 170), FaceType.WHOLE, Prediction(prediction.face, nothing, nothing), empty
    )
    assert part.rectangle == Rectangle(0, 0, 0, 0)
    assert part.pixels.shape == (0, 0, 3) and part.mask.shape == (0, 0)


@pytest.mark.parametrize("size_px", [224, 512])
def test_a_linear_ramp_survives_cropping_and_pasting_within_one_level(face_at, size_px) -> None:
    y, x = np.indices((480, 640))
    ramp = np.stack([x * 255 / 639, y * 255 / 479, (x + y) * 255 / 1118], -1)
    frame = np.rint(ramp).astype(np.uint8)
    landmarks = face_at(322.3, 235.7, 110, 12)
    result, mask = laid(frame, landmarks, itself(frame, landmarks, size_px), PLAIN)
    assert (mask == 1).sum() > 20_000
    assert np.abs(result.astype(int) - frame).max() <= 1


def test_a_real_frame_survives_a_512_px_crop(shared_data: Path, face_at) -> None:
    with av.open(str(shared_data / "clips" / "host_1080p.mp4")) as clip:
        frame = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    landmarks = face_at(968, 380, 225, 3)
    result, mask = laid(frame, landmarks, itself(frame, landmarks, 512), PLAIN)
    difference = np.abs(result.astype(int) - frame)[mask > 0.99]
    assert len(difference) > 100_000
    assert difference.mean() <= 0.2
    assert np.percentile(difference, 99) <= 2


def test_pasting_lands_where_the_crop_was_taken(frame, face_at) -> None:
    """A marked crop pixel comes back at the frame position its transform names."""
    landmarks, size_px = face_at(240, 170, 140), 256
    face = np.zeros((size_px, size_px, 3), np.float32)
    face[100, 60] = 1
    everywhere = np.ones((size_px, size_px), np.float32)
    result, _ = laid(np.zeros_like(frame), landmarks, Prediction(face, everywhere, everywhere), PLAIN)
    weight = result[..., 0].astype(np.float64)
    center = [(weight.sum(axis) * np.arange(weight.shape[1 - axis])).sum() / weight.sum() for axis in (0, 1)]
    wanted = apply_transform(placement(landmarks, size_px, FaceType.WHOLE, 1.0), np.array([[60.0, 100.0]]))
    assert center == pytest.approx(wanted[0], abs=0.15)


def test_the_hull_mask_covers_the_hull_of_the_frame(frame, face_at, prediction) -> None:
    landmarks = face_at(240, 180, 150)
    _, mask = laid(frame, landmarks, prediction, PLAIN.model_copy(update={"mask_mode": "dst"}))
    hull = hull_mask(landmarks, 360, 480)
    assert np.minimum(mask, hull).sum() / np.maximum(mask, hull).sum() > 0.97


@pytest.mark.parametrize("settings", [MergeSettings(), MergeSettings(mask_mode="dst", erode=-60, blur=120)])
def test_the_same_face_twice_as_large_gets_the_same_mask(frame, face_at, prediction, settings) -> None:
    small = face_at(240, 170, 100)
    _, mask = laid(frame, small, prediction, settings)
    doubled = cv2.resize(frame, (960, 720))
    _, large = laid(doubled, small * 2 + np.float32(0.5), prediction, settings)
    shrunk = cv2.resize(large, (480, 360), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - mask).max() < 0.05


def test_the_work_does_not_depend_on_the_frame_around_the_face(frame, face_at, prediction) -> None:
    """In a canvas of 4K the same face gives the same rectangle of the same pixels, shifted."""
    landmarks = face_at(240, 170, 100)
    here = compose(frame, landmarks, FaceType.WHOLE, prediction, MergeSettings())
    canvas = np.zeros((2160, 3840, 3), np.uint8)
    canvas[1024 : 1024 + 360, 2048 : 2048 + 480] = frame
    shifted = landmarks + np.float32([2048, 1024])
    there = compose(canvas, shifted, FaceType.WHOLE, prediction, MergeSettings())
    assert (there.rectangle.left, there.rectangle.top) == (
        here.rectangle.left + 2048,
        here.rectangle.top + 1024,
    )
    assert there.pixels.shape == here.pixels.shape
    assert np.abs(there.pixels.astype(int) - here.pixels).max() <= 1


@pytest.mark.parametrize("width_px", [14, 60, 230])
def test_the_rectangle_holds_all_that_the_mask_covers(frame, face_at, prediction, width_px) -> None:
    landmarks = face_at(240, 170, width_px)
    part = compose(frame, landmarks, FaceType.WHOLE, prediction, MergeSettings(erode=-30))
    assert part.mask.any()
    for edge, inside_frame in (
        (part.mask[0], part.rectangle.top > 0),
        (part.mask[-1], part.rectangle.top + part.rectangle.height < 360),
        (part.mask[:, 0], part.rectangle.left > 0),
        (part.mask[:, -1], part.rectangle.left + part.rectangle.width < 480),
    ):
        assert not inside_frame or edge.max() == 0


def test_a_small_face_is_averaged_not_skipped_through(face_at) -> None:
    """A checkerboard pasted twelve times smaller becomes grey."""
    board = np.float32(np.indices((512, 512)).sum(0) % 2)[..., None].repeat(3, 2)
    everywhere = np.ones((512, 512), np.float32)
    frame = np.zeros((120, 160, 3), np.uint8)
    result, mask = laid(frame, face_at(80, 60, 20), Prediction(board, everywhere, everywhere), PLAIN)
    inner = cv2.erode(mask, np.ones((7, 7))) == 1
    assert inner.sum() > 200
    assert np.abs(result[inner].astype(int) - 128).max() <= 2


def test_a_face_half_outside_the_frame_is_merged_and_one_far_outside_is_not(
    frame, face_at, prediction
) -> None:
    part = compose(frame, face_at(3, 100), FaceType.WHOLE, prediction, MergeSettings())
    assert part.rectangle.left == 0 and part.mask.any()
    assert part.pixels.shape[:2] == part.mask.shape == (part.rectangle.height, part.rectangle.width)
    for x, y in ((-900, 100), (100, -900), (2000, 100), (100, 2000)):
        gone = compose(frame, face_at(x, y), FaceType.WHOLE, prediction, MergeSettings())
        assert gone.mask.size == 0


def test_a_positive_output_scale_pastes_a_smaller_face_as_in_dfl(frame, face_at, prediction) -> None:
    areas = {
        scale: laid(frame, face_at(240, 170), prediction, MergeSettings(output_face_scale=scale))[1].sum()
        for scale in (-20, 0, 20)
    }
    assert areas[20] / areas[0] == pytest.approx(1 / 1.2**2, rel=0.02)
    assert areas[-20] / areas[0] == pytest.approx(1 / 0.8**2, rel=0.02)


def test_mode_original_leaves_the_pixels_and_gives_the_mask(frame, face_at, prediction) -> None:
    settings = MergeSettings(mode="original")
    result, mask = laid(frame, face_at(240, 170), prediction, settings)
    assert np.array_equal(result, frame)
    assert np.array_equal(mask, laid(frame, face_at(240, 170), prediction, MergeSettings())[1])


def test_values_are_rounded(face_at) -> None:
    """Half-way between 10 and 11 at full opacity: a mean level, not the lower one."""
    frame = np.full((200, 200, 3), 10, np.uint8)
    face, everywhere = np.full((64, 64, 3), 10.9 / 255, np.float32), np.ones((64, 64), np.float32)
    result, mask = laid(frame, face_at(100, 100, 60), Prediction(face, everywhere, everywhere), PLAIN)
    assert (result[mask == 1] == 11).all()


def test_a_mask_warped_with_its_transform_stays_within_zero_and_one(face_at) -> None:
    ones = np.ones((512, 512), np.float32)
    place = placement(face_at(50, 50, 90), 512, FaceType.HEAD, 1.0)
    mask = paste_mask(ones, place, Rectangle(0, 0, 100, 100))
    assert mask.min() >= 0 and mask.max() <= 1 + 1e-6
    assert np.allclose(
        crop_transform(face_at(50, 50, 90), 512, FaceType.HEAD)[:, :2] @ place[:, :2], np.eye(2)
    )
