"""A detector is hardened only where it forgets nothing."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from faceswap.detector.data.pairs import Finished
from faceswap.detector.network.files import load_detector
from faceswap.detector.training.fit import Fit, Material, fit
from faceswap.detector.training.harden import NEW, Outcome, harden, own_pairs
from faceswap.detector.training.steps import Recipe
from faceswap.detector.training.training import Schedule
from faceswap.errors import UserError
from faceswap.geometry.landmarks import hull_mask
from faceswap.io.files import sha256
from faceswap.io.images import write_image, write_mask
from tests.detector.toy_set import SPEC, actor_frames

CPU, F32 = torch.device("cpu"), torch.float32
FRAMES_N = 70
FINE = Outcome(
    {"sbi": 0.8, NEW: 0.6}, {"sbi": 0.79, NEW: 0.9}, {"set": 0.05, NEW: 0.0}, {"set": 0.06, NEW: 0.01}
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Small frames of actor B whose face is painted green, darker from frame to frame."""
    folder = tmp_path_factory.mktemp("film")
    found = Finished({}, {}, {}, {})
    for index, (frame, points) in enumerate(actor_frames("b", FRAMES_N)):
        small, landmarks = cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA), points / 4 - 0.375
        mask = hull_mask(landmarks, 128, 128)
        merged = np.where(mask[..., None] > 0, np.uint8([0, 250 - index, 0]), small).astype(np.uint8)
        stem = f"{index:05d}"
        paths = [folder / f"{stem}_{kind}.png" for kind in ("frame", "merged", "mask")]
        write_image(paths[0], small)
        write_image(paths[1], merged)
        write_mask(paths[2], mask)
        found.frames[stem], found.merged[stem], found.masks[stem] = paths
        found.faces[stem] = [landmarks.astype(np.float32)]
    return found


def test_a_detector_that_lost_nothing_and_gained_is_taken() -> None:
    assert FINE.objections == []
    assert FINE.to_json()["accepted"] is True


def test_a_detector_that_missed_no_swap_before_is_taken_though_it_cannot_gain() -> None:
    assert replace(FINE, before={"sbi": 0.8, NEW: 1.0}, after={"sbi": 0.8, NEW: 1.0}).objections == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"after": {"sbi": 0.77, NEW: 0.9}}, "sbi fell"),
        ({"false_after": {"set": 0.08, NEW: 0.0}}, "false positives on set rose"),
        ({"false_after": {"set": 0.05, NEW: 0.03}}, "false positives on own rose"),
        ({"after": {"sbi": 0.8, NEW: 0.5}}, "own swaps fell"),
    ],
)
def test_what_got_worse_is_an_objection(changed: dict[str, object], word: str) -> None:
    worse = replace(FINE, **changed)  # type: ignore[arg-type]
    assert len(worse.objections) == 1
    assert word in worse.objections[0]


def test_early_frames_train_and_late_ones_examine_with_a_gap_between(film: Finished) -> None:
    train, exam = own_pairs(film, 32)
    names = [pair.person for pair in train.kept], [pair.person for pair in exam.kept]
    assert len(names[0]) == 42  # 60 % of 70
    assert len(names[1]) == 21  # 30 % of 70
    assert int(max(names[0])) + 1 + 7 == int(min(names[1]))


def test_a_film_of_a_few_frames_is_refused(film: Finished) -> None:
    short = replace(film, merged=dict(list(film.merged.items())[:30]))
    with pytest.raises(UserError, match="30 swapped faces"):
        own_pairs(short, 32)


def test_hardening_writes_a_detector_only_where_nothing_objects_and_leaves_the_base_alone(
    film: Finished, toy_set: Path, tmp_path: Path
) -> None:
    spec = SPEC
    material = Material.open(toy_set)
    how = Fit(spec, Recipe(arm="scratch", pairs=2), Schedule(iterations=2), exam_pairs=10)
    base = fit(material, tmp_path / "base", how, CPU, F32).best
    before = {path.name: sha256(path) for path in base.iterdir()}
    outcome = harden(material, film, base, tmp_path / "run", Schedule(iterations=8), CPU, F32, exam_pairs=10)
    assert set(outcome.after) == {"sbi", "affine", "seamless", "part", NEW}
    assert (tmp_path / "run" / "hardened").is_dir() == (not outcome.objections)
    if not outcome.objections:
        card = load_detector(tmp_path / "run" / "hardened")[1]
        assert card.training["hardened"]["accepted"] is True
    assert {path.name: sha256(path) for path in base.iterdir()} == before
