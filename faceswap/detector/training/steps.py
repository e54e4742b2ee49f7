"""How a detector is trained: its recipe, and one update from one batch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from faceswap.detector.data.samples import DetectorBatch
from faceswap.detector.network.losses import (
    Decoder,
    Terms,
    draw_mask,
    label_loss,
    patch_loss,
    reconstruct,
    reconstruction_loss,
)
from faceswap.detector.network.model import Detector, Shipped, to_pixels
from faceswap.errors import UserError
from faceswap.learn import optimizers
from faceswap.learn.optimizers import decay_groups, running_mean
from faceswap.learn.stored import refuse_unfit

Arm = Literal["scratch", "ssl+ft", "ssat"]


@dataclass(frozen=True)
class Recipe:
    """One way to train.

    arm: scratch = labels only; ssl+ft = masked reconstruction of reals first, then labels; ssat = both at
    once. patches: also say of every patch whether it is foreign. lambda_ and mask_ratio: SSAT's.
    pairs: reals and fakes each in a batch. ssl_share: part of the time that ssl+ft reconstructs.
    real_weight: of the weighted cross-entropy (the paper's equation 3), None = plain.
    normalise_patches: reconstruct patches less their mean and deviation. tail_at: iterations after which the
    tail has its full strength; it starts at a quarter, because a network that has not found the traces yet
    never finds them where most pictures are blurred.
    """

    arm: Arm = "ssat"
    patches: bool = True
    lambda_: float = 0.1
    patch_weight: float = 2.0
    mask_ratio: float = 0.75
    normalise_patches: bool = False
    pairs: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    ema: float = 0.999
    ssl_share: float = 0.4
    real_weight: float | None = None
    tail_at: int = 6000

    @property
    def reconstructs(self) -> bool:
        """Whether this arm has a decoder."""
        return self.arm != "scratch"

    def weights(self, progress: float) -> tuple[float, float]:
        """Of (label and patches, reconstruction) at `progress` in [0, 1] of the training."""
        if self.arm == "ssat":
            return self.lambda_, 1 - self.lambda_
        if self.arm == "ssl+ft" and progress < self.ssl_share:
            return 0.0, 1.0
        return 1.0, 0.0

    def strength(self, iteration: int) -> float:
        """Of the tail of batch `iteration`, in [¼, 1]."""
        return min(1.0, 0.25 + 0.75 * iteration / self.tail_at) if self.tail_at else 1.0

    def rate(self, progress: float) -> float:
        """Learning rate: linear from 0 over `warm_up`, then half a cosine to a thousandth of the peak."""
        start = self.ssl_share if self.arm == "ssl+ft" else 0.0
        # Each phase of ssl+ft has a schedule of its own, as two trainings would have.
        begin, end = (start, 1.0) if progress >= start else (0.0, start)
        within = (progress - begin) / (end - begin)
        peak = self.learning_rate * math.sqrt(2 * self.pairs / 64)
        if within < self.warm_up:
            return peak * within / self.warm_up
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, (within - self.warm_up) / (1 - self.warm_up))))
        return peak * (1e-3 + (1 - 1e-3) * cosine)


BETAS = (0.9, 0.95)


class DetectorStep:
    """Holds detector, decoder, optimiser and the running mean of the weights on the device.

    dtype: bf16 computes the networks in autocast; weights and losses stay float32.
    """

    def __init__(
        self, detector: Detector, recipe: Recipe, device: torch.device, dtype: torch.dtype, seed: int
    ) -> None:
        self.recipe, self.device, self.dtype, self.seed = recipe, device, dtype, seed
        self.detector = detector.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.decoder: Decoder | None = None
        if recipe.reconstructs:
            if not isinstance(detector, Shipped):
                raise UserError(
                    f"--arm {recipe.arm} needs tokens to hide",
                    "the control has none",
                    "add --family vit or cvt, or --arm scratch",
                )
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed + 1)
                self.decoder = Decoder(detector).to(device)
        self.averaged = AveragedModel(self.detector, multi_avg_fn=running_mean(recipe.ema))
        # Tokens and positions do not decay, as in DeiT and MAE.
        groups = decay_groups(self._trained(), recipe.weight_decay, exempt=("token", "position"))
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, fused=True)

    @property
    def mean(self) -> Detector:
        """The detector with the running mean of the weights, the one that is judged and kept."""
        mean = self.averaged.module
        assert isinstance(mean, Detector)
        return mean

    def __call__(self, batch: DetectorBatch, iteration: int, progress: float) -> dict[str, float]:
        """Update once; returns the terms. The hidden patches follow from seed and iteration."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(progress)
        pixels = to_pixels(torch.from_numpy(batch.crops).to(self.device))
        judging, rebuilding = self.recipe.weights(progress)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            terms = self._terms(pixels, batch, iteration, judging > 0, rebuilding > 0)
        patch_weight = self.recipe.patch_weight if self.recipe.patches else 0.0
        loss = terms.total(judging, rebuilding, patch_weight)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.averaged.update_parameters(self.detector)
        values = torch.stack([loss.detach(), *(term.detach() for term in terms)]).tolist()
        return dict(zip(("loss", *Terms._fields), values, strict=True))

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Everything that continuing needs, by checkpoint part."""
        parts = {"weights": dict(self.detector.state_dict()), "mean": dict(self.averaged.state_dict())}
        if self.decoder is not None:
            parts["decoder"] = dict(self.decoder.state_dict())
        parts["optimizer"] = optimizers.to_tensors(self.optimizer)
        return parts

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take over what `tensors` gave."""
        self.detector.load_state_dict(parts["weights"])
        self.averaged.load_state_dict(parts["mean"])
        if self.decoder is not None:
            self.decoder.load_state_dict(parts["decoder"])
        optimizers.load_tensors(self.optimizer, parts["optimizer"])

    def check(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Raise DamagedError where `parts` are not what `tensors` gives."""
        refuse_unfit(self.detector.state_dict(), parts["weights"])
        refuse_unfit(self.averaged.state_dict(), parts["mean"])
        if self.decoder is not None:
            refuse_unfit(self.decoder.state_dict(), parts["decoder"])
        optimizers.check_tensors(self.optimizer, parts["optimizer"])

    def parts(self) -> list[str]:
        """The names of the checkpoint parts."""
        return ["weights", "mean", "optimizer", *(["decoder"] if self.decoder is not None else [])]

    def _terms(
        self, pixels: Tensor, batch: DetectorBatch, iteration: int, judging: bool, rebuilding: bool
    ) -> Terms:
        label = patches = rebuilt = torch.zeros((), device=self.device)
        if judging:
            judged = self.detector(pixels)
            labels = torch.from_numpy(batch.labels).to(self.device)
            label = label_loss(judged.logits, labels, self.recipe.real_weight)
            if self.recipe.patches:
                patches = patch_loss(judged.patch_logits, torch.from_numpy(batch.masks).to(self.device))
        if rebuilding and self.decoder is not None and isinstance(self.detector, Shipped):
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + iteration)
            mask = draw_mask(generator, len(pixels), self.detector.grid**2, self.recipe.mask_ratio)
            made = reconstruct(self.detector, self.decoder, pixels, mask.kept.to(self.device))
            hidden = mask.hidden.to(self.device)
            rebuilt = reconstruction_loss(made, pixels, hidden, self.recipe.normalise_patches)
        return Terms(label, patches, rebuilt)

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        decoder = [] if self.decoder is None else self.decoder.named_parameters()
        return [*self.detector.named_parameters(), *decoder]
