"""Parts, recomputing and compiling change what an update costs, and nothing of what it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.models.swap import SwapModel
from faceswap.train.data.batches import Batch
from faceswap.train.distributed import Share
from faceswap.train.options import StepOptions
from faceswap.train.update.economy import PLAIN, Economy
from faceswap.train.update.steps import Losses, TrainStep

CPU = torch.device("cpu")
ALL_TERMS = {
    "gan_power": 0.1, "gan_dims": 8, "face_style_power": 1.0, "bg_style_power": 2.0,
    "eyes_mouth_priority": True, "clip_gradients": True, "random_hsv_power": 0.1,
}  # fmt: skip


def model(arch: str) -> SwapModel:
    own: dict[str, Any] = {"inter_dims": 32, "morph_factor": 0.5} if arch == "AMP" else {}
    return build(ModelSpec(Arch.parse(arch), 64, 32, 16, 16, 16, **own), seed=1)


def batch(count: int = 4) -> Batch:
    """Smooth colours under a disc."""
    colours = torch.rand(2 * count, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(colours, (64, 64), mode="bilinear").permute(0, 2, 3, 1)
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    disc = ((x**2 + y**2) < 22**2).float().expand(2 * count, 64, 64)[..., None]
    faces = (torch.cat((smooth, disc), dim=-1) * 255).byte()
    eyes = torch.zeros(count, 128, 128, dtype=torch.uint8)
    eyes[:, 50:60, 40:90] = 200
    return Batch(faces[:count], faces[count:], eyes, eyes)


def make(arch: str, economy: Economy, dtype: torch.dtype = torch.float32, **options: Any) -> TrainStep:
    return TrainStep(model(arch), StepOptions(learning_rate=1e-4, **options), CPU, dtype, economy=economy)


def update(step: TrainStep, iteration: int = 0) -> Losses:
    faces = batch()
    if not step.options.eyes_mouth_priority:
        faces = replace(faces, src_eyes_mouth=None, dst_eyes_mouth=None)
    return step(faces, 0, iteration)


def gradients(step: TrainStep) -> dict[str, torch.Tensor]:
    networks = {"model": step.model} | {name: critic.network for name, critic in step.critics.items()}
    return {
        f"{kind}/{name}": parameter.grad
        for kind, network in networks.items()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize("arch", ["DF-UD", "LIAE-UDTC", "AMP"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
def test_recomputed_activations_give_equal_gradients(arch: str, dtype: torch.dtype) -> None:
    plain, frugal = (
        make(arch, economy, dtype, bg_style_power=2.0) for economy in (PLAIN, Economy(checkpointing=True))
    )
    assert update(plain) == update(frugal)
    expected, found = gradients(plain), gradients(frugal)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("arch", "parts"), [("DF-UD", 4), ("LIAE-UD", 2), ("AMP", 2)])
def test_a_batch_in_parts_trains_like_the_whole(arch: str, parts: int) -> None:
    options: dict[str, Any] = ALL_TERMS | ({"true_face_power": 0.01} if arch == "DF-UD" else {})
    whole, divided = (make(arch, economy, **options) for economy in (PLAIN, Economy(parts=parts)))
    close(update(divided), update(whole))
    expected, found = gradients(whole), gradients(divided)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        assert float((found[name] - gradient).norm() / gradient.norm().clamp_min(1e-9)) < 5e-3, name
    close(update(divided, 1), update(whole, 1))


def close(found: Losses, expected: Losses) -> None:
    assert found.extra.keys() == expected.extra.keys() >= {"gan", "gan_critic"}
    wanted = [expected.src, expected.dst, *expected.extra.values()]
    assert [found.src, found.dst, *found.extra.values()] == pytest.approx(wanted, rel=1e-4)


def test_the_sum_of_deepfacelab_is_that_of_the_whole_batch() -> None:
    whole, divided = (make("DF-UD", Economy(parts=parts), dfl_exact=True) for parts in (1, 2))
    update(whole), update(divided)
    expected, found = gradients(whole), gradients(divided)
    norms = [torch.stack([g.norm() for g in all_.values()]).norm() for all_ in (expected, found)]
    assert float(norms[1] / norms[0]) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(("rank", "world", "part", "parts"), [(0, 1, 1, 4), (1, 2, 0, 2), (2, 3, 1, 2)])
def test_a_part_of_a_share_has_its_rows(rank: int, world: int, part: int, parts: int) -> None:
    rows = list(range(24))
    of_process = rows[Share(rank, world).rows(24)]
    expected = of_process[Share(part, parts).rows(len(of_process))]
    assert rows[Share(rank, world).within(Share(part, parts)).rows(24)] == expected


@pytest.mark.slow
def test_what_cannot_be_compiled_is_said_and_trains_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    from torch._inductor import config

    with config.patch({"cpp.cxx": ("no-such-compiler",), "fx_graph_cache": False}):
        assert update(make("DF", Economy(compiled=True))) == update(make("DF", PLAIN))
    assert capsys.readouterr().err.count("--compile does not work here") == 1


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_compiled_networks_train_like_others(checkpointing: bool, capsys: pytest.CaptureFixture[str]) -> None:
    step = make("DF-UD", Economy(checkpointing=checkpointing, compiled=True))
    expected = update(make("DF-UD", PLAIN))
    assert update(step)[:2] == pytest.approx(expected[:2], rel=1e-3)
    assert "does not work" not in capsys.readouterr().err
    assert step.model.state_dict().keys() == model("DF-UD").state_dict().keys()
