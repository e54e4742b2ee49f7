"""Which crops show the same picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.detector.data.gather import cut
from faceswap.detector.data.manifest import LIMIT, difference_hash, from_text, near, to_text
from faceswap.detector.training.fit import Material
from faceswap.io.images import read_image
from tests.detector.toy_set import actor_frames


def test_the_bits_say_where_it_gets_brighter_to_the_right_and_downwards() -> None:
    ramp = np.repeat(np.linspace(0, 250, 72).astype(np.uint8)[None, :, None], 72, axis=0).repeat(3, axis=2)
    full, none = np.uint64(2**64 - 1), np.uint64(0)
    assert difference_hash(ramp).tolist() == [full, none]
    assert difference_hash(ramp[:, ::-1]).tolist() == [none, none]
    assert difference_hash(ramp.transpose(1, 0, 2)).tolist() == [none, full]


def test_pairs_are_those_that_counting_bits_one_by_one_finds() -> None:
    rng = np.random.default_rng(0)
    some = rng.integers(0, 2**64, (300, 2), dtype=np.uint64)
    # Copies with 0 … 39 flipped bits, over both words.
    others = some[rng.permutation(300)[:40]].copy()
    for count, hashes in enumerate(others):
        for bit in rng.permutation(128)[:count]:
            hashes[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)

    def apart(one: np.ndarray, other: np.ndarray) -> int:
        return sum(bin(int(a) ^ int(b)).count("1") for a, b in zip(one, other, strict=True))

    expected = {(i, j) for i, a in enumerate(some) for j, b in enumerate(others) if apart(a, b) <= 17}
    assert {tuple(pair) for pair in near(some, others, 17).tolist()} == expected
    assert len(expected) == 18


def test_nothing_is_near_to_nothing() -> None:
    some, none = np.zeros((3, 2), np.uint64), np.zeros((0, 2), np.uint64)
    assert near(some, none).shape == near(none, some).shape == near(none, none).shape == (0, 2)


def test_hashes_survive_being_written_down() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64, (5, 2), dtype=np.uint64)
    hashes[0] = 0
    assert {tuple(row) for row in from_text(to_text(hashes)).tolist()} == {tuple(r) for r in hashes.tolist()}
    assert from_text(()).shape == (0, 2)
    with pytest.raises(ValueError, match="invalid literal"):
        from_text(["no hash"])


def test_a_crop_is_found_again_after_compression_and_a_shift_and_another_face_is_not() -> None:
    (frame, points), (other, others_points) = actor_frames("a", 1)[0], actor_frames("b", 1)[0]
    crop = cut(frame, points)
    _, code = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 50])
    compressed = cv2.imdecode(code, cv2.IMREAD_COLOR)
    shifted = cut(frame, points + np.float32([1, -1]))
    brighter = np.clip(crop * 1.1 + 5, 0, 255).astype(np.uint8)
    known = difference_hash(crop)[None]
    again = np.stack([difference_hash(one) for one in (compressed, shifted, brighter)])
    assert near(again, known, LIMIT)[:, 0].tolist() == [0, 1, 2]
    assert near(difference_hash(cut(other, others_points))[None], known, LIMIT).size == 0


def test_a_set_knows_the_looks_of_what_may_be_learnt_from_and_not_of_its_exam(toy_set: Path) -> None:
    material = Material.open(toy_set)
    hashes = {
        item.file: to_text([difference_hash(read_image(toy_set / item.file))])[0] for item in material.items
    }
    learnt = {hashes[item.file] for item in material.items if item.split != "test"}
    assert set(material.looks) == learnt
    assert not learnt & {hashes[item.file] for item in material.items if item.split == "test"}
