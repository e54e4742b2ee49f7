"""What a plan predicts is near what a training then takes."""

import re
from typing import Any

import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import DF, build
from faceswap.models.swap import SwapModel
from faceswap.runtime import has_bf16
from faceswap.train.memory import Needs, Way, out_of_memory, shape_step
from faceswap.train.options import StepOptions
from faceswap.train.plan import Row, Speed, plan, probe, propose, report
from faceswap.train.update.economy import Economy
from faceswap.train.update.steps import TrainStep

CPU = torch.device("cpu")
BF16, FLOAT32 = torch.bfloat16, torch.float32


def model(arch: str = "DF-UD") -> SwapModel:
    return build(ModelSpec(Arch.parse(arch), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16))


def way(batch: int, dtype: torch.dtype = FLOAT32, **economy: Any) -> Way:
    return Way(batch, dtype, Economy(**economy))


def test_memory_grows_with_the_batch_and_every_economy_takes_less_of_a_large_one() -> None:
    network = model()
    needs = Needs(network, StepOptions())
    many = [needs.of(way(batch)) for batch in (16, 32, 48)]
    assert many[2] - many[1] == pytest.approx(many[1] - many[0], abs=2)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert needs.of(way(1)) > 16 * weights, "weights, gradients and two moments in float32"
    assert needs.of(way(1)) - Needs(network, StepOptions(optimizer="rmsprop")).of(way(1)) > 4 * weights
    plain, parts = needs.of(way(64)), needs.of(way(64, parts=4))
    assert needs.of(way(64, BF16)) < plain and needs.of(way(64, checkpointing=True)) < plain
    assert needs.of(way(16)) < parts < plain, "the gradients of the parts before are kept"
    assert needs.of(way(16)) == Needs(network, StepOptions(), world=4).of(way(64))


def test_ways_out_are_in_the_order_of_their_cost_and_can_be_divided() -> None:
    ways = list(way(8).dearer(CPU, world=2))
    first = ways[0] if has_bf16(CPU) else None
    assert first in (None, way(8, BF16)), "the arithmetic that costs nothing"
    same = [other for other in ways if other.batch == 8]
    assert ways[: len(same)] == same, "a smaller batch is another training"
    assert {other.economy.parts for other in same} == {1, 2, 4}, "8 faces, two processes: no eighth part"
    assert [other.batch for other in ways[len(same) :]] == [4, 2]
    assert way(1).dearer(CPU) and str(way(8, BF16, parts=4, checkpointing=True)) == (
        "--batch-size 2 --accumulate 4 --checkpointing --precision bf16"
    )


def test_out_of_memory_names_ways_with_what_they_take_each_less_than_the_one_before() -> None:
    with torch.device("meta"):
        network = DF(ModelSpec(Arch.parse("DF-UD"), 320))
    error = out_of_memory(shape_step(network, StepOptions(), FLOAT32, False), 4, saved=0)
    assert "nothing was trained yet" in str(error) and "--checkpointing" in error.hint
    figures = [float(text) for text in re.findall(r"about ([\d.]+) GiB", error.hint)]
    assert len(figures) >= 3 and figures == sorted(figures, reverse=True)
    least = TrainStep(model(), StepOptions(), CPU, BF16, economy=Economy(checkpointing=True))
    assert "smaller --resolution" in out_of_memory(least, 1, 3).hint


def row(one: Way, ms: float, fits: bool, gib: int = 1) -> Row:
    return Row(one, gib * 2**30, ms, fits)


def test_the_fastest_way_that_fits_is_proposed_then_leaner_ones_and_else_a_smaller_batch() -> None:
    lean = row(way(8, BF16, checkpointing=True), 120, True)
    rows = [row(way(8, FLOAT32), 200, True, 3), lean, row(way(8, BF16), 90, True, 2)]
    assert list(propose(rows, 8)) == [
        "proposed: --batch-size 8 --precision bf16, 2.0 GiB, 2.5 h",
        "with less memory: --batch-size 8 --checkpointing --precision bf16, 1.0 GiB, 3.3 h",
    ]
    rows = [row(way(4, BF16), 50, True), row(way(8, BF16), 90, False), row(way(16, BF16), 10, True)]
    first, then = propose(rows, 8)
    assert "batch 8 is too large" in first and then.startswith("proposed: --batch-size 4 --precision bf16")
    (nothing,) = propose([row(way(1), 50, False)], 1)
    assert "smaller --resolution" in nothing


def test_hours_are_those_of_a_hundred_thousand_iterations() -> None:
    assert row(way(1), 36, True).hours == 1.0
    speed = Speed(10, 6)
    assert speed.iteration_ms(way(4)) == 34 and speed.iteration_ms(way(4), world=2) == 22
    assert speed.iteration_ms(way(4, checkpointing=True)) == 42, "a third more arithmetic"
    assert speed.iteration_ms(way(4, parts=2)) == 44


def test_a_probe_leaves_the_model_and_its_batch_costs_more_than_one_face() -> None:
    network = model()
    before = [parameter.clone() for parameter in network.parameters()]
    speed = probe(network, StepOptions(), 4, CPU, FLOAT32, seconds=2)
    assert speed.face_ms > 0 and speed.fixed_ms >= 0
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_plan_has_the_wanted_batch_and_ends_with_a_proposal() -> None:
    network = model()
    rows = plan(network, StepOptions(), 3, CPU, seconds=1)
    assert {row.way.batch for row in rows} == {1, 2, 3, 4, 8, 16, 32}
    lines = list(report(rows, network, 3, CPU))
    (proposed,) = (line for line in lines if line.startswith("proposed"))
    assert "--batch-size 3" in proposed and str(rows[0]) in lines
