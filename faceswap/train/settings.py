"""Options of a training that do not change what is learnt, and the headings of all in its help."""

from pydantic_settings import CliSuppress

from faceswap.config import StageSettings, option
from faceswap.train.schedule import Phase, Schedule

# What decides the shapes of the weights and what a face is: chosen once, when the model is new.
FIXED = (
    "arch", "resolution", "ae_dims", "encoder_dims", "decoder_dims", "mask_dims", "inter_dims",
    "morph_factor", "face_type",
)  # fmt: skip
_LOSSES = (
    "masked_training", "eyes_mouth_priority", "blur_out_mask", "true_face_power", "face_style_power",
    "bg_style_power", "gan_power", "gan_patch_size", "gan_dims",
)  # fmt: skip
_DATA = (
    "src", "dst", "pretrain_faces", "pretrain", "random_warp", "random_src_flip", "random_dst_flip",
    "random_hsv_power", "color_transfer", "uniform_yaw",
)  # fmt: skip
_STEPS = ("learning_rate", "optimizer", "lr_dropout", "lr_cosine", "clip_gradients", "dfl_exact")
_SPEED = ("batch_size", "accumulate", "checkpointing", "compile", "device", "precision", "plan")
_SAVING = ("save_minutes", "keep", "preview_seconds", "timelapse", "tensorboard")
_MEASURING = ("held_back", "quality_minutes", "face_models")
HEADINGS = {
    "model, chosen once": ("model", *FIXED, "base", "seed"),
    "faces": _DATA,
    "losses": _LOSSES,
    "steps": (*_STEPS, "reset_inter"),
    "speed and memory": _SPEED,
    "when to stop": ("iterations", "minutes", "stop_when_flat", "recipe"),
    "saving and previews": _SAVING,
    "measuring": _MEASURING,
}


class ScheduleSettings(StageSettings):
    """phases: those of a recipe; they come from a preset or a settings file."""

    iterations: int | None = option(None, "stop when the model has had so many iterations in all", ge=1)
    minutes: float | None = option(None, "stop this run after so long", unit="minutes", ge=0.01)
    stop_when_flat: bool = option(False, "stop when the error on held-back faces falls no more")
    save_minutes: float = option(10.0, "time between saves", unit="minutes", ge=0.05, le=1440)
    keep: int = option(3, "automatic backups: one of each of the last so many hours and days", ge=0, le=100)
    preview_seconds: float = option(60.0, "time between previews", unit="s", ge=1, le=86400)
    timelapse: int = option(200, "previews that stay in previews/, evenly thinned", ge=0, le=100_000)
    tensorboard: bool = option(False, "write what TensorBoard shows, too: losses, speeds, previews, figures")
    held_back: float = option(
        0.02, "share of dst's faces that is never trained on, to measure with", ge=0, le=0.5
    )
    quality_minutes: float = option(10.0, "time between measurements", unit="minutes", ge=0.05, le=1440)
    face_models: str = option("bundled", "face-model pack that measures landmarks and likeness")
    reset_inter: int | None = option(
        None, "LIAE: draw inter_AB anew every so many iterations", ge=100, le=10_000_000
    )
    recipe: bool = option(True, "go through the phases of the recipe that a preset gave this model")
    phases: CliSuppress[tuple[Phase, ...]] = ()

    def schedule(self) -> Schedule:
        """When to do what."""
        return Schedule(**{name: getattr(self, name) for name in Schedule.__dataclass_fields__})


# What continuing a model takes from its last run, unless it is typed anew.
REMEMBERED = frozenset(ScheduleSettings.model_fields) - {"workspace", "iterations", "minutes"}
# What may change while a model is trained.
LIVE = frozenset(Schedule.__dataclass_fields__)
