"""Which settings change nothing: with a model that cannot, or beside other settings, and why."""

from faceswap.merge.masks import parts_of
from faceswap.merge.settings import MergeSettings

_LEARNED = {"learned-prd", "learned-dst"}
# What only finishing a face looks at, and what only shaping its mask or laying it over the frame does.
_TREATING = (
    "color_transfer", "smooth_color", "motion_blur_power", "sharpen_mode", "blursharpen_amount",
)  # fmt: skip
_SHAPING = ("erode", "blur")
_FRAME = ("image_denoise_power", "bicubic_degrade_power", "color_degrade_power")


def unusable(morphs: bool) -> dict[str, str]:
    """Of the settings that a model can never use, why. morphs: see `Swapper`."""
    if morphs:
        return {}
    return {"morph": "this model has nothing between the two faces; AMP models have"}


def idle(settings: MergeSettings) -> dict[str, str]:
    """Of the settings that change nothing as the others are, why; whatever value they have."""
    mode, reasons = settings.mode, {}
    if mode not in ("hist-match", "seamless-hist-match"):
        reasons["hist_match_threshold"] = "only the modes hist-match and seamless-hist-match use it"
    if mode != "hist-match":
        reasons["masked_hist_match"] = "only mode hist-match uses it"
    if not _LEARNED & parts_of(settings.mask_mode):
        reasons["smooth_mask"] = "it averages learned masks, and this mask mode has none"
    if settings.color_transfer == "none" and "hist-match" not in mode:
        reasons["smooth_color"] = "nothing takes on the frame's light: color transfer is none"
    if settings.blursharpen_amount <= 0:
        reasons["sharpen_mode"] = "nothing is sharpened: blursharpen amount is not above 0"
    for name in _unseen(settings):
        reasons[name] = f"mode {mode} leaves it out"
    return reasons


def _unseen(settings: MergeSettings) -> tuple[str, ...]:
    """What the mode itself leaves out."""
    if settings.mode == "original":
        return (*_TREATING, "super_resolution_power")
    if settings.mode == "raw-rgb":
        return (*_TREATING, *_SHAPING)
    if settings.mode == "raw-predict":
        return (*_TREATING, *_SHAPING, *_FRAME, "super_resolution_power", "output_face_scale")
    return ()
