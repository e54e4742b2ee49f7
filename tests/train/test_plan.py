"""What a plan predicts is near what a training then takes."""

import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.build import build
from faceswap.models.flops import kept_bytes
from faceswap.train.options import StepOptions
from faceswap.train.plan import Row, Speed, needed_bytes, plan, probe, propose, report

CPU = torch.device("cpu")
BF16, FLOAT32 = torch.bfloat16, torch.float32


def model(arch: str = "DF-UD") -> torch.nn.Module:
    return build(ModelSpec(Arch.parse(arch), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16))


@pytest.mark.parametrize("arch", ["DF-UD", "LIAE-UDT"])
def test_what_the_layers_keep_is_counted_without_computing(arch: str) -> None:
    network = model(arch)
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    faces = torch.rand(1, 3, 64, 64)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(faces, faces)
    really = sum(storage.nbytes() for key, storage in kept.items() if key not in own)
    assert kept_bytes(network) == pytest.approx(really, rel=0.02) and outputs is not None


def test_memory_grows_with_the_batch_and_bf16_takes_less_of_a_large_one() -> None:
    network = model()
    kept = kept_bytes(network)
    needs = [needed_bytes(network, kept, batch, FLOAT32) for batch in (1, 2, 3)]
    assert needs[2] - needs[1] == pytest.approx(needs[1] - needs[0], abs=2)
    assert needed_bytes(network, kept, 64, BF16) < needed_bytes(network, kept, 64, FLOAT32)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert needs[0] > 16 * weights, "weights, gradients and two moments in float32"


def row(batch: int, dtype: torch.dtype, ms: float, fits: bool) -> Row:
    return Row(batch, dtype, 2**30, ms, fits)


def test_the_fastest_way_that_fits_is_proposed_and_else_a_smaller_batch() -> None:
    rows = [row(4, BF16, 50, True), row(8, BF16, 90, True), row(8, FLOAT32, 200, True)]
    assert propose(rows, 8).startswith("proposed: --batch-size 8 --precision bf16, 2.5 h")
    rows = [row(4, BF16, 50, True), row(8, BF16, 90, False), row(16, BF16, 10, True)]
    assert propose(rows, 8).startswith("batch 8 is too large; proposed: --batch-size 4 --precision bf16")
    assert "smaller --resolution" in propose([row(1, BF16, 50, False)], 1)


def test_hours_are_those_of_a_hundred_thousand_iterations() -> None:
    assert row(1, BF16, 36, True).hours == 1.0
    assert Speed(10, 5).iteration_ms(4) == 30


def test_a_probe_leaves_the_model_and_its_batch_costs_more_than_one_face() -> None:
    network = model()
    before = [parameter.clone() for parameter in network.parameters()]
    speed = probe(network, StepOptions(), 4, CPU, FLOAT32, seconds=2)
    assert speed.face_ms > 0 and speed.fixed_ms >= 0
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_plan_has_the_wanted_batch_and_ends_with_a_proposal() -> None:
    network = model()
    rows = plan(network, StepOptions(), 3, CPU, seconds=1)
    assert {row.batch for row in rows} == {1, 2, 3, 4, 8, 16, 32}
    lines = list(report(rows, network, 3, CPU))
    assert "--batch-size 3" in lines[-1] and len(lines) == len(rows) + 3
