"""A trained model, ready to give faces the look of src, many at a time."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from faceswap.console import warn
from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.learn.stored import check_model, stored_model
from faceswap.masks.segmenter import Segmenter, load_segmenter
from faceswap.merge.enhance import BUNDLED, Enhancer
from faceswap.merge.masks import Prediction
from faceswap.merge.upscale import Upscaler, load_upscaler
from faceswap.models.arch import ModelSpec
from faceswap.models.families import build
from faceswap.models.swap import SwapModel
from faceswap.types import FaceType, Image, Mask


class Predictor:
    """Swaps batches of crops. `identity` changes whenever the answers of its networks may.

    morphs: whether a swap may lie between the two faces.
    enhancer: what draws faces finer where super-resolution is asked for. mask_model: folder of the segmenter,
    which is loaded when a look needs it first; None for the bundled one.
    """

    enhancer: Enhancer = BUNDLED
    mask_model: Path | None = None

    def __init__(
        self, model: SwapModel, face_type: FaceType, device: torch.device, dtype: torch.dtype, identity: str
    ) -> None:
        self.face_type, self.identity = face_type, identity
        self.resolution, self.morphs = model.spec.resolution, model.morphs
        self._device, self._dtype = device, dtype
        self._model = model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def enhance_by(self, upscaler: Upscaler) -> None:
        """Take a user's network for super-resolution."""
        self.enhancer, self.identity = upscaler, f"{self.identity}, {upscaler.identity}"

    @cached_property
    def segmenter(self) -> Segmenter:
        """What finds the face in crops; UserError where there is no such model."""
        return load_segmenter(self.mask_model, self._device, self._dtype)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Image], morphs: Sequence[float] = ()) -> list[Prediction]:
        """The swap of each crop (R, R, 3), computed as one batch.

        morphs: of each crop how much of src it shows, where the model morphs; without, it is src altogether.
        Raises UserError where the model gives what is no number.
        """
        batch = torch.from_numpy(np.stack(crops)).to(self._device).permute(0, 3, 1, 2)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not torch.float32):
            swap = self._model.swap(batch, torch.tensor(morphs, dtype=torch.float64) if morphs else 1.0)
        faces = _to_host(swap.face.permute(0, 2, 3, 1))
        masks_prd, masks_dst = _to_host(swap.mask_prd[:, 0]), _to_host(swap.mask_dst[:, 0])
        if not all(np.isfinite(part).all() for part in (faces, masks_prd, masks_dst)):
            what = f"the model {self.identity.partition(',')[0]} answers what is no number"
            raise UserError(what, "", "add --precision float32, or go back: stages.model restore")
        return [Prediction(*parts) for parts in zip(faces, masks_prd, masks_dst, strict=True)]


def load_predictor(
    run: Path, device: torch.device, dtype: torch.dtype, upscaler: Path | None = None
) -> Predictor:
    """The newest intact checkpoint of model folder `run`; says when newer ones are damaged.

    dtype: torch.bfloat16 where the device computes it natively, else torch.float32. upscaler: see
    `load_upscaler`. Raises UserError when there is no intact checkpoint, or it does not hold what its
    description says.
    """
    loaded = checkpoint.load(run, ["weights"], check_model)
    for reason in loaded.rejected:
        warn(f"{reason}; using {loaded.path.name}")
    predictor = predictor_of(loaded, run.name, device, dtype)
    if upscaler is not None:
        predictor.enhance_by(load_upscaler(upscaler, predictor.resolution, device.type == "cuda"))
    return predictor


def predictor_of(loaded: checkpoint.Loaded, name: str, device: torch.device, dtype: torch.dtype) -> Predictor:
    """The model of a checkpoint that was read; UserError when it does not hold what its description says."""
    try:
        check_model(loaded)
        state = stored_model(loaded)
        model = build(ModelSpec.from_json(state.spec))
        model.load_state_dict(loaded.tensors["weights"])
    except (checkpoint.DamagedError, UserError) as error:
        hint = "train it on with this version, or choose another --model"
        raise UserError(f"{loaded.path} is no face-swap model", str(error), hint) from None
    digest = loaded.state["files"]["weights.safetensors"]["sha256"]
    return Predictor(model, state.face_type, device, dtype, f"{name} at {loaded.iteration}, weights {digest}")


def _to_host(values: Tensor) -> Image | Mask:
    """float32 in [0, 1], in one block of memory."""
    return np.ascontiguousarray(values.float().clamp(0, 1).cpu().numpy())
