"""How a model is trained: what may change from one iteration to the next (deepfacelab.md §8.1)."""

from typing import Literal, Self, TypeAlias

from pydantic import BaseModel

from faceswap.config import option
from faceswap.errors import UserError
from faceswap.models.arch import ModelSpec
from faceswap.types import SampleTransfer

OptimizerName: TypeAlias = Literal["adabelief", "rmsprop", "adamw"]

# What pretraining forces. DeepFaceLab leaves the generator's term of true face on while its critic rests
# (§16.48) and keeps a colour transfer that has no reference set (§16.54): both are off here.
_PRETRAINING = {
    "random_warp": False,
    "random_src_flip": True,
    "random_dst_flip": True,
    "uniform_yaw": True,
    "lr_dropout": False,
    "random_hsv_power": 0.0,
    "color_transfer": "none",
    "true_face_power": 0.0,
    "face_style_power": 0.0,
    "bg_style_power": 0.0,
    "gan_power": 0.0,
}


class StepOptions(BaseModel, frozen=True, extra="forbid"):
    """The options of an update, each with its range and its line of help; flags of `stages.train`."""

    learning_rate: float = option(5e-5, "step size; DeepFaceLab's", ge=1e-8, le=1e-2)
    optimizer: OptimizerName = option("adabelief", "what turns gradients into steps; rmsprop is lean")
    lr_dropout: bool = option(
        False, "move only 30 % of the weights an iteration; use it before warp goes off"
    )
    lr_cosine: bool = option(True, "with --lr-dropout, let the step fall to 0 and rise every 500 iterations")
    clip_gradients: bool = option(False, "shorten gradients longer than 1; against collapse")
    dfl_exact: bool = option(
        False,
        "to continue a DeepFaceLab model: sums over the batch, and AB rests without warp",
    )
    masked_training: bool = option(True, "compare faces inside their mask only")
    eyes_mouth_priority: bool = option(False, "compare eyes and mouth once more; for gazes and teeth")
    blur_out_mask: bool = option(False, "smooth what lies just outside the mask; needs exact masks")
    random_warp: bool = option(True, "warp the inputs; switch off late, for sharpness")
    random_src_flip: bool = option(False, "mirror source faces at random")
    random_dst_flip: bool = option(True, "mirror destination faces at random")
    random_hsv_power: float = option(0.0, "shift the colours of source inputs; typical 0.05", ge=0, le=0.3)
    color_transfer: SampleTransfer = option("none", "recolour source faces toward random destination faces")
    uniform_yaw: bool = option(False, "show faces from every side equally often")
    true_face_power: float = option(
        0.0, "push source codes to look like dst's, DF only; typical 0.01", ge=0, le=1
    )
    face_style_power: float = option(0.0, "give the swap dst's colours; start late, at 0.001", ge=0, le=100)
    bg_style_power: float = option(0.0, "give the swap dst's surroundings; typical 2", ge=0, le=100)
    gan_power: float = option(0.0, "let a critic judge source faces, for detail; late, about 0.1", ge=0, le=5)
    gan_patch_size: int | None = option(
        None, "what the critic sees at once (default: an eighth of the resolution)", unit="px", ge=3, le=640
    )
    gan_dims: int = option(16, "base channels of the critic", ge=4, le=512)
    pretrain: bool = option(
        False, "learn faces as such from --pretrain-faces; switching it off starts the identities anew"
    )

    def in_effect(self) -> Self:
        """What is used: itself, but in pretraining with what that forces."""
        return self.model_copy(update=_PRETRAINING) if self.pretrain else self

    def patch_px(self, resolution: int) -> int:
        """The side of what the critic sees at once."""
        return self.gan_patch_size or max(3, resolution // 8)

    def check(self, spec: ModelSpec) -> None:
        """Raise UserError where the options do not fit the model or one another."""
        if self.true_face_power and spec.arch.family != "DF":
            raise UserError(
                "--true-face-power is for DF models", f"this one is {spec.arch}", "leave it out, or type 0"
            )
        if self.lr_dropout and self.optimizer == "adamw":
            raise UserError(
                "--lr-dropout is for adabelief and rmsprop",
                "the optimiser is adamw",
                "leave one of the two out",
            )
        if self.gan_power:
            # torch takes seconds to import, and who only reads options needs none of it.
            from faceswap.models.critics import check_patch

            check_patch(spec.resolution, self.patch_px(spec.resolution))


DEFAULTS = StepOptions()
