"""`python -m stages.benchmark` gives its figures; what they are is for people to read."""

import json
from pathlib import Path

import pytest
import torch

from faceswap.benchmark.training import measure, network_share
from faceswap.models.arch import Arch, ModelSpec
from faceswap.train.update.blur import valid_blur


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "row"), [("merge", "sot-m, 100/100"), ("preview", "overlay, 1080p"), ("stream", "stream")]
)
def test_every_case_of_merging_is_measured(case: str, row: str, tmp_path: Path, run_stage) -> None:  # type: ignore[no-untyped-def]
    output = tmp_path / "benchmark.json"
    run_stage(
        "benchmark", "--only", case, "--seconds", 0.1, "--device", "cpu", "--output", output, check=True
    )
    assert row in json.loads(output.read_text())["figures"][case]


def test_a_training_is_measured_in_all_that_the_table_shows() -> None:
    spec = ModelSpec(Arch.parse("DF-UD"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
    figures = measure(spec, torch.device("cpu"), torch.float32, seconds=0.1, peak=1e12)
    assert figures["ms_per_iteration"] > 0 and "iB" in figures["peak_memory"]
    assert 0 < figures["everything_else"] < 1 and 0 <= figures["waiting_for_data"] < 1
    assert figures["share_of_peak_in_convolutions"] >= figures["share_of_peak"] > 0


def test_the_products_of_the_losses_filters_do_not_count_as_the_networks() -> None:
    picture = torch.rand(2, 3, 64, 64).requires_grad_()
    assert network_share(lambda: valid_blur(picture, 11, 1.5).sum().backward(), torch.device("cpu")) == 0
    assert network_share(lambda: torch.mm(picture[0, 0], picture[0, 1]), torch.device("cpu")) > 0
