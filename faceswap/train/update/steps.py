"""One update of the model from one batch: augment, reconstruct, compare, step."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.models.conv import autocast
from faceswap.models.families import fast_layout
from faceswap.models.swap import Reconstruction, Swap, SwapModel
from faceswap.train.data.batches import Batch
from faceswap.train.distributed import ALONE, Share, unshared
from faceswap.train.options import StepOptions
from faceswap.train.preview import MORPHS, PreviewFaces
from faceswap.train.update.critics import NETWORKS, Critics
from faceswap.train.update.economy import PLAIN, Economy
from faceswap.train.update.inputs import Inputs, mix, to_device
from faceswap.train.update.networks import Networks, Pass
from faceswap.train.update.objective import Objective
from faceswap.train.update.optim import Optimizer, cosine_factor, load_by_name, make_optimizer, state_by_name
from faceswap.train.update.regimes import REGIMES
from faceswap.types import Image, Side

__all__ = ["Losses", "StepOptions", "TrainStep"]


class Losses(NamedTuple):
    """Mean losses over the batch: all terms of either side together, and the optional terms by name.

    extra: `eyes_mouth_src`, `eyes_mouth_dst`, `face_style`, `bg_style` (within the sides); `true_face`,
    `gan`, `smooth_background` (beside them); `true_face_critic`, `gan_critic`: the critics' own.
    """

    src: float
    dst: float
    extra: dict[str, float] = {}  # noqa: RUF012 (never changed)


# AdaBelief has no bias correction: its first steps are several times the rate (deepfacelab.md §16.44),
# which throws a new model far off at any rate worth having. So the rate grows from 0 over this many updates.
WARM_UP_ITERATIONS = 100
# The number that keeps apart what is drawn at one iteration; those of `inputs` are smaller.
_DROPOUT = 3


class TrainStep:
    """Holds model, critics and optimisers on the device.

    options: those in effect, with what pretraining and the model's family insist on.
    dtype: bf16 computes the networks in autocast; weights, losses and optimiser stay float32.
    channels_last: memory format of weights and activations, None for the faster one; with float32 and
    without it this is the plain eager baseline that the benchmark compares with.
    share: which rows of a batch this process has; the gradient is that of the mean over all of them.
    economy: how its arithmetic is done; equal batches give equal updates, but for rounding.
    """

    options: StepOptions
    optimizer: Optimizer

    def __init__(
        self,
        model: SwapModel,
        options: StepOptions,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        channels_last: bool | None = None,
        share: Share = ALONE,
        economy: Economy = PLAIN,
    ) -> None:
        self.regime = REGIMES[model.spec.arch.family]
        self.device, self.dtype, self.share, self.economy = device, dtype, share, economy
        if channels_last is None:
            self.memory_format = fast_layout(device, dtype)
        else:
            self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(device).to(memory_format=self.memory_format)
        self.model.recompute(economy.checkpointing)
        self.network = share.wrap(Networks(self.model, economy.compiled))
        self._inputs = Inputs(self.model, self.regime, device, self.memory_format)
        self._params = dict(self.model.named_parameters())
        self.critics = Critics(model.spec, device, dtype, self.memory_format, share)
        self._kind: str | None = None
        self.change(options)

    def change(self, options: StepOptions, rate_factor: float = 1.0) -> tuple[str, ...]:
        """Train by `options` from the next update on, with so much of their learning rate.

        Returns sentences about what starts anew because of it. Raises UserError, and changes nothing, where
        the options do not fit the model.
        """
        options.check(self.model.spec)
        self.rate_factor = rate_factor
        self.options = options.in_effect().model_copy(update=dict(self.regime.insists))
        return (*self._use_optimizer(), *self.critics.change(self.options))

    def _use_optimizer(self) -> list[str]:
        before, self._kind = self._kind, self.options.optimizer
        if before == self._kind:
            return []
        self.optimizer = make_optimizer(self.options.optimizer, self._params.values())
        return [f"the optimiser is {self._kind} now and starts without memory"] if before else []

    def __call__(self, batch: Batch, seed: int, iteration: int) -> Losses:
        """Update the model once. What is drawn at random follows from `seed` and `iteration` alone."""
        for optimizer in (self.optimizer, *(critic.optimizer for critic in self.critics.values())):
            optimizer.zero_grad(set_to_none=True)
        parts = self.economy.parts
        losses: dict[str, Tensor] = {}
        for number in range(parts):
            for name, loss in self.learn(batch, Share(number, parts), seed, iteration).items():
                losses[name] = losses.get(name, 0) + loss / parts
        self._step_model(seed, iteration)
        self._step_critics(seed, iteration)
        # The only place where the host waits for the device.
        values = self.share.mean(torch.stack(list(losses.values()))).tolist()
        src, dst, *extra = values
        return Losses(src, dst, dict(zip(list(losses)[2:], extra, strict=True)))

    def learn(self, batch: Batch, part: Share, seed: int, iteration: int) -> dict[str, Tensor]:
        """Add what a part of the batch has to say to all gradients; returns its losses, those of sides first.

        The critics learn from what the model makes before its update.
        """
        # The gradient of the batch's sum in DeepFaceLab (deepfacelab.md §16.41), of its mean here.
        weight = (len(batch.src) * self.share.world if self.options.dfl_exact else 1) / part.world
        batch, share = part.of(batch), self.share.within(part)
        faces = {side: self._inputs.faces(batch, side, self.options, share, seed, iteration) for side in Side}
        drawn = self._inputs.drawn(len(batch.src), share, seed, iteration)
        # Processes exchange their gradients when the last part is added.
        last = part.rank == part.world - 1
        with nullcontext() if last else unshared(self.network, *(c.trained for c in self.critics.values())):
            with autocast(self.device, self.dtype):
                made: Pass = self.network(
                    faces[Side.SRC].warped,
                    faces[Side.DST].warped,
                    swap=self.options.bg_style_power > 0,
                    stopped=self.options.face_style_power > 0,
                    **drawn,
                )
            objective = Objective(self.options, self.regime, self.critics, made, faces)
            torch.autograd.backward(objective.total() * weight)
            losses = {str(side): loss for side, loss in objective.sides.items()} | objective.extra
            for name, critic in self.critics.items():
                if name == "gan":
                    loss = critic.learn(objective.real(), objective.judged(), weight)
                else:
                    # Dst's codes are the model: src's shall not be told from them.
                    loss = critic.learn(made.codes.dst, made.codes.src, weight)
                losses[f"{name}_critic"] = loss
        return {name: loss.detach() for name, loss in losses.items()}

    def _step_model(self, seed: int, iteration: int) -> None:
        """All parts learn, always; DeepFaceLab rests LIAE's AB without warp (deepfacelab.md §16.45)."""
        if self.options.dfl_exact and not self.options.random_warp:
            for name, param in self._params.items():
                if name.startswith("inter_AB."):
                    param.grad = None
        self._step(self.optimizer, list(self._params.values()), iteration, mix(seed, iteration, _DROPOUT))

    def _step_critics(self, seed: int, iteration: int) -> None:
        for name, critic in self.critics.items():
            draw = mix(seed, iteration, _DROPOUT + 1 + list(NETWORKS).index(name))
            self._step(critic.optimizer, list(critic.network.parameters()), iteration, draw, critic.updates)
            critic.updates += 1

    def _step(
        self,
        optimizer: Optimizer,
        params: list[torch.nn.Parameter],
        iteration: int,
        draw: int,
        updates: int | None = None,
    ) -> None:
        """One step by the gradients. updates: the optimiser has made, where that is not `iteration`."""
        options = self.options
        if options.clip_gradients:
            torch.nn.utils.clip_grad_norm_(params, 1.0)
        rate = self.rate_factor * options.learning_rate
        rate *= min(1.0, ((iteration if updates is None else updates) + 1) / WARM_UP_ITERATIONS)
        if options.lr_dropout and options.lr_cosine:
            rate *= cosine_factor(iteration + 1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        drawn_by = torch.Generator(self.device).manual_seed(draw) if options.lr_dropout else None
        optimizer.dropout = drawn_by
        optimizer.step()

    @torch.inference_mode()
    def preview(self, src: NDArray[np.uint8], dst: NDArray[np.uint8]) -> PreviewFaces:
        """What the model makes of unwarped faces, (N, R, R, 4) uint8; as many as both sides have."""
        rows = min(len(src), len(dst))
        both = (torch.from_numpy(faces[:rows]) for faces in (src, dst))
        src_faces, dst_faces = (to_device(faces, self.device) for faces in both)
        with autocast(self.device, self.dtype):
            made: Reconstruction = self.model(src_faces[:, :3], dst_faces[:, :3])
            swap: Swap = self.model.swap(dst_faces[:, :3])
            between = [self.model.swap(dst_faces[:, :3], morph) for morph in MORPHS if self.model.morphs]
        return PreviewFaces(
            src=_to_images(src_faces[:, :3]),
            src_src=_to_images(made.src_src),
            dst=_to_images(dst_faces[:, :3]),
            dst_dst=_to_images(made.dst_dst),
            swap=_to_images(swap.face),
            swap_mask=_to_images(swap.mask_prd * swap.mask_dst),
            src_mask=_to_images(src_faces[:, 3:]),
            dst_mask=_to_images(dst_faces[:, 3:]),
            dst_dst_mask=_to_images(made.dst_mask),
            morphs=tuple(_to_images(one.face) for one in between),
        )

    def is_finite(self) -> bool:
        """Whether every weight is a finite number: one update can break what its loss did not show."""
        critics = (param for critic in self.critics.values() for param in critic.network.parameters())
        return all(bool(param.isfinite().all()) for param in (*self._params.values(), *critics))

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint holds beside the weights, by part.

        optimizer: the moments by parameter, `mean/decoder.up0.conv1.weight`. critics: all of each, by name.
        """
        moments = {"optimizer": state_by_name(self.optimizer, self._params)}
        return moments | ({"critics": self.critics.tensors()} if self.critics else {})

    def load_tensors(self, parts: Mapping[str, Mapping[str, Tensor]]) -> tuple[str, ...]:
        """Restore what `tensors` gave; what is not there, or of another kind, starts afresh.

        Returns a sentence about each critic and optimiser whose memory is of no use to these options.
        """
        notes = []
        saved = parts.get("optimizer", {})
        if not load_by_name(self.optimizer, self._params, saved) and saved:
            notes.append(f"the optimiser is {self._kind} now and starts without memory")
        return (*notes, *self.critics.load(parts.get("critics", {})))


def _to_images(pictures: Tensor) -> Image:
    return pictures.float().permute(0, 2, 3, 1).cpu().numpy()
