"""Two processes train what one would have trained, and neither hangs when the other is gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.augment.warp import draw_augment
from faceswap.errors import UserError
from faceswap.train.distributed import Share
from tests.conftest import REPOSITORY
from tests.train import ranks


def torchrun(*words: object, processes: int = 2) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    with subprocess.Popen(
        [*command, *map(str, words)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            out, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            # Killed, it would leave its processes behind.
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


@pytest.mark.parametrize(
    "arch", ["AMP", *(pytest.param(a, marks=pytest.mark.slow) for a in ("LIAE-UD", "DF-UD"))]
)
def test_two_processes_train_what_one_does(tmp_path: Path, arch: str) -> None:
    # The bar: losses equal to 1e-4 over 20 iterations. Weights that the leader changes on the way, and its
    # options, are followed; that the weights are equal bit by bit at the end is checked by the processes.
    done = torchrun(Path(ranks.__file__), arch, tmp_path / "losses.json")
    assert done.returncode == 0, done.stderr
    together = json.loads((tmp_path / "losses.json").read_text(encoding="utf-8"))
    assert np.abs(np.array(together) - np.array(ranks.train(arch, Share()))).max() < 1e-4


def test_a_process_that_dies_ends_the_other_with_a_sentence(tmp_path: Path) -> None:
    done = torchrun(Path(ranks.__file__), "DF", tmp_path / "losses.json", "die")
    assert done.returncode != 0 and not (tmp_path / "losses.json").exists()
    assert "another process of this training has ended, so process 0 of 2 ends too" in done.stderr
    assert "the same command continues from the last save" in done.stderr


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_shares_of_all_processes_are_the_whole_batch(world: int) -> None:
    rows = torch.arange(8)
    parts = [rows[Share(rank, world).rows(len(rows))] for rank in range(world)]
    assert {len(part) for part in parts} == {8 // world}
    assert torch.equal(torch.cat(parts), rows)


def test_what_is_drawn_for_a_face_does_not_depend_on_the_number_of_processes() -> None:
    def drawn(share: Share) -> torch.Tensor:
        return share.of(draw_augment(torch.Generator().manual_seed(4), 6, flip=True)).output_to_input

    parts = [drawn(Share(rank, 3)) for rank in range(3)]
    assert torch.equal(torch.cat(parts), drawn(Share()))


def test_a_batch_that_cannot_be_divided_names_those_that_can() -> None:
    Share(0, 3).check(6)
    with pytest.raises(UserError, match="--batch-size 8 cannot be divided among 3 processes") as refused:
        Share(0, 3).check(8)
    assert refused.value.hint == "type --batch-size 6 or --batch-size 9"
    with pytest.raises(UserError) as small:
        Share(0, 4).check(2)
    assert small.value.hint.startswith("type --batch-size 4")


def test_alone_nothing_is_shared() -> None:
    share, network, losses = Share(), torch.nn.Linear(2, 2), torch.tensor([1.0, 2.0])
    assert share.is_first and share.wrap(network) is network and share.mean(losses) is losses
    share.agree("anything")
    with share.first():
        pass
