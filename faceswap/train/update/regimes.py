"""How a family of networks is trained, where that differs from SAEHD's way.

One step trains them all; it asks the regime of its model for the few things that are not the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from faceswap.augment.warp import TransformRanges
from faceswap.models.arch import Family
from faceswap.train.update.losses import ssim_windows, widen_mask
from faceswap.train.update.styles import background_terms, blurred_mask
from faceswap.types import Side


@dataclass(frozen=True)
class Regime:
    """The defaults are DF's and LIAE's (deepfacelab.md §8.4, §9.2).

    ranges: of the random transform. region: where faces are compared in masked training, from their mask.
    windows: the sides of DSSIM's windows, from the resolution. insists: options that are always so.
    plain_every: in every so manieth iteration the inputs are not warped; 0 for never.
    judged: the sides that the critic of faces sees. beyond: what dst's loss has besides, from face, target
    and mask.
    """

    ranges: TransformRanges = field(default_factory=TransformRanges)
    region: Callable[[Tensor], Tensor] = widen_mask
    windows: Callable[[int], tuple[int, ...]] = ssim_windows
    insists: Mapping[str, bool] = field(default_factory=dict)
    plain_every: int = 0
    judged: tuple[Side, ...] = (Side.SRC,)
    beyond: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None

    def warps(self, iteration: int) -> bool:
        """Whether the inputs of this iteration may be warped."""
        return not self.plain_every or iteration % self.plain_every > 0


def both_windows(resolution: int) -> tuple[int, ...]:
    """AMP looks with the large and the small window at every resolution (deepfacelab.md §10.3)."""
    return int(resolution / 11.6), int(resolution / 23.2)


_SAEHD = Regime()
# Quick96 (§10.4) shows the faces of the last iteration again without warp, which saves preparing others. Here
# that costs nothing: its plain iterations see new faces, and what one does follows from its number alone.
REGIMES: dict[Family, Regime] = {
    "DF": _SAEHD,
    "LIAE": _SAEHD,
    "AMP": Regime(
        windows=both_windows,
        insists={"masked_training": True, "eyes_mouth_priority": True},
        judged=tuple(Side),
        beyond=background_terms,
    ),
    "QUICK96": Regime(
        TransformRanges(scale=0.05), blurred_mask, insists={"masked_training": True}, plain_every=3
    ),
}
