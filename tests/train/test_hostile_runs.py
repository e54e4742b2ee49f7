"""A model's files that are damaged or made to harm: the older intact one is taken, and it is said."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.learn import optimizers as moments
from faceswap.learn.backups import back_up, restore
from faceswap.learn.stored import check_run, stored_model
from faceswap.models.arch import ModelSpec
from faceswap.train.data import cache
from faceswap.train.log import History
from faceswap.train.quality import Track
from faceswap.train.run import open_run
from faceswap.train.update.optim import load_by_name, make_optimizer, state_by_name
from faceswap.types import FaceType, Json, Side
from tests.hostile import attacked, documents

SMALL = {
    "arch": "DF-UD",
    "resolution": 64,
    "ae_dims": 32,
    "encoder_dims": 16,
    "decoder_dims": 16,
    "mask_dims": 16,
}
STATE: Json = {"iteration": 6, "samples": 24, "elapsed_s": 9.5, "seed": 1, "base": None, "spec": SMALL,
               "face_type": "whole", "conditions": {"device": "cpu"}}  # fmt: skip
WHOLE = {"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.int64)}

Change = Callable[[dict[str, Tensor]], Any]


@pytest.fixture(autouse=True)
def spare_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def rehashed(path: Path, text: bytes) -> None:
    """Write a state with the hash that belongs to what it says, where it says anything."""
    try:
        content = json.loads(text)
        content.pop("sha256", None)
        content["sha256"] = checkpoint._state_hash(content)
        text = json.dumps(content).encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass
    (path / "state.json").write_bytes(text)


@attacked(documents({"schema": 1, "files": {}, **STATE}))
def test_a_hostile_state_with_its_right_hash_is_refused_or_describes_a_model(
    tmp_path: Path, hostile: bytes
) -> None:
    rehashed(tmp_path, hostile)
    try:
        state = checkpoint.read_state(tmp_path)
        described = stored_model(checkpoint.Loaded(state, {}, tmp_path))
        ModelSpec.from_json(described.spec)
    except (checkpoint.DamagedError, UserError) as error:
        assert len(str(error)) < 1000
        return
    assert 0 <= state["iteration"] <= 10**9


WRONG: dict[str, Change] = {
    "missing": lambda tensors: tensors.pop("a"),
    "renamed": lambda tensors: tensors.update(z=tensors.pop("a")),
    "of another shape": lambda tensors: tensors.update(a=torch.ones(3, 2)),
    "flat": lambda tensors: tensors.update(a=torch.ones(6)),
    "whole numbers": lambda tensors: tensors.update(a=torch.ones(2, 3, dtype=torch.int32)),
    "NaN": lambda tensors: tensors.update(a=torch.full((2, 3), torch.nan)),
    "infinite": lambda tensors: tensors.update(a=torch.tensor([[1.0, 2, 3], [4, -torch.inf, 6]])),
    "one more": lambda tensors: tensors.update(c=torch.ones(1)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_older_model_is_continued_where_the_newest_holds_wrong_weights(
    tmp_path: Path, wrong: str
) -> None:
    run = open_run(tmp_path, SMALL, 0, None)
    tensors = dict(run.model.state_dict())
    first = next(name for name, value in tensors.items() if value.dim() == 4)
    state = STATE | {"spec": run.model.spec.to_json()}
    checkpoint.save(tmp_path, {"weights": tensors}, state | {"iteration": 5})
    swapped = {"a": tensors.pop(first)}
    WRONG[wrong](swapped)
    broken = tensors | {first if name == "a" else name: value for name, value in swapped.items()}
    checkpoint.save(tmp_path, {"weights": broken}, state)
    again = open_run(tmp_path, {}, 0, None)
    assert again.iteration == 5
    assert "checkpoint 00000006 is damaged" in again.notes[0]
    assert (tmp_path / "checkpoints" / "00000006.damaged").is_dir()


@pytest.mark.parametrize("change", [
    {"iteration": -1}, {"iteration": 10**30}, {"elapsed_s": -5.0}, {"samples": "many"}, {"seed": None},
    {"step_factor": 0}, {"face_type": "nose"}, {"spec": {}}, {"spec": SMALL | {"resolution": 10**6}},
    {"phase": -2},
])  # fmt: skip
def test_the_older_model_is_continued_where_the_newest_counts_impossibly(
    tmp_path: Path, change: Json
) -> None:
    run = open_run(tmp_path, SMALL, 0, None)
    weights = {"weights": run.model.state_dict()}
    state = STATE | {"spec": run.model.spec.to_json()}
    checkpoint.save(tmp_path, weights, state | {"iteration": 5})
    path = checkpoint.save(tmp_path, weights, state)
    rehashed(path, json.dumps(json.loads((path / "state.json").read_bytes()) | change).encode())
    loaded = checkpoint.load(tmp_path, accept=check_run)
    assert loaded.iteration == 5
    assert len(loaded.rejected) == 1


def test_where_no_checkpoint_is_intact_a_backup_is_named(tmp_path: Path) -> None:
    run = open_run(tmp_path, SMALL, 0, None)
    weights = {"weights": run.model.state_dict()}
    path = checkpoint.save(tmp_path, weights, STATE | {"spec": run.model.spec.to_json(), "iteration": 5})
    back_up(tmp_path, "hand")
    # Written anew, for a backup is a second name of the same file.
    (path / "state.json").unlink()
    (path / "state.json").write_text("{")
    with pytest.raises(UserError, match=r"stages\.model restore"):
        open_run(tmp_path, {}, 0, None)
    restore(tmp_path, 5)
    assert open_run(tmp_path, {}, 0, None).iteration == 5


_NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 1e30, -1e30, 1e-40, 2.5e9])


@attacked(st.dictionaries(
    st.sampled_from([f"{n}/{key}" for n in "019" for key in moments._KEYS] + ["x", "/"]),
    st.tuples(_NUMBERS, st.sampled_from([(), (1,), (2,), (2, 2), (0,), (4, 2)]),
              st.sampled_from([torch.float32, torch.float16, torch.int64, torch.bool])),
))  # fmt: skip
def test_hostile_moments_are_refused_or_can_be_gone_on_with(hostile: dict[str, Any]) -> None:
    network = nn.Linear(2, 2)
    tensors = {name: torch.full(shape, value).to(kind) for name, (value, shape, kind) in hostile.items()}
    optimizer = torch.optim.AdamW(network.parameters())
    try:
        moments.check_tensors(optimizer, tensors)
    except checkpoint.DamagedError:
        return
    moments.load_tensors(optimizer, tensors)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["adabelief", "rmsprop", "adamw"])
@pytest.mark.parametrize("spoil", ["flat", "negative", "one number", "whole numbers"])
def test_wrong_moments_by_name_start_afresh(name: Any, spoil: str) -> None:
    network = nn.Linear(2, 2)
    params = dict(network.named_parameters())
    optimizer = make_optimizer(name, params.values())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    saved = state_by_name(optimizer, params)
    how = {"flat": lambda v: v.reshape(-1)[:1], "negative": lambda v: -v - 1, "one number": lambda v: v.sum(),
           "whole numbers": lambda v: v.to(torch.int32)}[spoil]  # fmt: skip
    spoilt = {key: how(value) if value.dim() else value for key, value in saved.items()}
    load_by_name(optimizer, params, spoilt)
    optimizer.step()
    assert all(bool(param.isfinite().all()) for param in params.values())


LINE = {"iteration": 2, "src": 0.5, "dst": 0.25, "ms": 90.0}


@attacked(documents(LINE))
def test_a_hostile_line_of_the_history_costs_itself_alone(tmp_path: Path, hostile: bytes) -> None:
    path = tmp_path / "history.jsonl"
    lines = [json.dumps(LINE | {"iteration": number}).encode() for number in (1, 3, 4)]
    path.write_bytes(b"\n".join([lines[0], hostile, *lines[1:], b""]))
    with History(path, 10) as history:
        kept = set(history.iterations)
        history.mean_since(0)
        history.append(11, 0.5, 0.5, 10.0)
    # A line that says 5 … 10 stands before those of less, which then come late.
    assert 1 in kept and (kept >= {1, 3, 4} or max(kept) > 3)


@attacked(documents({"iteration": 5, "psnr": 20.5, "ssim": 0.9, "landmarks": None}), 500)
def test_hostile_figures_are_passed_over(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "quality.jsonl").write_bytes(hostile + b"\n")
    track = Track(tmp_path / "quality.jsonl", 10)
    assert track.errors_since(-1) == [1 - figures.ssim for figures in track.figures]


def test_a_cache_that_does_not_fit_its_pixels_is_made_anew(
    tmp_path: Path, make_faces: Callable[..., None]
) -> None:
    make_faces(tmp_path / "aligned", 3, Side.SRC)

    def opened() -> Any:
        return cache.cached_samples(tmp_path / "aligned", FaceType.WHOLE, 64, tmp_path / "cache", "src")

    store = cache.open_samples(
        cache.Faceset.open(tmp_path / "aligned"), FaceType.WHOLE, 64, tmp_path / "cache", "src"
    )
    assert len(opened()) == len(store) == 3
    (pixels,) = (path for path in (tmp_path / "cache").glob("*.npy") if "landmarks" not in path.name)
    good = pixels.read_bytes()
    for array in (np.zeros((2, 64, 64, 4), np.uint8), np.zeros((3, 32, 32, 4), np.uint8), np.zeros(3)):
        np.save(pixels, array)
        assert opened() is None
    for damage in (b"", good[:40], good[:-1], b"\x93NUMPY\x01\x00\x05\x00((((("):
        pixels.write_bytes(damage)
        assert opened() is None
    pixels.write_bytes(good)
    assert len(opened()) == 3
