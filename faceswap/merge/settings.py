"""How a swap is laid over a frame: the look, apart from where files lie and which machine works.

Lengths are thousandths of the crop's side, so that one number looks the same at 720p and at 4K and with
any model. DFL counts pixels of a mask of 4 × resolution (dfl-facts §11.3, §16.66): its unit is
1000 / (4 · resolution) of ours, the same at resolution 250, 0.98 at 256, 1.12 at 224, 1.95 at 128.
"""

from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from faceswap.color.transfer import ColorTransfer

_UNIT = "1/1000 of the crop's side"

# What is laid over the frame (dfl-facts §11.2).
Mode: TypeAlias = Literal["overlay", "original"]
# Where it is laid (dfl-facts §11.4): prd is the swapped face, dst the face in the frame.
MaskMode: TypeAlias = Literal[
    "full", "dst", "learned-prd", "learned-dst", "learned-prd*learned-dst", "learned-prd+learned-dst"
]


class MergeSettings(BaseModel, frozen=True, extra="forbid"):
    """The look of a merge; every value is checked against its range."""

    mode: Mode = Field("overlay", description="original leaves the frames and writes the masks only")
    # DFL's default in its window (§11.2): only what both call face, so that neither src's outline
    # is laid over dst's background nor anything over what hides dst's face.
    mask_mode: MaskMode = Field(
        "learned-prd*learned-dst",
        description="where the swap covers the frame; dst is the hull of the landmarks",
    )
    # DFL starts at 0 and 0 and expects to be tuned by eye; these hide the seam on a first merge.
    erode: int = Field(
        20,
        ge=-400,
        le=400,
        description=f"shrink the mask by half of this, negative grows [-400…400, {_UNIT}]",
    )
    blur: int = Field(50, ge=0, le=400, description=f"width of the soft edge of the mask [0…400, {_UNIT}]")
    color_transfer: ColorTransfer = Field(
        "rct", description="give the swap the light of the frame (rct: Reinhard in Lab)"
    )
    output_face_scale: int = Field(
        0, ge=-50, le=50, description="positive pastes a smaller face, as in DFL [-50…50, percent]"
    )
