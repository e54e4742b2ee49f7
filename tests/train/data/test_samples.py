"""Crops become training samples at the model's size and face type, once, and damaged ones are named."""

import mmap
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Faceset, write_face
from faceswap.faceset.stored_masks import known_mask
from faceswap.geometry.geometry import (
    HEAD_MODEL,
    apply_transform,
    compose_transforms,
    crop_transform,
    invert_transform,
)
from faceswap.geometry.landmarks import eyes_mask, hull_mask, mouth_mask, pose_deg
from faceswap.train.data import samples as train_samples
from faceswap.train.data.cache import open_samples
from faceswap.train.data.samples import SampleStore
from faceswap.types import FaceType, Frame, Points, Side

RESOLUTION = 64


def landmarks() -> Points:
    """DFL's golden landmarks at rotation 0 (deepfacelab.md §15.1), in frame pixels."""
    return (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)


def smooth_frame(seed: int = 0) -> Frame:
    """640×640, smooth enough that resampling it twice differs little from once."""
    noise = np.random.default_rng(seed).uniform(0, 255, (20, 20, 3)).astype(np.float32)
    return cv2.resize(noise, (640, 640), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def meta(face_type: FaceType, size_px: int, name: str = "00001.png") -> FaceMeta:
    to_face = crop_transform(landmarks(), size_px, face_type)
    return FaceMeta(name, to_face, size_px, landmarks(), face_type, Side.SRC, 0, 0.9)


def cut(frame: Frame, face: FaceMeta) -> Frame:
    size = (face.size_px, face.size_px)
    return cv2.warpAffine(
        frame, face.frame_to_face, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def make_sample(crop: Frame, face: FaceMeta, face_type: FaceType, resolution: int) -> NDArray[np.uint8]:
    """The sample of a face without drawn and stored masks."""
    hull, origin = known_mask(Path("nowhere.png"), face, crop.shape[0])
    assert origin == "hull"
    return train_samples.make_sample(crop, hull, face, face_type, resolution)


def fill(folder: Path, face_type: FaceType, count: int, size_px: int = 128) -> Faceset:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        face = meta(face_type, size_px, f"{index:05d}.png")
        write_face(folder / f"{index:05d}_0.png", cut(smooth_frame(index), face), face)
    return Faceset.open(folder)


@pytest.mark.parametrize("stored", [FaceType.WHOLE, FaceType.HEAD])
@pytest.mark.parametrize("size_px", [96, 256, 512])
def test_a_sample_is_what_the_frame_shows_at_the_models_face_type(stored: FaceType, size_px: int) -> None:
    frame = smooth_frame()
    face = meta(stored, size_px)
    sample = make_sample(cut(frame, face), face, FaceType.WHOLE, RESOLUTION)
    direct = cut(frame, meta(FaceType.WHOLE, RESOLUTION))
    difference = np.abs(sample[..., :3].astype(int) - direct)[4:-4, 4:-4]
    assert difference.mean() < 1.5 and np.percentile(difference, 99) < 8


def test_a_crop_is_averaged_down_not_picked_from() -> None:
    """Stripes one pixel wide must become even grey, not a moiré of picked pixels."""
    face = meta(FaceType.WHOLE, 512)
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    sample = make_sample(stripes, face, FaceType.WHOLE, RESOLUTION)
    assert np.ptp(sample[..., :3].astype(int)) <= 2 and abs(sample[..., :3].mean() - 127.5) < 1


def test_the_mask_is_the_landmark_hull_with_soft_edges() -> None:
    face = meta(FaceType.WHOLE, 512)
    mask = make_sample(np.zeros((512, 512, 3), np.uint8), face, FaceType.WHOLE, RESOLUTION)[..., 3] / 255
    in_sample = apply_transform(crop_transform(landmarks(), RESOLUTION, FaceType.WHOLE), landmarks())
    hull = hull_mask(in_sample.astype(np.float32), RESOLUTION, RESOLUTION)
    around = np.ones((5, 5), np.uint8)
    assert np.all(mask[cv2.erode(hull, around) == 1] == 1)
    assert np.all(mask[cv2.dilate(hull, around) == 0] == 0)
    assert np.any((mask > 0.2) & (mask < 0.8))


def test_the_mask_follows_the_landmarks_when_re_cropped() -> None:
    wide, narrow = meta(FaceType.HEAD, 512), meta(FaceType.WHOLE, 512)
    black = np.zeros((512, 512, 3), np.uint8)
    from_head = make_sample(black, wide, FaceType.WHOLE, RESOLUTION)[..., 3].astype(int)
    from_whole = make_sample(black, narrow, FaceType.WHOLE, RESOLUTION)[..., 3].astype(int)
    assert np.abs(from_head - from_whole).mean() < 3


def test_a_crop_whose_file_was_resized_gives_the_same_sample() -> None:
    frame, face = smooth_frame(), meta(FaceType.WHOLE, 256)
    crop = cut(frame, face)
    half = cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA)
    whole, resized = (
        make_sample(each, face, FaceType.WHOLE, RESOLUTION).astype(int) for each in (crop, half)
    )
    assert np.abs(whole - resized).mean() < 2


def test_sixteen_bit_crops_become_eight_bit() -> None:
    face = meta(FaceType.WHOLE, 128)
    crop = np.full((128, 128, 3), 257 * 77, np.uint16)
    assert np.all(make_sample(crop, face, FaceType.WHOLE, RESOLUTION)[..., :3] == 77)


def test_a_smaller_face_type_is_refused_with_what_to_type(tmp_path: Path) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.FULL, 1)
    with pytest.raises(UserError, match="--face-type whole") as caught:
        open_samples(faceset, FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")
    assert "holds full faces" in str(caught.value)


def test_damaged_crops_are_named_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "aligned", FaceType.WHOLE, 3)
    cut_short = tmp_path / "aligned" / "00001_0.png"
    cut_short.write_bytes(cut_short.read_bytes()[:-2000])
    faceset = Faceset.open(tmp_path / "aligned")
    samples = open_samples(faceset, FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")
    assert samples.names == ("00000_0.png", "00002_0.png")
    assert "cut short" in samples.skipped["00001_0.png"]
    expected = make_sample(cut(smooth_frame(2), meta(FaceType.WHOLE, 128)), meta(FaceType.WHOLE, 128),
                           FaceType.WHOLE, RESOLUTION)  # fmt: skip
    assert np.array_equal(samples.take([1])[0], expected)


def test_only_damaged_crops_is_a_sentence(tmp_path: Path) -> None:
    fill(tmp_path / "aligned", FaceType.WHOLE, 1)
    path = tmp_path / "aligned" / "00000_0.png"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="no crop"):
        open_samples(Faceset.open(path.parent), FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")


def test_re_cropping_equals_cutting_the_smaller_type_from_the_frame() -> None:
    """The transform used for re-cropping takes landmarks exactly where the smaller crop has them."""
    wide, narrow = meta(FaceType.HEAD, 400), meta(FaceType.WHOLE, RESOLUTION)
    wide_to_narrow = compose_transforms(narrow.frame_to_face, invert_transform(wide.frame_to_face))
    assert np.allclose(
        apply_transform(wide_to_narrow, wide.crop_landmarks()), narrow.crop_landmarks(), atol=1e-3
    )


@pytest.mark.parametrize("resolution", [64, 128])
def test_eyes_and_mouth_lie_where_the_landmarks_are_at_any_resolution(
    tmp_path: Path, resolution: int
) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.HEAD, 2)
    samples = open_samples(faceset, FaceType.WHOLE, resolution, tmp_path / "cache", "src")
    masks = samples.eyes_mouth([1, 0])
    assert masks.shape == (2, 128, 128) and np.array_equal(masks[0], masks[1])
    direct = apply_transform(crop_transform(landmarks(), 128, FaceType.WHOLE), landmarks()).astype(np.float32)
    expected = np.minimum(eyes_mask(direct, 128, 128) + mouth_mask(direct, 128, 128), 1)
    assert np.abs(masks[0] / 255 - expected).mean() < 0.002
    assert samples.subset(np.array([1])).eyes_mouth([0]).shape == (1, 128, 128)


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="this system cannot be told")
def test_faces_that_were_read_leave_the_memory_and_can_be_read_again(tmp_path: Path) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 2)
    samples = open_samples(faceset, FaceType.WHOLE, 256, tmp_path / "cache", "src")
    before = samples.take([0, 1])
    held = mapped_bytes(samples)
    samples.release()
    assert mapped_bytes(samples) < held and held >= before.nbytes
    assert np.array_equal(samples.subset(np.array([0, 1])).take([0, 1]), before)


def mapped_bytes(samples: SampleStore) -> int:
    """How much of its file is in this process's memory."""
    assert isinstance(samples.pixels, np.memmap)
    mapped = psutil.Process().memory_maps()
    return sum(one.rss for one in mapped if one.path == str(samples.pixels.filename))


def test_yaws_are_those_of_the_landmarks(tmp_path: Path) -> None:
    faceset = fill(tmp_path / "aligned", FaceType.WHOLE, 3)
    samples = open_samples(faceset, FaceType.WHOLE, RESOLUTION, tmp_path / "cache", "src")
    face = faceset.faces[0].meta
    expected = np.deg2rad(pose_deg(face.crop_landmarks(), face.size_px)[1])
    assert samples.yaws_rad() == pytest.approx([expected] * 3, abs=2e-3)
    assert samples.subset(np.array([2])).yaws_rad().shape == (1,)
