"""A checkpoint is there whole or not at all, and one that was altered is never loaded."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest
import torch

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from tests.faults import faulty

PARTS = ["weights", "optimizer"]
HARMS = ["cut", "emptied", "flipped first", "flipped middle", "flipped last", "gone"]
NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed right after fork")


def parts(value: float) -> dict[str, dict[str, torch.Tensor]]:
    kernel = torch.full((4, 3, 5, 5), value).to(memory_format=torch.channels_last)
    flat = torch.full((10,), value)
    return {"weights": {"kernel": kernel, "bias": flat[:4]}, "optimizer": {"mean": flat, "same": flat}}


def save(run: Path, iteration: int) -> Path:
    return checkpoint.save(run, parts(float(iteration)), {"iteration": iteration, "note": "Gesicht ü"})


def value(loaded: checkpoint.Loaded) -> float:
    return loaded.tensors["weights"]["kernel"].unique().item()


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_what_is_saved_is_loaded_whatever_its_memory_format_or_sharing(tmp_path: Path) -> None:
    save(tmp_path, 7)
    loaded = checkpoint.load(tmp_path, PARTS)
    for part, tensors in parts(7.0).items():
        assert set(loaded.tensors[part]) == set(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(loaded.tensors[part][name], tensor)
    assert (loaded.iteration, loaded.state["note"], loaded.rejected) == (7, "Gesicht ü", ())


def test_newest_and_the_one_before_are_kept(tmp_path: Path) -> None:
    for iteration in (1, 20, 300):
        save(tmp_path, iteration)
    assert names(tmp_path) == ["00000020", "00000300"]
    assert value(checkpoint.load(tmp_path, PARTS)) == 300


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("harm", HARMS)
def test_an_altered_newest_is_named_and_the_previous_used(tmp_path: Path, name: str, harm: str) -> None:
    save(tmp_path, 1)
    file = save(tmp_path, 2) / name
    size = file.stat().st_size
    if harm == "gone":
        file.unlink()
    elif harm.startswith("flipped"):
        flip(file, {"flipped first": 0, "flipped middle": size // 2, "flipped last": size - 2}[harm])
    else:
        file.write_bytes(file.read_bytes()[: size // 2 if harm == "cut" else 0])
    loaded = checkpoint.load(tmp_path, PARTS)
    assert value(loaded) == 1
    assert "00000002" in loaded.rejected[0] and name in loaded.rejected[0]


def test_every_single_flipped_byte_of_the_state_is_noticed(tmp_path: Path) -> None:
    state = save(tmp_path, 3) / "state.json"
    whole = state.read_bytes()
    for position, byte in enumerate(whole):
        if chr(byte).isspace():  # layout between the words carries nothing
            continue
        flip(state, position)
        with pytest.raises(UserError, match="no intact checkpoint"):
            checkpoint.load(tmp_path, PARTS)
        state.write_bytes(whole)


def test_none_intact_and_none_at_all_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint in"):
        checkpoint.load(tmp_path, PARTS)
    flip(save(tmp_path, 1) / "weights.safetensors", -1)
    with pytest.raises(UserError, match="hash"):
        checkpoint.load(tmp_path, PARTS)


def test_a_damaged_one_set_aside_never_displaces_an_intact_one(tmp_path: Path) -> None:
    save(tmp_path, 10)
    flip(save(tmp_path, 20) / "weights.safetensors", -1)
    loaded = checkpoint.load(tmp_path, PARTS)
    checkpoint.set_aside(loaded)
    save(tmp_path, 15)
    assert names(tmp_path) == ["00000010", "00000015", "00000020.damaged"]
    assert checkpoint.load(tmp_path, PARTS).rejected == ()


def test_a_single_directory_reads_like_a_run(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "base", {"weights": parts(4.0)["weights"]}, {"iteration": 4})
    assert value(checkpoint.read(tmp_path / "base", ["weights"])) == 4
    with pytest.raises(UserError, match="no checkpoint"):
        checkpoint.read(tmp_path, ["weights"])


@pytest.mark.parametrize("kill", [False, pytest.param(True, marks=NEEDS_FORK)], ids=["error", "kill"])
@pytest.mark.parametrize("iteration", [3, 2], ids=["new", "replacing"])
def test_a_save_ended_at_any_file_operation_leaves_a_whole_checkpoint(
    tmp_path: Path, kill: bool, iteration: int
) -> None:
    for step in range(200):
        run = tmp_path / str(step)
        save(run, 1)
        save(run, 2)
        through = faulty(partial(save, run, iteration), step, kill)
        loaded = checkpoint.load(run, PARTS)
        assert loaded.rejected == () and loaded.iteration in (2, iteration)
        assert value(loaded) == loaded.iteration
        save(run, 4)
        assert len(names(run)) == 2, "leftovers of the ended save are cleared by the next"
        if through:
            break
    assert step > 5, "the fault was injected nowhere"


def test_a_full_disk_is_an_os_error_and_older_ones_stay(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    save(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert names(tmp_path) == ["00000001"] and value(checkpoint.load(tmp_path, PARTS)) == 1
