"""Shortcuts that were planted are found, and a clean set passes."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest

from faceswap.detector.measures.probes import PROBES, match_sharpness, probe_auc, run_probes, sharpness

SIZE = 96
PEOPLE = 70

Picture = np.ndarray


def texture(rng: np.random.Generator, tint: np.ndarray) -> Picture:
    """A crop with soft shapes, finer texture and grain, of about the colour of a person."""
    picture = np.full((SIZE, SIZE, 3), (150.0, 125.0, 105.0)) + tint
    for side, strength in ((6, 22), (24, 10), (48, 6)):
        field = rng.normal(0, strength, (side, side, 1)) + rng.normal(0, strength / 4, (side, side, 3))
        picture += cv2.resize(field, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    picture += rng.normal(0, 4, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


@cache
def pictures() -> list[Picture]:
    """Two of each person."""
    rng = np.random.default_rng(7)
    tints = np.repeat(rng.normal(0, 8, (PEOPLE, 3)), 2, axis=0)
    return [texture(rng, tint) for tint in tints]


def probed(leak: Callable[[Picture], Picture] | None = None, **numbers: np.ndarray) -> dict[str, float]:
    """Probes of the pictures, where every second is called fake and went through `leak`."""
    crops = [leak(crop) if leak and index % 2 else crop for index, crop in enumerate(pictures())]
    people = [f"person {index // 2}" for index in range(len(crops))]
    return run_probes(crops, np.arange(len(crops)) % 2, people, np.random.default_rng(0), numbers)


def jpeg(quality: int) -> Callable[[Picture], Picture]:
    def code(crop: Picture) -> Picture:
        _, data = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])

    return code


def resampled(crop: Picture) -> Picture:
    small = cv2.resize(crop, (72, 72), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def redder(crop: Picture) -> Picture:
    return np.clip(crop + np.array([25, 0, 0]), 0, 255).astype(np.uint8)


def channels_swapped(crop: Picture) -> Picture:
    return np.ascontiguousarray(crop[..., ::-1])


def other_background(crop: Picture) -> Picture:
    changed = np.clip(crop.astype(int) - 25, 0, 255).astype(np.uint8)
    changed[12:-12, 12:-12] = crop[12:-12, 12:-12]
    return changed


def even_values(crop: Picture) -> Picture:
    return crop & 0xFE


def limited_range(crop: Picture) -> Picture:
    studio = np.rint(16 + crop * (219 / 255))
    return np.clip(np.rint((studio - 16) * (255 / 219)), 0, 255).astype(np.uint8)


def test_a_clean_set_passes_every_probe() -> None:
    numbers = np.random.default_rng(1).normal(0, 1, (2 * PEOPLE, 2))
    found = probed(box=numbers)
    assert set(found) == {"blocks", "spectrum", "border", "histogram", "parity", "box"}
    assert all(0.3 < area < 0.68 for area in found.values()), found


@pytest.mark.parametrize(
    ("leak", "probes"),
    [
        (jpeg(75), {"blocks", "spectrum"}),
        (resampled, {"spectrum"}),
        (redder, {"histogram", "border"}),
        (channels_swapped, {"histogram", "border"}),
        (other_background, {"border"}),
        (even_values, {"parity"}),
        (limited_range, {"parity"}),
    ],
)
def test_a_planted_leak_is_caught(leak: Callable[[Picture], Picture], probes: set[str]) -> None:
    assert probes <= {name for name, area in probed(leak).items() if area > 0.8}


def test_sizes_of_files_and_boxes_are_probed_as_given() -> None:
    rng = np.random.default_rng(2)
    fake = np.tile([0, 1], PEOPLE)
    bytes_of_file = rng.normal(9000, 1000, fake.size) + 2500 * fake
    width, aspect = rng.normal(200, 20, fake.size), rng.normal(0.8, 0.02, fake.size) + 0.05 * fake
    found = probed(file_size=bytes_of_file, box=np.stack((width, aspect), axis=1))
    assert found["file_size"] > 0.8
    assert found["box"] > 0.8


def test_knowing_the_people_does_not_help_with_people_never_seen() -> None:
    # Each person's features are a fingerprint and the label is the person's own.
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(80), 5)
    fingerprints, labels = rng.normal(0, 1, (80, 80)), rng.permutation(np.arange(80) % 2)
    grouped = probe_auc(fingerprints[people], labels[people], people.tolist(), seed=0)
    leaking = probe_auc(fingerprints[people], labels[people], range(400), seed=0)
    assert 0.3 < grouped < 0.7
    assert leaking > 0.9


def test_the_same_dice_give_the_same_figure() -> None:
    x, y = np.random.default_rng(4).normal(0, 1, (60, 3)), np.arange(60) % 2
    first, again, other = (probe_auc(x, y, range(60), seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_feature_that_never_changes_is_no_clue() -> None:
    assert probe_auc(np.ones((20, 2)), np.arange(20) % 2, range(20), seed=0) == 0.5


@pytest.mark.parametrize(
    ("labels", "groups", "said"),
    [
        ([0, 0, 0, 0], "abcd", "two or more groups"),
        ([0, 1, 0, 1], "aaaa", "two or more groups"),
        ([0, 0, 0, 1], "abcd", "two or more groups"),
        ([0, 1, 0], "abcd", "3 labels and 4 groups"),
    ],
)
def test_what_cannot_be_probed_is_said(labels: list[int], groups: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        probe_auc(np.ones((4, 1)), labels, list(groups), seed=0)


def test_a_number_cannot_take_the_name_of_a_probe_of_pixels() -> None:
    with pytest.raises(ValueError, match="border"):
        run_probes([], [], [], np.random.default_rng(0), {"border": []})


def test_a_crop_is_blurred_under_the_mask_to_the_sharpness_of_another_and_never_sharpened() -> None:
    crop, mask = pictures()[0], np.zeros((SIZE, SIZE), np.float32)
    mask[20:70, 20:70] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 4)
    mask[mask < 0.01] = 0
    soft = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.5), np.uint8)
    matched = match_sharpness(crop, soft, mask)
    core = (mask > 0.95).astype(np.float32)
    assert sharpness(matched, core) < 1.2 * sharpness(soft, core) < 0.3 * sharpness(crop, core)
    assert np.array_equal(matched[mask == 0], crop[mask == 0])
    assert np.array_equal(match_sharpness(soft, crop, mask), soft)
    assert np.array_equal(match_sharpness(crop, soft, 0 * mask), crop)


@pytest.mark.parametrize("side", [32, 47, 48])
def test_every_probe_has_finite_features_of_the_smallest_crops(side: int) -> None:
    crop = cv2.resize(pictures()[0], (side, side), interpolation=cv2.INTER_AREA)
    assert all(np.isfinite(features(crop)).all() for features in PROBES.values())
