"""How a swap is laid over a frame, apart from where files lie and which machine works.

Every length follows the face, so that one number looks the same at 720p and at 4K. The mask's are
thousandths of the crop's side, the same with any model: DFL counts pixels of a mask of 4 × resolution
(deepfacelab.md §11.3, §16.66), so its unit is 1000 / (4 · resolution) of ours, the same at resolution 250,
0.98 at 256, 1.12 at 224, 1.95 at 128. Sharpening, blur and motion blur work on the swapped face in the
model's own pixels, 1/resolution of the crop, the finest detail a model has. Noise and the frame's
sharpness belong to the camera, not to the face: what treats the whole frame counts its pixels.
Names, ranges and amounts are DFL's (§11.2), so that its users' figures give what they gave.
"""

from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from faceswap.color.transfer import ColorTransfer

HEADINGS = {
    "mask": ("mask_mode", "erode", "blur", "smooth_mask", "mask_model"),
    "colour": ("mode", "masked_hist_match", "hist_match_threshold", "color_transfer", "smooth_color"),
    "face": (
        "output_face_scale", "motion_blur_power", "super_resolution_power", "upscaler", "sharpen_mode",
        "blursharpen_amount", "morph",
    ),
    "frame": ("image_denoise_power", "bicubic_degrade_power", "color_degrade_power"),
    "with --stream": ("codec", "quality", "bits", "alpha", "hardware", "sound", "input"),
    "speed": ("device", "precision", "batch_size", "workers"),
}  # fmt: skip


_UNIT = "1/1000 of the crop's side"

# What is laid over the frame (deepfacelab.md §11.2).
Mode: TypeAlias = Literal[
    "overlay", "original", "hist-match", "seamless", "seamless-hist-match", "raw-rgb", "raw-predict"
]
# Where it is laid (deepfacelab.md §11.4): prd is the swapped face, dst the face in the frame.
MaskMode: TypeAlias = Literal[
    "full",
    "dst",
    "learned-prd",
    "learned-dst",
    "learned-prd*learned-dst",
    "learned-prd+learned-dst",
    "xseg-prd",
    "xseg-dst",
    "xseg-prd*xseg-dst",
    "learned-prd*learned-dst*xseg-prd*xseg-dst",
]
SharpenMode: TypeAlias = Literal["none", "box", "gaussian"]


class MergeSettings(BaseModel, frozen=True, extra="forbid"):
    """The look of a merge; every value is checked against its range."""

    mode: Mode = Field(
        "overlay",
        description="original leaves the frames and writes the masks only; hist-match copies the frame's "
        "distribution of colours; seamless continues the light at the mask's edge into the face; raw-rgb "
        "pastes the whole crop untreated, raw-predict writes the model's picture",
    )
    masked_hist_match: bool = Field(True, description="hist-match looks at the face only, not at the crop")
    hist_match_threshold: int = Field(
        238, ge=0, le=255, description="hist-match: less keeps highlights down [0…255, 255 matches fully]"
    )
    # DFL's default in its window (§11.2): only what both call face, so that neither src's outline
    # is laid over dst's background nor anything over what hides dst's face.
    mask_mode: MaskMode = Field(
        "learned-prd*learned-dst",
        description="where the swap covers the frame: prd is the swap, dst the face in the frame; dst alone "
        "is its drawn or stored mask, else the hull of its landmarks; learned asks the model, xseg the mask "
        "network",
    )
    # DFL starts at 0 and 0 and expects to be tuned by eye; these hide the seam on a first merge.
    erode: int = Field(
        20,
        ge=-400,
        le=400,
        description=f"shrink the mask by half of this, negative grows [-400…400, {_UNIT}]",
    )
    blur: int = Field(50, ge=0, le=400, description=f"width of the soft edge of the mask [0…400, {_UNIT}]")
    smooth_mask: int = Field(
        0,
        ge=0,
        le=25,
        description="average the learned masks over so many frames before and after, but not what moves "
        "across the face, so that the edge does not tremble; xseg masks: mask_apply --smooth [0…25, frames]",
    )
    motion_blur_power: int = Field(
        0,
        ge=0,
        le=100,
        description="blur a moving face along its path [0…100, percent of its way from the frame before to "
        "the one after; 25 is a film camera's half-open shutter]",
    )
    output_face_scale: int = Field(
        0, ge=-50, le=50, description="positive pastes a smaller face, as in DFL [-50…50, percent]"
    )
    super_resolution_power: int = Field(
        0, ge=0, le=100, description="how much of a picture four times finer is mixed in [0…100, percent]"
    )
    color_transfer: ColorTransfer = Field(
        "rct", description="give the swap the light of the frame (rct: Reinhard in Lab)"
    )
    smooth_color: int = Field(
        0,
        ge=0,
        le=25,
        description="average the light that a colour transfer takes from the frames over so many before and "
        "after, but not where it changes at once; leave at 0 where the light itself flickers [0…25, frames]",
    )
    sharpen_mode: SharpenMode = Field("none", description="how the swap is sharpened")
    blursharpen_amount: int = Field(
        0,
        ge=-100,
        le=100,
        description="positive sharpens in a sharpen mode: multiples of the detail finer than three of the "
        "model's pixels (gaussian: half multiples), 1 to 10 is usual; negative blurs: tenths of a median "
        "over five of the model's pixels [-100…100]",
    )
    image_denoise_power: int = Field(
        0,
        ge=0,
        le=500,
        description="take noise out of the frame around the face by medians over 5 × 5 pixels of the "
        "frame [0…500, ten for each median, the last ten of them ever weaker]",
    )
    bicubic_degrade_power: int = Field(
        0,
        ge=0,
        le=100,
        description="make the frame around the face as soft as one this much smaller [0…100, percent]",
    )
    color_degrade_power: int = Field(
        0,
        ge=0,
        le=100,
        description="reduce the finished frame to 256 colours by so much [0…100, percent]",
    )
    morph: float = Field(
        1.0, ge=0, le=1, description="AMP models only: how much of src the face shows, 0 is dst [0…1]"
    )
