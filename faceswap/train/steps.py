"""One update of the model from one batch: augment, reconstruct, compare, step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.models.build import fast_layout
from faceswap.models.swap import Reconstruction, Swap, SwapModel
from faceswap.train.augment import Augmented, augment, draw_augment
from faceswap.train.batches import Batch
from faceswap.train.losses import reconstruction_terms
from faceswap.train.optim import AdaBelief
from faceswap.train.preview import PreviewFaces
from faceswap.types import Image, Side


class Losses(NamedTuple):
    """Mean loss of both sides over the batch: structural, pixel and mask terms together (dfl-facts §8.4)."""

    src: float
    dst: float


# AdaBelief has no bias correction: its first steps are several times the learning rate (dfl-facts §16.44),
# which throws a new model far off at any rate worth having. So the rate grows from 0 over this many updates.
WARM_UP_ITERATIONS = 100


@dataclass(frozen=True)
class StepOptions:
    """What may change while a model is trained.

    learning_rate: of AdaBelief. The gradient is that of the mean over the batch, and there is no clipping.
    masked: faces are compared inside their mask only.
    """

    learning_rate: float = 5e-5
    masked: bool = True
    random_warp: bool = True
    src_flip: bool = False
    dst_flip: bool = True


class TrainStep:
    """Holds model and optimiser on the device.

    dtype: bf16 computes the networks in autocast; weights, losses and optimiser stay float32.
    channels_last: memory format of weights and activations, None for the faster one; with float32 and
    without it this is the plain eager baseline that the benchmark compares with.
    """

    def __init__(
        self,
        model: SwapModel,
        options: StepOptions,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        channels_last: bool | None = None,
    ) -> None:
        self.options, self.device, self.dtype = options, device, dtype
        if channels_last is None:
            self.memory_format = fast_layout(device, dtype)
        else:
            self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(device).to(memory_format=self.memory_format)
        self.optimizer = AdaBelief(model.parameters(), lr=options.learning_rate)

    def __call__(self, batch: Batch, seed: int, iteration: int) -> Losses:
        """Update the model once. The augmentation follows from `seed` and `iteration` alone."""
        src = self._augment(batch.src, Side.SRC, self.options.src_flip, seed, iteration)
        dst = self._augment(batch.dst, Side.DST, self.options.dst_flip, seed, iteration)
        with self._autocast():
            made: Reconstruction = self.model(src.warped, dst.warped)
        src_loss = self._compare(made.src_src, made.src_mask, src)
        dst_loss = self._compare(made.dst_dst, made.dst_mask, dst)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(src_loss + dst_loss)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * min(1.0, (iteration + 1) / WARM_UP_ITERATIONS)
        self.optimizer.step()
        return Losses(*torch.stack((src_loss, dst_loss)).tolist())

    @torch.inference_mode()
    def preview(self, src: NDArray[np.uint8], dst: NDArray[np.uint8]) -> PreviewFaces:
        """What the model makes of unwarped faces, (N, R, R, 4) uint8; as many as both sides have."""
        rows = min(len(src), len(dst))
        src_faces, dst_faces = (self._to_device(torch.from_numpy(faces[:rows])) for faces in (src, dst))
        with self._autocast():
            made: Reconstruction = self.model(src_faces[:, :3], dst_faces[:, :3])
            swap: Swap = self.model.swap(dst_faces[:, :3])
        return PreviewFaces(
            src=_to_images(src_faces[:, :3]),
            src_src=_to_images(made.src_src),
            dst=_to_images(dst_faces[:, :3]),
            dst_dst=_to_images(made.dst_dst),
            swap=_to_images(swap.face),
            swap_mask=_to_images(swap.mask_prd * swap.mask_dst),
        )

    def is_finite(self) -> bool:
        """Whether every weight is a finite number: one update can break what its loss did not show."""
        return all(bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """The optimiser's moments by parameter, `mean/decoder.up0.conv1.weight`, for a checkpoint."""
        return {
            f"{key}/{name}": value
            for name, parameter in self.model.named_parameters()
            for key, value in self.optimizer.state.get(parameter, {}).items()
        }

    def load_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `optimizer_tensors` gave; parameters it does not name start afresh."""
        state: dict[int, dict[str, Tensor]] = {}
        numbers = {name: number for number, (name, _) in enumerate(self.model.named_parameters())}
        for name, value in tensors.items():
            key, _, parameter = name.partition("/")
            state.setdefault(numbers[parameter], {})[key] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})

    def _augment(self, pixels: Tensor, side: Side, flip: bool, seed: int, iteration: int) -> Augmented:
        generator = torch.Generator().manual_seed(_mix(seed, iteration, list(Side).index(side)))
        params = draw_augment(generator, len(pixels), flip, self.options.random_warp)
        faces = self._to_device(pixels)
        made = augment(faces[:, :3], faces[:, 3:], params)
        return made._replace(warped=made.warped.contiguous(memory_format=self.memory_format))

    def _compare(self, face: Tensor, mask: Tensor, wanted: Augmented) -> Tensor:
        terms = reconstruction_terms(face, mask, wanted.target, wanted.mask, self.options.masked)
        return terms.total().mean()

    def _to_device(self, pixels: Tensor) -> Tensor:
        """(B, R, R, C) uint8 on the host -> (B, C, R, R) float32 in [0, 1] on the device."""
        return pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)


def _mix(*numbers: int) -> int:
    """A 64-bit seed that differs for every combination of `numbers`."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _to_images(pictures: Tensor) -> Image:
    return pictures.float().permute(0, 2, 3, 1).cpu().numpy()
