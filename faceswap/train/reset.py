"""Part of a model drawn anew, as the guides of DeepFaceLab's users do with LIAE's inter_AB."""

import numpy as np

from faceswap.errors import UserError
from faceswap.models.build import build
from faceswap.models.swap import SwapModel

INTER = "inter_AB"


def check_part(model: SwapModel, part: str) -> None:
    """Raise UserError where the model has no such part."""
    if not hasattr(model, part):
        raise UserError(
            f"{model.spec.arch} has no {part} that could be drawn anew",
            "",
            "leave --reset-inter out; it is for LIAE",
        )


def redraw(model: SwapModel, part: str, seed: int, iteration: int) -> None:
    """Give a part of the model the first weights that follow from `seed` and `iteration`.

    The optimiser's moments stay, as DeepFaceLab keeps them (dfl-facts §8.7): they know the gradients' scale.
    """
    fresh = build(model.spec, int(np.random.SeedSequence([seed, iteration]).generate_state(1)[0]))
    model.get_submodule(part).load_state_dict(fresh.get_submodule(part).state_dict())
