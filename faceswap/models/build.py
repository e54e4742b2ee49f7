"""From a description to a model with fresh weights."""

import torch

from faceswap.models.amp import AMP
from faceswap.models.arch import Family, ModelSpec
from faceswap.models.blocks import initialise
from faceswap.models.df import DF
from faceswap.models.liae import LIAE
from faceswap.models.swap import SwapModel

MODELS: dict[Family, type[SwapModel]] = {"DF": DF, "LIAE": LIAE, "AMP": AMP, "QUICK96": DF}


def build(spec: ModelSpec, seed: int = 0) -> SwapModel:
    """A model on the CPU in float32; the same seed gives the same weights.

    Raises UserError where the sizes do not fit the architecture.
    """
    # On "meta" nothing is drawn from torch's global generator and no memory is filled twice.
    model = outline(spec)
    model.to_empty(device="cpu")
    initialise(model, torch.Generator().manual_seed(seed))
    return model


def outline(spec: ModelSpec) -> SwapModel:
    """The model on the device "meta", which has names and shapes of weights but no numbers; see `build`."""
    spec.validate()
    with torch.device("meta"):
        return MODELS[spec.arch.family](spec)


def fast_layout(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """The memory layout of weights and faces in which `device` computes `dtype` fastest.

    oneDNN's float32 kernels want channels first (an iteration takes a fifth less than channels last on
    AVX2); its bf16 kernels and cuDNN's want channels last.
    """
    plain = device.type == "cpu" and dtype == torch.float32
    return torch.contiguous_format if plain else torch.channels_last
