"""Training a mask network: what it learns from, and what is done as it goes.

The loop is every network's (`learn.loop`): one network, AdamW, a running average of the weights.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from faceswap.console import say
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.io.images import write_image
from faceswap.learn import checkpoint, optimizers
from faceswap.learn.loop import Task
from faceswap.learn.state import State
from faceswap.masks.segmenter import WEIGHTS, Segmenter
from faceswap.masks.train.augment import Augmenter
from faceswap.masks.train.data import MaskSamples
from faceswap.masks.train.losses import mask_iou, mask_loss
from faceswap.masks.train.run import NETWORK, OPTIMIZER, MaskRun, preview_sheet
from faceswap.types import Image, Json, Mask

# The held-out faces are looked at every so many steps, so that a continued run stops where another would.
_CHECK_STEPS = 50
_PREVIEW_ROWS = 4


class MaskTask(Task):
    """Masks of augmented faces; a batch is (B, R, R, 3) uint8 pictures and (B, 1, R, R) masks."""

    name = "masks"

    def __init__(
        self,
        network: nn.Module,
        augmenter: Augmenter,
        batch: int,
        rate: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.network, self.rate = network.to(device), rate
        self._augmenter, self._batch, self._device, self._dtype = augmenter, batch, device, dtype

    def draw(self, random: Generator) -> tuple[Tensor, Tensor]:
        pictures, masks = self._augmenter.draw(random, self._batch)
        return torch.from_numpy(pictures), torch.from_numpy(masks)[:, None]

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        pictures, masks = (part.to(self._device, non_blocking=True) for part in batch)
        # Channels are the last axis already, and stay there.
        images = pictures.permute(0, 3, 1, 2).float() / 255
        mixed = self._dtype != torch.float32
        with torch.autocast(self._device.type, self._dtype, enabled=mixed):
            logits = self.network(images)
        return mask_loss(logits, masks)


@dataclass
class RunCheckpointer:
    """Keeps a run's state in its folder, looks at the held-out faces, shows previews, tells when to stop.

    samples: faces for the preview. held_out: faces that do not train. until_iou: end when their mean IoU is
    reached. minutes: end after so long in this run. on_save: is given the folder of every checkpoint.
    """

    run: MaskRun
    task: MaskTask
    samples: MaskSamples
    held_out: MaskSamples
    device: torch.device
    dtype: torch.dtype
    until_iou: float | None = None
    minutes: float | None = None
    preview_seconds: float = 60.0
    on_save: Callable[[Path], None] = lambda _: None
    reached: bool = False
    _started: float = field(default_factory=time.monotonic)
    _previewed_at: float = -math.inf

    def restore(self, state: State) -> None:
        """Fill `state` from the run's checkpoint, if it has one."""
        loaded = self.run.loaded
        if loaded is None:
            return
        state.network.load_state_dict(loaded.tensors[NETWORK])
        state.average.module.load_state_dict(loaded.tensors[WEIGHTS])
        state.average.n_averaged.fill_(loaded.iteration)
        optimizers.load_tensors(state.optimizer, loaded.tensors[OPTIMIZER])
        state.step, state.seconds = loaded.iteration, float(loaded.state["elapsed_s"])
        state.loss = float(loaded.state["loss"])

    def save(self, state: State) -> None:
        """Write a checkpoint and a preview."""
        parts = {
            WEIGHTS: state.average.module.state_dict(),
            NETWORK: state.network.state_dict(),
            OPTIMIZER: optimizers.to_tensors(state.optimizer),
        }
        progress: Json = {"iteration": state.step, "elapsed_s": state.seconds, "loss": state.loss}
        path = checkpoint.save(self.run.folder, parts, progress | self.run.state_json())
        write_json(self.run.folder / "history.json", self.run.checks)
        self._preview(state)
        self.on_save(path)
        say(f"saved at iteration {state.step}; loss {state.loss:.4f}{self._last_iou()}")

    def after_step(self, state: State, loss: float, seconds: float) -> bool:
        """Look at the held-out faces when it is time; True when the aim or the time is reached."""
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is no number any more at iteration {state.step}",
                "the last checkpoint is kept",
                "go on from there with --precision float32",
            )
        if state.step % _CHECK_STEPS == 0 and len(self.held_out):
            iou = self._held_out_iou(state)
            self.run.checks.append({"iteration": state.step, "loss": state.loss, "iou": round(iou, 5)})
            self.reached = self.until_iou is not None and iou >= self.until_iou
        if time.monotonic() - self._previewed_at > self.preview_seconds:
            self._preview(state)
        late = self.minutes is not None and time.monotonic() - self._started >= 60 * self.minutes
        return self.reached or late

    def segmenter(self, state: State) -> Segmenter:
        """The averaged network as it would be applied."""
        return Segmenter(state.average.module, self.run.state_json(), "in training", self.device, self.dtype)

    def _held_out_iou(self, state: State) -> float:
        images, truths = inner_crops(self.held_out, range(len(self.held_out)), self.run.spec.input_px)
        segmenter = self.segmenter(state)
        pairs = zip(images, truths, strict=True)
        return float(np.mean([mask_iou(segmenter([image])[0], truth) for image, truth in pairs]))

    def _preview(self, state: State) -> None:
        pictures, masks = self.task.draw(np.random.default_rng([self.run.seed, state.step, 1]))
        shown: Any = pictures[:_PREVIEW_ROWS].numpy().astype(np.float32) / 255
        images, truths = inner_crops(self.samples, self.samples.spread(_PREVIEW_ROWS), self.run.spec.input_px)
        images, truths = [*shown, *images], [*masks[:_PREVIEW_ROWS, 0].numpy(), *truths]
        title = f"{self.run.folder.name}  iteration {state.step}{self._last_iou()}"
        sheet = preview_sheet(images, truths, self.segmenter(state)(images), title)
        write_image(self.run.folder / "preview.png", sheet)
        self._previewed_at = time.monotonic()

    def _last_iou(self) -> str:
        return f", held-out IoU {self.run.checks[-1]['iou']:.3f}" if self.run.checks else ""


def inner_crops(samples: MaskSamples, rows: Sequence[int], input_px: int) -> tuple[list[Image], list[Mask]]:
    """The crops of `rows` without their margin at input_px², float32 in [0, 1], and their masks."""
    edge = (samples.size_px - samples.crop_px) // 2
    inside = slice(edge, edge + samples.crop_px)

    def at_size(picture: NDArray[np.uint8]) -> Any:
        how = cv2.INTER_AREA if input_px < samples.crop_px else cv2.INTER_LINEAR
        sized = cv2.resize(picture[inside, inside], (input_px, input_px), interpolation=how)
        return sized.astype(np.float32) / 255

    chosen = [samples[row] for row in rows]
    return [at_size(one.picture) for one in chosen], [at_size(one.layers)[..., 0] for one in chosen]
