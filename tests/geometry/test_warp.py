"""Cutting a crop and putting it back loses no more than interpolation must (issue 2, "crop round trip")."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from faceswap.geometry.geometry import HEAD_MODEL, apply_transform, crop_transform, invert_transform
from faceswap.geometry.warp import cut_crop
from faceswap.types import FaceType, Frame, Points, Transform


def face_at(center: tuple[float, float], width_px: float, degrees: float) -> Points:
    """Landmarks of the mean head, `width_px` wide at the jaw, rolled, around `center`."""
    flat = HEAD_MODEL[:, :2] * width_px / np.ptp(HEAD_MODEL[:, 0])
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (flat @ turn.T + center).astype(np.float32)


def put_back(crop: Frame, frame_to_face: Transform, shape: tuple[int, int]) -> tuple[Frame, np.ndarray]:
    """The crop in the frame's place, and where it lies inside crop and frame by 4 px."""
    back = cv2.warpAffine(
        crop,
        frame_to_face,
        shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    y, x = np.indices(shape)
    there = apply_transform(frame_to_face, np.stack([x.ravel(), y.ravel()], 1).astype(np.float64))
    inside = ((there > 4) & (there < crop.shape[0] - 5)).all(1).reshape(shape)
    inside &= (x > 3) & (y > 3) & (x < shape[1] - 4) & (y < shape[0] - 4)
    return back, inside


@pytest.mark.parametrize("face_type", FaceType)
def test_a_linear_ramp_survives_the_round_trip_within_one_level(face_type: FaceType) -> None:
    y, x = np.indices((480, 640))
    ramp = np.stack([x * 255 / 639, y * 255 / 479, (x + y) * 255 / 1118], -1)
    frame = np.rint(ramp).astype(np.uint8)
    frame_to_face = crop_transform(face_at((322.3, 215.7), 130, 12), 512, face_type)
    back, inside = put_back(cut_crop(frame, frame_to_face, 512), frame_to_face, (480, 640))
    difference = np.abs(back[inside].astype(int) - frame[inside])
    assert inside.sum() > 10_000
    assert difference.max() <= 1


def test_a_real_frame_survives_a_512_px_crop(shared_data: Path) -> None:
    with av.open(str(shared_data / "clips" / "host_1080p.mp4")) as clip:
        frame = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    # The face of the first frame, looked at: 239 px wide around (966, 373), rolled by 3 degrees.
    frame_to_face = crop_transform(face_at((968, 380), 225, 3), 512, FaceType.WHOLE)
    back, inside = put_back(cut_crop(frame, frame_to_face, 512), frame_to_face, frame.shape[:2])
    difference = np.abs(back[inside].astype(int) - frame[inside])
    assert inside.sum() > 100_000
    assert difference.mean() <= 0.2
    assert np.percentile(difference, 99) <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("face_px", [60, 900])
def test_the_crop_shows_what_its_transform_says(dtype: type, face_px: int) -> None:
    """A soft spot lands where the transform takes its centre, whether the face grows or shrinks."""
    y, x = np.indices((1000, 1200))
    spot = (611.25, 487.75)
    sigma = face_px / 10
    blob = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * sigma**2)) * np.iinfo(dtype).max
    frame = np.repeat(np.rint(blob)[..., None], 3, 2).astype(dtype)
    frame_to_face = crop_transform(face_at((600, 500), face_px, -20), 256, FaceType.WHOLE)
    crop = cut_crop(frame, frame_to_face, 256)
    weight = crop[..., 1].astype(np.float64)
    rows, columns = np.indices(weight.shape)
    found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    assert crop.dtype == dtype
    np.testing.assert_allclose(found, apply_transform(frame_to_face, np.array([spot]))[0], atol=0.05)


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    """A one-pixel checkerboard becomes even grey when four frame pixels fall into one of the crop."""
    y, x = np.indices((1024, 1024))
    board = np.repeat((((x + y) % 2) * 255)[..., None], 3, 2).astype(np.uint8)
    frame_to_face = np.array([[0.25, 0.003, 0.0], [-0.003, 0.25, 5.0]])
    crop = cut_crop(board, frame_to_face, 200)[20:-20, 20:-20].astype(int)
    assert np.abs(crop - 127.5).max() < 16


def test_beyond_the_frame_the_crop_is_black() -> None:
    white = np.full((200, 200, 3), 255, np.uint8)
    frame_to_face = crop_transform(face_at((0, 100), 100, 0), 128, FaceType.WHOLE)
    crop = cut_crop(white, frame_to_face, 128)
    to_frame = apply_transform(invert_transform(frame_to_face), np.array([(5.0, 64.0), (120.0, 64.0)]))
    assert to_frame[0, 0] < -5
    assert to_frame[1, 0] > 5
    assert crop[64, 5].max() == 0
    assert crop[64, 120].min() == 255
