"""An update follows from weights, batch, seed and iteration alone, and lowers the loss."""

import copy

import numpy as np
import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batch
from faceswap.train.distributed import ALONE
from faceswap.train.options import StepOptions
from faceswap.train.update.steps import Losses, TrainStep
from faceswap.types import Side

CPU = torch.device("cpu")


def spec(arch: str = "DF-UD") -> ModelSpec:
    return ModelSpec(Arch.parse(arch), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)


def faces(seed: int, count: int = 2) -> torch.Tensor:
    """(count, 64, 64, 4) smooth colours and a disc as mask."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(colours, (64, 64), mode="bilinear").permute(0, 2, 3, 1)
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    disc = ((x**2 + y**2) < 22**2).float().expand(count, 64, 64)[..., None]
    return (torch.cat((smooth, disc), dim=-1) * 255).byte()


def batch(seed: int = 0) -> Batch:
    return Batch(faces(seed), faces(seed + 100))


def make(arch: str = "DF-UD", options: StepOptions | None = None, **settings: object) -> TrainStep:
    return TrainStep(build(spec(arch), seed=1), options or StepOptions(), CPU, **settings)  # type: ignore[arg-type]


def weights(step: TrainStep) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in step.model.parameters()])


def test_training_on_a_few_faces_lowers_both_losses() -> None:
    # From the first iteration, as in life: without the warm-up a new model's first steps can be chaotic.
    step = make(options=StepOptions(learning_rate=1e-3))
    losses = [step(batch(), seed=0, iteration=iteration)[:2] for iteration in range(28)]
    assert np.all(np.mean(losses[-4:], axis=0) < 0.75 * np.mean(losses[:4], axis=0))


def test_an_update_is_replayed_bit_for_bit_and_no_other_iteration_gives_it() -> None:
    results = []
    for seed, iteration in ((3, 5), (3, 5), (3, 6), (4, 5)):
        step = make()
        results.append((step(batch(), seed, iteration), weights(step)))
    assert results[0][0] == results[1][0] and torch.equal(results[0][1], results[1][1])
    assert not torch.equal(results[0][1], results[2][1])
    assert not torch.equal(results[0][1], results[3][1])


def test_the_two_sides_are_augmented_differently() -> None:
    inputs, same = make("LIAE-U")._inputs, Batch(faces(0), faces(0))
    src, dst = (inputs.faces(same, side, StepOptions(), ALONE, 0, 0) for side in Side)
    assert not torch.equal(src.target, dst.target)


def test_nothing_global_is_drawn_from() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    make()(batch(), 0, 0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("arch", ["DF", "LIAE-UD"])
def test_memory_format_changes_only_the_rounding(arch: str) -> None:
    last, plain = (make(arch, channels_last=last) for last in (True, False))
    losses = np.array([[step(batch(), 0, i)[:2] for i in range(2)] for step in (last, plain)])
    assert np.allclose(losses[0], losses[1], rtol=1e-3)


def test_bf16_networks_train_like_float32_ones_and_keep_float32_weights() -> None:
    exact, short = make(), make(dtype=torch.bfloat16)
    losses = np.array([[step(batch(), 0, i)[:2] for i in range(2)] for step in (exact, short)])
    assert np.allclose(losses[0], losses[1], rtol=0.03)
    assert {parameter.dtype for parameter in short.model.parameters()} == {torch.float32}
    assert {tensor.dtype for tensor in short.tensors()["optimizer"].values()} == {torch.float32}


def test_restored_weights_and_moments_go_on_bit_for_bit() -> None:
    step = make()
    for iteration in range(2):
        step(batch(), 0, iteration)
    other = TrainStep(build(spec(), seed=9), StepOptions(), CPU)
    other.model.load_state_dict(copy.deepcopy(step.model.state_dict()))
    other.load_tensors(copy.deepcopy(step.tensors()))
    for iteration in range(2, 4):
        assert step(batch(), 0, iteration) == other(batch(), 0, iteration)
    assert torch.equal(weights(step), weights(other))


def test_options_reach_the_loss() -> None:
    def first(**options: object) -> Losses:
        return make(options=StepOptions(**options))(batch(), 0, 0)

    usual = first()
    assert first(masked_training=False) != usual
    assert first(random_warp=False) != usual
    assert first(random_src_flip=True, random_dst_flip=False) != usual


def test_the_preview_shows_unwarped_faces_and_src_decoder_on_dst() -> None:
    step = make("DF")
    src, dst = faces(0, 3).numpy(), faces(1, 2).numpy()
    before = step.preview(src, dst)
    assert len(before.src) == 2 and np.array_equal(before.dst, dst[..., :3] / np.float32(255))
    with torch.no_grad():
        for parameter in step.model.get_submodule("decoder_src").parameters():
            parameter.zero_()
    after = step.preview(src, dst)
    assert np.array_equal(after.dst_dst, before.dst_dst)
    assert np.all(after.swap == 0.5) and np.all(after.src_src == 0.5), "a sigmoid of nothing"
