"""A trained mask network as the stages use it: crops in, soft masks out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import nn

from faceswap.console import command, warn
from faceswap.errors import UserError
from faceswap.io.documents import DocumentError, fitted
from faceswap.learn import checkpoint
from faceswap.learn.stored import refuse_unfit
from faceswap.models.families import fast_layout
from faceswap.models.segmenter import SegmenterSpec, build, outline
from faceswap.types import FaceType, Image, Json, Mask
from faceswap.workspace import assets

WEIGHTS = "weights"
# Marks a checkpoint as one of a mask network: other models lie in the same folder.
KIND = "masks"


class Segmenter:
    """face_type: how much of the head its crops show. identity: tells this model from every other.

    input_px: side of the crops it takes.
    """

    def __init__(
        self, network: nn.Module, state: Json, identity: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.face_type = FaceType(state["face_type"])
        self.input_px = int(state["spec"]["input_px"])
        self.identity = identity
        self._device, self._dtype, self._layout = device, dtype, fast_layout(device, dtype)
        network = network.eval().requires_grad_(False).to(device)
        self._network = network.to(memory_format=self._layout)

    def __call__(self, crops: Sequence[Image]) -> list[Mask]:
        """Masks in [0, 1] of float32 RGB crops in [0, 1], all of input_px², computed as one batch."""
        if not crops:
            return []
        batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self._device)
        mixed = self._dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self._device.type, self._dtype, enabled=mixed):
            logits = self._network(batch.contiguous(memory_format=self._layout))
        masks: NDArray[np.float32] = logits.float().sigmoid()[:, 0].cpu().numpy()
        if not np.isfinite(masks).all():
            what = f"the mask model {self.identity} answers what is no number"
            raise UserError(what, "", "add --precision float32, or name another model")
        return list(masks)


def bundled_folder() -> Path:
    """Where the generic mask model lies."""
    return assets() / "masks" / "generic"


def load_segmenter(folder: Path | None, device: torch.device, dtype: torch.dtype) -> Segmenter:
    """The newest mask model in `folder` (model/NAME, or one checkpoint); None for the bundled generic one.

    Raises UserError when there is none, it is damaged, or it is no mask model.
    """
    loaded = find_model(bundled_folder() if folder is None else folder)
    network = build(SegmenterSpec.from_json(loaded.state["spec"]))
    network.load_state_dict(as_float32(loaded))
    # A part's hash in the checkpoint's own record: the same weights have the same name wherever they lie.
    digest = loaded.state["files"][f"{WEIGHTS}.safetensors"]["sha256"]
    name = "generic" if folder is None else folder.name
    return Segmenter(network, loaded.state, f"{name}-{digest[:12]}", device, dtype)


def find_model(folder: Path) -> checkpoint.Loaded:
    """The newest checkpoint of run `folder`, or `folder` itself where it is a checkpoint.

    Raises UserError when there is none, it is damaged, or it is no mask model.
    """
    if (folder / checkpoint.STATE).is_file():
        loaded = checkpoint.read(folder, [WEIGHTS], check_model)
    elif checkpoint.exists(folder):
        loaded = checkpoint.load(folder, [WEIGHTS], check_model)
        for reason in loaded.rejected:
            warn(f"{reason}; using {loaded.path.name}")
    else:
        hint = f"train one: {command('stages.mask_train')}"
        raise UserError(f"no mask model in {folder}", "", hint)
    if loaded.state.get("kind") != KIND:
        raise UserError(f"{folder} holds no mask model", "it is a model of faces", "name another --model")
    return loaded


class StoredMasks(BaseModel):
    """The state of a mask model."""

    spec: dict[str, Any]
    face_type: FaceType


def check_model(loaded: checkpoint.Loaded) -> None:
    """Raise DamagedError or UserError where a checkpoint of a mask model does not hold one."""
    if loaded.state.get("kind") != KIND:
        return
    try:
        state = fitted(loaded.state, StoredMasks)
    except DocumentError as error:
        raise checkpoint.DamagedError(f"its state is no mask model's: {error}") from None
    refuse_unfit(outline(SegmenterSpec.from_json(state.spec)).state_dict(), loaded.tensors[WEIGHTS])


def as_float32(loaded: checkpoint.Loaded) -> dict[str, torch.Tensor]:
    """The weights; bundled ones are stored in half precision, counters are whole numbers."""
    weights = loaded.tensors[WEIGHTS]
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
