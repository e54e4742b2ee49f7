"""Training: stopping and continuing changes nothing, damage is noticed."""

import signal
from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.facepack.cache import FaceCache
from faceswap.facepack.make import LandmarkTask
from faceswap.facepack.networks import Landmarker
from faceswap.learn.loop import Schedule, train
from faceswap.learn.state import StateFile

pytest.importorskip("skimage")


def trained(faces: FaceCache, path: Path, stop_after: int | None = None) -> dict[str, torch.Tensor]:
    """Four steps of the landmarker, interrupted after `stop_after` of them and then continued."""
    if stop_after is not None:
        task, drawn = started(faces), 0
        draw = task.draw

        def interrupted(random):
            nonlocal drawn
            drawn += 1
            if drawn == stop_after:
                signal.raise_signal(signal.SIGINT)
            return draw(random)

        task.draw = interrupted
        with pytest.raises(KeyboardInterrupt):
            train(task, kept(path), Schedule(steps=4))
    return train(started(faces), kept(path), Schedule(steps=4)).state_dict()


def kept(path: Path) -> StateFile:
    return StateFile(path, lambda network: None)


def started(faces: FaceCache) -> LandmarkTask:
    torch.manual_seed(1)
    return LandmarkTask(faces, batch=2, network=Landmarker(widths=(8, 8, 8, 8), fused=8))


def test_an_interrupted_training_continued_equals_one_that_never_stopped(
    drawn_faces: FaceCache, tmp_path: Path
) -> None:
    whole = trained(drawn_faces, tmp_path / "whole.safetensors")
    parts = trained(drawn_faces, tmp_path / "parts.safetensors", stop_after=2)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_flipped_bit_in_the_state_is_noticed(drawn_faces: FaceCache, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    train(started(drawn_faces), kept(path), Schedule(steps=1))
    stored = bytearray(path.read_bytes())
    stored[-1] ^= 1
    path.write_bytes(stored)
    with pytest.raises(UserError, match="damaged"):
        train(started(drawn_faces), kept(path), Schedule(steps=2))


def test_a_truncated_state_is_refused_with_a_sentence(drawn_faces: FaceCache, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="cannot be read"):
        train(started(drawn_faces), kept(path), Schedule(steps=1))


def test_the_schedule_rises_then_falls_to_nearly_nothing() -> None:
    schedule = Schedule(steps=100)
    rates = [schedule.rate(step / 100) for step in range(101)]
    assert rates[0] < 0.1 < max(rates[:5])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)
    assert schedule.done(50, 1e9) == 0.5
    assert Schedule(minutes=2).done(50, 60) == 0.5
