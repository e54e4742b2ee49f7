"""One update of the detector from one batch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from faceswap.detector.losses import Terms, label_loss, patch_loss, reconstruction_loss
from faceswap.detector.model import Detector, Shipped, to_pixels
from faceswap.detector.recipe import Recipe
from faceswap.detector.samples import DetectorBatch
from faceswap.detector.ssat import Decoder, draw_mask, reconstruct
from faceswap.errors import UserError
from faceswap.io import moments
from faceswap.models.stored import refuse_unfit
from faceswap.models.weights import decay_groups, running_mean

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
        parts["optimizer"] = moments.to_tensors(self.optimizer)
        return parts

    def restore(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take over what `tensors` gave."""
        self.detector.load_state_dict(parts["weights"])
        self.averaged.load_state_dict(parts["mean"])
        if self.decoder is not None:
            self.decoder.load_state_dict(parts["decoder"])
        moments.load_tensors(self.optimizer, parts["optimizer"])

    def check(self, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Raise DamagedError where `parts` are not what `tensors` gives."""
        refuse_unfit(self.detector.state_dict(), parts["weights"])
        refuse_unfit(self.averaged.state_dict(), parts["mean"])
        if self.decoder is not None:
            refuse_unfit(self.decoder.state_dict(), parts["decoder"])
        moments.check_tensors(self.optimizer, parts["optimizer"])

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
