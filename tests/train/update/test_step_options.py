"""Every option does what it says, follows from seed and iteration, and continues as if never stopped."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from faceswap.errors import UserError
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batch
from faceswap.train.options import StepOptions
from faceswap.train.update.steps import Losses, TrainStep

CPU = torch.device("cpu")
CRITICS = {"gan_power": 0.1, "gan_dims": 8, "true_face_power": 0.01}
STYLES = {"face_style_power": 1.0, "bg_style_power": 2.0}


def faces(seed: int, count: int = 2) -> torch.Tensor:
    """(count, 64, 64, 4) smooth colours and a disc as mask."""
    colours = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(colours, (64, 64), mode="bilinear").permute(0, 2, 3, 1)
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    disc = ((x**2 + y**2) < 22**2).float().expand(count, 64, 64)[..., None]
    return (torch.cat((smooth, disc), dim=-1) * 255).byte()


def batch() -> Batch:
    eyes = torch.zeros(2, 128, 128, dtype=torch.uint8)
    eyes[:, 50:60, 40:90] = 200
    return Batch(faces(0), faces(100), eyes, eyes)


def make(arch: str = "DF-UD", **options: Any) -> TrainStep:
    spec = ModelSpec(Arch.parse(arch), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
    dtype = options.pop("dtype", torch.float32)
    without = replace(batch(), src_eyes_mouth=None, dst_eyes_mouth=None)
    step = TrainStep(build(spec, seed=1), StepOptions(**options), CPU, dtype)
    step.batch = batch() if step.options.eyes_mouth_priority else without  # type: ignore[attr-defined]
    return step


def run(step: TrainStep, *iterations: int) -> list[Losses]:
    return [step(step.batch, 0, iteration) for iteration in iterations]  # type: ignore[attr-defined]


def weights(step: TrainStep) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in step.model.parameters()])


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"eyes_mouth_priority": True}, {"eyes_mouth_src", "eyes_mouth_dst"}),
        (STYLES, {"face_style", "bg_style"}),
        ({"true_face_power": 0.01}, {"true_face", "true_face_critic"}),
        ({"gan_power": 0.1, "gan_dims": 8}, {"gan", "gan_critic", "smooth_background"}),
        ({"gan_power": 0.1, "gan_dims": 8, "masked_training": False}, {"gan", "gan_critic"}),
    ],
)
def test_optional_terms_are_reported_by_name_and_change_the_update(
    options: dict[str, Any], reported: set[str]
) -> None:
    usual, step = make(masked_training=options.get("masked_training", True)), make(**options)
    (losses,), (plain,) = run(step, 0), run(usual, 0)
    assert losses.extra.keys() == reported and all(value > 0 for value in losses.extra.values())
    assert not torch.equal(weights(usual), weights(step))
    of_src = {name for name in reported if name in ("eyes_mouth_src", "face_style", "bg_style")}
    assert losses.src == pytest.approx(plain.src + sum(losses.extra[name] for name in of_src), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"random_hsv_power": 0.2},
        {"blur_out_mask": True},
        {"clip_gradients": True, "optimizer": "rmsprop"},
        {"lr_dropout": True},
        {"optimizer": "rmsprop"},
        {"optimizer": "adamw"},
    ],
    ids=str,
)
def test_options_without_a_term_change_the_update(options: dict[str, Any]) -> None:
    usual, step = make(optimizer=options.get("optimizer", "adabelief")), make(**options)
    if options == {"optimizer": options.get("optimizer")}:
        usual = make()
    run(usual, 0), run(step, 0)
    assert not torch.equal(weights(usual), weights(step))


@pytest.mark.parametrize("arch", ["DF-UD", "LIAE-UD", "AMP"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
def test_with_everything_on_a_stop_is_as_none(arch: str, dtype: torch.dtype) -> None:
    options = STYLES | CRITICS | {"eyes_mouth_priority": True, "lr_dropout": True, "random_hsv_power": 0.1}
    options |= {"clip_gradients": True, "blur_out_mask": True}
    if not arch.startswith("DF"):
        options.pop("true_face_power")
    if arch == "AMP":
        model = build(ModelSpec(Arch.parse("AMP"), 64, 32, 16, 16, 16, inter_dims=32, morph_factor=0.5))
        whole, stopped = (
            TrainStep(copy.deepcopy(model), StepOptions(**options), CPU, dtype) for _ in range(2)
        )
        for step in (whole, stopped):
            step.batch = batch()  # type: ignore[attr-defined]
        again = TrainStep(copy.deepcopy(model), StepOptions(**options), CPU, dtype)
        again.batch = batch()  # type: ignore[attr-defined]
    else:
        whole, stopped, again = (make(arch, dtype=dtype, **options) for _ in range(3))
    expected = run(whole, 0, 1, 2)
    run(stopped, 0, 1)
    again.model.load_state_dict(copy.deepcopy(stopped.model.state_dict()))
    assert again.load_tensors(copy.deepcopy(stopped.tensors())) == ()
    assert run(again, 2) == expected[2:]
    assert torch.equal(weights(again), weights(whole))
    ends = [step.tensors() for step in (again, whole)]
    assert ends[0].keys() == ends[1].keys() == {"optimizer", "critics"}
    assert all(
        torch.equal(ends[0][part][name], ends[1][part][name]) for part in ends[0] for name in ends[1][part]
    )


def test_the_critic_learns_to_tell_and_the_model_to_be_taken_for_real() -> None:
    step = make(gan_power=5.0, gan_dims=8, learning_rate=1e-3)
    critic = step.critics["gan"]
    real, made = torch.rand(2, 3, 64, 64), torch.full((2, 3, 64, 64), 0.5)
    before = float(critic.doubt(made))
    for _ in range(10):
        critic.optimizer.zero_grad()
        critic.learn(real, made)
        critic.optimizer.step()
    assert float(critic.doubt(made)) > before
    fixed = [parameter.detach().clone() for parameter in critic.network.parameters()]
    grey = made.clone().requires_grad_()
    critic.doubt(grey).backward()
    assert grey.grad is not None and grey.grad.any()
    assert all(torch.equal(a, b) for a, b in zip(fixed, critic.network.parameters(), strict=True))


def test_true_face_teaches_the_encoder_and_leaves_dsts_codes_as_they_are_judged() -> None:
    step = make(true_face_power=1.0)
    run(step, 0)
    code = torch.rand(1, *step.critics["true_face"].plan[:1], 4, 4, requires_grad=True)
    step.critics["true_face"].doubt(code).backward()
    assert code.grad is not None and code.grad.any()


def test_face_style_teaches_the_decoder_alone() -> None:
    """DF: the swap's code is dst's, so a gradient beyond it would reach inter and encoder."""
    gradients = []
    for power in (0.0, 50.0):
        step = make(face_style_power=power, random_warp=False)
        run(step, 0)
        gradients.append({name: p.grad for name, p in step.model.named_parameters()})
    same = {name for name in gradients[0] if torch.equal(gradients[0][name], gradients[1][name])}
    # The mask is fixed there, too.
    moved = gradients[0].keys() - same
    assert moved and {".".join(name.split(".")[:2]) for name in moved} == {
        "decoder_src.face",
        "decoder_src.face_out",
    }


def test_exact_sums_over_the_batch_and_rests_ab_without_warp() -> None:
    mean, total = (make("LIAE-UD", dfl_exact=exact, random_warp=False) for exact in (False, True))
    for step in (mean, total):
        run(step, 0)
    grads = [dict(step.model.named_parameters()) for step in (mean, total)]
    torch.testing.assert_close(
        grads[1]["encoder.layers.0.conv1.weight"].grad, 2 * grads[0]["encoder.layers.0.conv1.weight"].grad
    )
    rested = {name for name, p in grads[1].items() if p.grad is None}
    assert rested and all(name.startswith("inter_AB.") for name in rested)
    assert not [name for name, p in grads[0].items() if p.grad is None], "trained, unlike DeepFaceLab's"


def test_clipping_shortens_the_gradient_to_one() -> None:
    step = make(clip_gradients=True, eyes_mouth_priority=True)
    run(step, 0)
    norm = torch.stack([p.grad.square().sum() for p in step.model.parameters()]).sum().sqrt()
    assert norm.item() == pytest.approx(1, abs=1e-4)


def test_the_rate_follows_warm_up_cosine_and_factor() -> None:
    step = make(lr_dropout=True, learning_rate=1e-4)
    rates = {}
    for iteration in (0, 249, 374, 499):
        run(step, iteration)
        rates[iteration] = step.optimizer.param_groups[0]["lr"]
    assert rates[249] == pytest.approx(0, abs=1e-12) and rates[374] == pytest.approx(5e-5)
    assert rates[499] == pytest.approx(1e-4) and rates[0] == pytest.approx(1e-6, rel=1e-3)
    step.change(step.options, rate_factor=0.25)
    run(step, 499)
    assert step.optimizer.param_groups[0]["lr"] == pytest.approx(2.5e-5)


def test_another_patch_size_starts_a_fresh_critic_and_says_so() -> None:
    step = make(**CRITICS)
    run(step, 0)
    saved, code_critic = copy.deepcopy(step.tensors()), step.critics["true_face"]
    assert step.change(StepOptions(**CRITICS)) == ()
    old = step.critics["gan"]
    (note,) = step.change(StepOptions(**CRITICS | {"gan_patch_size": 16}))
    assert "patch size" in note and step.critics["gan"] is not old
    assert step.critics["gan"].updates == 0 and step.critics["true_face"] is code_critic
    # Of the same number of layers, so that only the strides tell.
    other = make(**CRITICS | {"gan_patch_size": 11})
    assert other.load_tensors({"critics": make(**CRITICS | {"gan_patch_size": 16}).tensors()["critics"]})
    assert make(**CRITICS).load_tensors(saved) == ()
    assert step.change(StepOptions()) == () and not step.critics and "critics" not in step.tensors()


def test_going_back_to_before_there_was_a_critic_forgets_it() -> None:
    step = make(**CRITICS)
    before = copy.deepcopy({"optimizer": step.tensors()["optimizer"]})
    fresh = copy.deepcopy(step.tensors()["critics"])
    run(step, 0)
    assert step.load_tensors(before) == ()
    after = step.tensors()["critics"]
    assert fresh.keys() == after.keys() and all(torch.equal(after[name], fresh[name]) for name in fresh)


def test_a_critic_that_comes_later_draws_what_it_would_have_drawn_from_the_start() -> None:
    """Dropout of the critics must not depend on the order in which they were switched on."""
    both = {"lr_dropout": True, "lr_cosine": False, **CRITICS}
    later, straight = make(**{**both, "true_face_power": 0.0}), make(**both)
    later.change(StepOptions(**both))
    assert list(later.critics) != list(straight.critics)
    assert run(later, 200)[0].extra == run(straight, 200)[0].extra
    ends = [step.tensors()["critics"] for step in (later, straight)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[1])


def test_another_optimiser_starts_without_memory_and_says_so() -> None:
    step = make(**CRITICS)
    run(step, 0)
    saved = copy.deepcopy(step.tensors())
    (note,) = step.change(StepOptions(**CRITICS, optimizer="rmsprop"))
    assert "rmsprop" in note and not step.optimizer.state
    run(step, 1)
    assert {name.partition("/")[0] for name in step.tensors()["optimizer"]} == {"square"}
    (note,) = make(**CRITICS, optimizer="adamw").load_tensors(saved)
    assert "adamw" in note


def test_pretraining_forces_what_it_must() -> None:
    step = make(
        pretrain=True, **CRITICS, **STYLES, random_hsv_power=0.1, lr_dropout=True, clip_gradients=True
    )
    options = step.options
    assert not step.critics and options.uniform_yaw and options.clip_gradients
    assert options.random_src_flip and options.random_dst_flip and not options.random_warp
    assert not (options.lr_dropout or options.random_hsv_power or options.face_style_power)


@pytest.mark.parametrize(
    ("arch", "options", "says"),
    [
        ("LIAE-UD", {"true_face_power": 0.01}, "for DF models"),
        ("DF", {"lr_dropout": True, "optimizer": "adamw"}, "for adabelief and rmsprop"),
        ("DF", {"gan_power": 0.1, "gan_patch_size": 512}, "nearest that work: --gan-patch-size"),
    ],
)
def test_what_does_not_fit_is_a_sentence_and_changes_nothing(
    arch: str, options: dict[str, Any], says: str
) -> None:
    step = make(arch)
    with pytest.raises(UserError, match=says):
        step.change(StepOptions(**options))
    assert step.options == StepOptions() and not step.critics
