"""How good a model is: figures that move as they should, on faces that are never trained on."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from faceswap.align.packs import load_pack
from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.geometry.landmarks import outer_eye_distance
from faceswap.train.data.samples import MOST, SampleStore, hold_back
from faceswap.train.options import StepOptions
from faceswap.train.quality import FaceReader, Figures, Judge, Track, masked_mean, ssim_map
from faceswap.train.update.steps import TrainStep
from faceswap.types import FaceType
from faceswap.workspace import assets


def test_held_back_faces_follow_from_their_names_and_are_never_trained_on(small: SimpleNamespace) -> None:
    kept, held = hold_back(small.store(500), 0.1)
    assert held is not None and 30 < len(held) <= MOST
    assert not set(kept.names) & set(held.names)
    fewer = small.store(500).subset(np.arange(250))
    kept_now, held_now = hold_back(fewer, 0.1)
    assert set(held_now.names) <= set(held.names), "a face stays held back when others go"  # type: ignore[union-attr]
    assert set(kept_now.names) <= set(kept.names)


def test_a_subset_shows_its_own_faces(small: SimpleNamespace) -> None:
    store = small.store(500)
    _, held = hold_back(store, 0.1)
    for row, name in enumerate(held.names):
        assert np.array_equal(held.take([row])[0], store.take([int(name[:5])])[0])


def test_few_faces_or_no_share_hold_nothing_back(small: SimpleNamespace) -> None:
    store = small.store(40)
    assert hold_back(store, 0.02) == (store, None)
    assert hold_back(store, 0.0) == (store, None)
    store = small.store(2000)
    kept, held = hold_back(store, 0.5)
    assert len(held) == MOST and len(kept) < 1100, "what is not measured is not trained on either"  # type: ignore[arg-type]


def test_ssim_is_one_for_the_same_and_falls_with_what_differs() -> None:
    picture = cv2.resize(np.random.default_rng(0).random((8, 8, 3)).astype(np.float32), (64, 64))
    assert np.allclose(ssim_map(picture, picture), 1, atol=1e-5)
    noise = np.random.default_rng(1).normal(0, 1, picture.shape).astype(np.float32)
    figures = [float(ssim_map(picture + share * noise, picture).mean()) for share in (0.01, 0.05, 0.2)]
    assert figures[0] > figures[1] > figures[2]
    flat = np.full_like(picture, 0.3)
    # Of two even pictures only the means speak: (2·ab + c1) / (a² + b² + c1), a = 0.3, b = 0.6.
    assert ssim_map(flat, 2 * flat).mean() == pytest.approx((0.36 + 1e-4) / (0.45 + 1e-4), rel=1e-4)


def test_only_what_the_mask_shows_counts() -> None:
    values = np.zeros((8, 8, 3), np.float32)
    values[:4] = 3.0
    mask = np.zeros((8, 8), np.float32)
    mask[:4] = 1
    assert masked_mean(values, mask) == 3.0 and masked_mean(values, 0 * mask) == 1.5


def test_a_model_that_learns_its_faces_measures_better(small: SimpleNamespace, tmp_path: Path) -> None:
    training = small.trainer(tmp_path, None)
    judge = Judge(small.store(6), small.store(5), None)
    before = judge.measure(training.step, 0)
    options = StepOptions(learning_rate=3e-4, random_warp=False)
    step = TrainStep(training.run.model, options, torch.device("cpu"))
    for iteration in range(30):
        step(training.batches.draw(2 * iteration), 1, iteration + 100)
    after = judge.measure(step, 30)
    assert after.error < before.error and after.psnr > before.psnr and after.landmarks is None
    assert judge.measure(step, 30) == after, "always the same faces"


def test_the_track_is_kept_cut_and_says_what_is_best(tmp_path: Path) -> None:
    track = Track(tmp_path / "quality.jsonl", 0)
    assert [track.add(Figures(10 * n, 20.0, ssim)) for n, ssim in enumerate((0.5, 0.7, 0.6), 1)] == [
        True, True, False,
    ]  # fmt: skip
    again = Track(tmp_path / "quality.jsonl", 20)
    assert [figures.iteration for figures in again.figures] == [10, 20]
    assert again.errors_since(10) == [pytest.approx(0.3)]
    with (tmp_path / "quality.jsonl").open("a") as file:
        file.write('{"iteration": 40, "ps')
    assert len(Track(tmp_path / "quality.jsonl", 99).figures) == 3


def still(actor: int = 0, at: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bundled actor's face in frame number `at` as a crop of 128 px, and its landmarks in it."""
    pytest.importorskip("insightface")
    clips = sorted((assets() / "demo").glob("*.mp4"))
    from faceswap.align.analysis import FaceAnalyzer

    capture = cv2.VideoCapture(str(clips[actor]))
    capture.set(cv2.CAP_PROP_POS_FRAMES, at)
    frame = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    face = FaceAnalyzer(load_pack("bundled", "cpu")).find(frame)[0]
    to_crop = crop_transform(face.landmarks, 128, FaceType.WHOLE)
    crop = cv2.warpAffine(frame, to_crop, (128, 128), flags=cv2.INTER_AREA)
    return crop, apply_transform(to_crop, face.landmarks)


def test_a_reader_finds_landmarks_in_a_crop_and_sees_a_moved_mouth() -> None:
    crop, known = still()
    reader = FaceReader.load("bundled", FaceType.WHOLE)
    found = reader.landmarks(crop)
    off = np.linalg.norm(found - known, axis=1).mean() / outer_eye_distance(known)
    assert off < 0.05 and not reader.knows_people
    shifted = np.roll(crop, 6, axis=0)
    moved = (reader.landmarks(shifted) - found).mean(axis=0)
    assert moved[1] == pytest.approx(6, abs=1.5) and abs(moved[0]) < 1.5


def test_a_recogniser_tells_the_actors_from_one_another(tmp_path: Path, shared_data: Path) -> None:
    recogniser = shared_data / "teachers" / "mobilefacenet_128.onnx"
    for model in (*(assets() / "faces").glob("*.onnx"), recogniser):
        (tmp_path / model.name).write_bytes(model.read_bytes())
    sides = []
    for actor in (0, 1):
        crops = [still(actor, at)[0] for at in (0, 60, 120)]
        full = np.full((3, 128, 128, 1), 255, np.uint8)
        pixels = np.concatenate((np.stack(crops), full), axis=-1)
        sides.append(SampleStore(pixels, ("0", "1", "2"), {}))
    judge = Judge(sides[1], sides[0], FaceReader.load(str(tmp_path), FaceType.WHOLE))
    own, others = judge.yardstick()  # type: ignore[misc]
    assert own > 0.8 and others < 0.6
    assert Judge(sides[1], sides[0], FaceReader.load("bundled", FaceType.WHOLE)).yardstick() is None
