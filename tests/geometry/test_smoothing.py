"""Landmarks smoothed along time: steadier, not later, and true movement is still there."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.facepack import exams
from faceswap.facepack.teachers import Teachers
from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.geometry.landmarks import INNER, MESH_POINTS
from faceswap.geometry.smoothing import jitter, smooth_track

Track = NDArray[np.float32]
FRAMES = 150


def still(frames: int) -> Track:
    head = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
    return np.repeat(head[None], frames, 0)


def trembling(frames: int, px: float = 1.0, seed: int = 0) -> Track:
    noise = np.random.default_rng(seed).normal(size=(frames, 68, 2))
    return (still(frames) + px * noise).astype(np.float32)


def lag(track: Track, reference: Track, reach: int = 4) -> float:
    """Frames by which a track is behind another: where the correlation of their velocities over all points
    is highest, between frames by a parabola through the peak and its neighbours."""
    late, early = (np.diff(points, axis=0).reshape(len(points) - 1, -1) for points in (track, reference))
    correlations = []
    for shift in range(-reach, reach + 1):
        a, b = (
            late[max(0, shift) :][: len(late) - abs(shift)],
            early[max(0, -shift) :][: len(late) - abs(shift)],
        )
        correlations.append(float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())))
    peak = int(np.argmax(correlations))
    assert 0 < peak < 2 * reach
    before, top, after = correlations[peak - 1 : peak + 2]
    return peak - reach + (before - after) / (2 * (before - 2 * top + after))


def test_lag_is_measured_in_frames() -> None:
    moving = trembling(80, 3.0).cumsum(0)
    assert lag(moving[:-2], moving[2:]) == pytest.approx(2, abs=0.2)
    assert lag(moving[2:], moving[:-2]) == pytest.approx(-2, abs=0.2)


def test_straight_movement_stays_as_it_is_up_to_both_ends() -> None:
    ramp = still(30) + np.arange(30, dtype=np.float32)[:, None, None] * np.float32([3.5, -2.25])
    np.testing.assert_allclose(smooth_track(ramp), ramp, atol=1e-3)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_tracks_too_short_to_tremble_stay_as_they_are(frames: int) -> None:
    track = trembling(frames) if frames else still(0)
    np.testing.assert_array_equal(smooth_track(track), track)


@pytest.mark.parametrize("period", [12, 25, 60])
def test_a_swaying_face_is_smoothed_without_lag_and_keeps_its_sway(period: int) -> None:
    sway = 20 * np.sin(2 * np.pi * np.arange(120) / period)
    clean = still(120) + np.stack([sway, np.zeros(120)], -1)[:, None].astype(np.float32)
    smoothed = smooth_track(trembling(120, 0.8) + clean - still(120))
    x = smoothed[:, :, 0].mean(1)
    wave = np.exp(-2j * np.pi * np.arange(120) / period)
    heard, true = (np.sum((signal - signal.mean()) * wave) for signal in (x, clean[:, :, 0].mean(1)))
    assert abs(np.angle(heard / true)) * period / (2 * np.pi) < 0.02
    assert abs(heard / true) == pytest.approx(1, abs=0.04)


def test_time_reversed_landmarks_are_smoothed_to_the_reverse() -> None:
    track = trembling(50, 2.0)
    np.testing.assert_allclose(smooth_track(track[::-1])[::-1], smooth_track(track), atol=1e-3)


def test_trembling_is_at_least_halved_and_the_mean_stays() -> None:
    track = trembling(200)
    smoothed = smooth_track(track)
    before, after = jitter([track]), jitter([smoothed])
    assert before is not None
    assert after is not None
    assert after < 0.4 * before
    np.testing.assert_allclose(smoothed.mean(0), track.mean(0), atol=0.02)


def test_smoothed_landmarks_are_nearer_to_the_truth_at_the_ends_and_between() -> None:
    errors = []
    for seed in range(20):
        track = trembling(40, 1.0, seed)
        errors.append(np.abs(np.stack([smooth_track(track), track]) - still(40)).mean((2, 3)))
    smoothed, found = np.mean(errors, 0)
    assert smoothed[1:-1].mean() < 0.75 * found[1:-1].mean()
    assert smoothed[[0, -1]].max() < found.mean()


def test_ends_of_a_bent_path_do_not_shrink_towards_its_middle() -> None:
    t = np.arange(40.0)
    path = still(40) + np.stack([0.05 * (t - 20) ** 2, 2 * t], -1)[:, None].astype(np.float32)
    np.testing.assert_allclose(smooth_track(path)[[0, -1]], path[[0, -1]], atol=0.1)


def test_a_blink_keeps_its_depth_while_the_rest_gets_steadier() -> None:
    lids, closing = [37, 38, 43, 44], 9.0 * np.array([0.3, 0.9, 1.0, 0.9, 0.5, 0.2])
    track = trembling(60, 0.3)
    open_eyes = smooth_track(track)
    track[30:36, lids, 1] += closing[:, None].astype(np.float32)
    smoothed = smooth_track(track)
    depth = (smoothed - still(60))[30:36][:, lids, 1].mean(1)
    np.testing.assert_allclose(depth.max(), 9.0, rtol=0.05)
    np.testing.assert_array_equal(smoothed[:, 48:], open_eyes[:, 48:])


def test_a_cut_that_was_missed_is_not_smoothed_across() -> None:
    track = trembling(60, 0.3)
    track[30:] += 12
    smoothed = smooth_track(track)
    step = (smoothed[30] - smoothed[29]).mean()
    assert step == pytest.approx(12, abs=0.2)
    np.testing.assert_allclose(smoothed[28:32].mean((1, 2)), track[28:32].mean((1, 2)), atol=0.3)


def test_jitter_is_the_second_difference_in_outer_eye_distances() -> None:
    track = still(21)
    eyes = np.linalg.norm(track[0, 36] - track[0, 45])
    # To and fro by d every frame is a second difference of 2 (d - (-d)) = 4 d.
    track[::2, :, 0] += np.float32(0.01) * eyes
    track[1::2, :, 0] -= np.float32(0.01) * eyes
    assert jitter([track, still(2)]) == pytest.approx(0.04, rel=1e-3)
    assert jitter([2 * track]) == pytest.approx(0.04, rel=1e-3)
    assert jitter([still(2), still(1)]) is None


@pytest.fixture(scope="module")
def analyst() -> FaceAnalyzer:
    return FaceAnalyzer(load_pack("bundled", "cpu"))


def _found(analyst: FaceAnalyzer, path: Path) -> Track:
    return np.stack([analyst.find(frame)[0].landmarks for frame in islice(exams.frames(path), FRAMES)])


@pytest.mark.slow
@pytest.mark.parametrize("name", exams.EVALUATION_CLIPS)
def test_the_issues_bar_jitter_is_halved_and_nothing_lags_behind_facemesh(
    analyst: FaceAnalyzer, shared_data: Path, name: str
) -> None:
    path = next((shared_data / "clips").glob(f"{name}.*"))
    teachers = Teachers(shared_data / "teachers")
    found = _found(analyst, path)
    smoothed = smooth_track(found)
    five = (np.stack([face[[*corners]].mean(0) for corners in FIVE]) for face in found)
    mesh = np.stack([teachers.mesh(*pair) for pair in zip(exams.frames(path), five, strict=False)])
    before, after = jitter([found]), jitter([smoothed])
    assert before is not None
    assert after is not None
    assert after <= 0.5 * before
    assert abs(lag(smoothed[:, MESH_POINTS], mesh[:, MESH_POINTS])) <= 0.5


FIVE = (range(36, 42), range(42, 48), (30,), (48,), (54,))


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["a", "b"])
def test_the_actors_true_movement_is_kept(analyst: FaceAnalyzer, demo_clips: Path, actor: str) -> None:
    told = json.loads((demo_clips / f"actor_{actor}.json").read_text(encoding="utf-8"))["frames"][:FRAMES]
    truth = np.array([frame["landmarks68"] for frame in told], np.float32) - 0.5
    found = _found(analyst, demo_clips / f"actor_{actor}.mp4")
    smoothed = smooth_track(found)
    error_found, error_smoothed = (
        np.linalg.norm((track - truth)[:, INNER], axis=-1).mean() for track in (found, smoothed)
    )
    assert error_smoothed <= error_found
    # What the found landmarks show of the true opening of eyes and mouth, the smoothed ones show as well.
    for upper, lower in (([37, 38, 43, 44], [41, 40, 47, 46]), ([61, 62, 63], [67, 66, 65])):
        opening, shown, kept = (
            np.linalg.norm(track[:, upper] - track[:, lower], axis=-1).mean(1)
            for track in (truth, found, smoothed)
        )
        slope_shown, slope_kept = (np.polyfit(opening, seen, 1)[0] for seen in (shown, kept))
        assert slope_kept == pytest.approx(slope_shown, rel=0.05)
