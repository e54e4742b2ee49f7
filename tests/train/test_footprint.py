"""What an update takes is known from shapes alone, and is what it then takes."""

from typing import Any

import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batch
from faceswap.train.memory import Allocations, Needs, Way, learning_bytes, shape_step
from faceswap.train.options import StepOptions
from faceswap.train.update.economy import PLAIN, Economy
from faceswap.train.update.steps import TrainStep

CPU = torch.device("cpu")
GAN_AND_STYLES: dict[str, Any] = {"gan_power": 0.1, "face_style_power": 0.1, "bg_style_power": 1.0}
PLAIN_ONES = StepOptions()
# What counts weights, moments and activations leaves this much to an allocator.
HEADROOM = 1.15


def spec(arch: str) -> ModelSpec:
    own: dict[str, Any] = {"inter_dims": 32, "morph_factor": 0.5} if arch == "AMP" else {}
    return ModelSpec(Arch.parse(arch), 64, 32, 16, 16, 16, **own)


def test_the_peak_is_that_of_tensors_alive_together() -> None:
    with Allocations() as allocations:
        one = torch.zeros(1000, dtype=torch.uint8)
        two = one.view(10, 100) + 1
        del one
        three = torch.zeros(500, dtype=torch.uint8)
    assert allocations.peak == 2000 and two is not three


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("LIAE-UD", GAN_AND_STYLES),
        ("DF-UD", GAN_AND_STYLES | {"true_face_power": 0.01}),
        ("LIAE-UDT", {"eyes_mouth_priority": True, "blur_out_mask": True}),
        ("AMP", {"gan_power": 0.1, "random_hsv_power": 0.1}),
    ],
)
def test_shapes_tell_what_learning_takes(
    arch: str, options: dict[str, Any], dtype: torch.dtype, checkpointing: bool
) -> None:
    network = build(spec(arch))
    told = learning_bytes(shape_step(network, StepOptions(**options), dtype, checkpointing), 3)
    economy = Economy(checkpointing=checkpointing)
    taken = learning_bytes(TrainStep(network, StepOptions(**options), CPU, dtype, economy=economy), 3)
    assert told == pytest.approx(taken, rel=0.02)


def test_critics_and_styles_take_memory() -> None:
    network = build(spec("DF-UD"))
    # One face: of more the activations outweigh what the critic of codes holds.
    plain = learning_bytes(shape_step(network, PLAIN_ONES, torch.float32, False), 1)
    for name, power in (GAN_AND_STYLES | {"true_face_power": 0.01}).items():
        more = shape_step(network, PLAIN_ONES.model_copy(update={name: power}), torch.float32, False)
        assert learning_bytes(more, 1) > plain, name


@pytest.mark.parametrize("arch", ["LIAE-UD", "DF-UD"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
def test_what_is_predicted_is_what_updates_take(arch: str, dtype: torch.dtype) -> None:
    options = StepOptions(**GAN_AND_STYLES)
    pixels = torch.randint(0, 256, (8, 64, 64, 4), dtype=torch.uint8)
    with Allocations() as allocations:
        step = TrainStep(build(spec(arch)), options, CPU, dtype)
        for iteration in range(2):
            step(Batch(pixels, pixels), 0, iteration)
    predicted = Needs(step.model, options).of(Way(8, dtype, PLAIN))
    assert predicted / HEADROOM == pytest.approx(allocations.peak, rel=0.02)
