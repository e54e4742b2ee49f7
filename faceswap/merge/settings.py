"""How a swap is laid over a frame: the look, apart from where files lie and which machine works.

Lengths are thousandths of the crop's side, so that one number looks the same at 720p and at 4K and with
any model. DFL counts pixels of a mask of 4 × resolution (dfl-facts §11.3, §16.66): its unit is
1000 / (4 · resolution) of ours, the same at resolution 250, 0.98 at 256, 1.12 at 224, 1.95 at 128.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from faceswap.color.transfer import ColorTransfer

_UNIT = "1/1000 of the crop's side"


class Mode(StrEnum):
    """What is laid over the frame (dfl-facts §11.2)."""

    OVERLAY = "overlay"
    ORIGINAL = "original"


class MaskMode(StrEnum):
    """Where it is laid (dfl-facts §11.4); prd is the swapped face, dst the face in the frame."""

    FULL = "full"
    DST = "dst"
    LEARNED_PRD = "learned-prd"
    LEARNED_DST = "learned-dst"
    LEARNED_BOTH = "learned-prd*learned-dst"
    LEARNED_EITHER = "learned-prd+learned-dst"


class MergeSettings(BaseModel):
    """The look of a merge; every value is checked against its range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Field(Mode.OVERLAY, description="original leaves the frames and writes the masks only")
    # DFL's interactive default: nothing of src's hair, nothing over what covers dst's face.
    mask_mode: MaskMode = Field(
        MaskMode.LEARNED_BOTH, description="where the swap covers the frame; dst is the hull of the landmarks"
    )
    # DFL starts at 0 and 0 and expects to be tuned by eye; these hide the seam on a first merge.
    erode: int = Field(
        20, ge=-400, le=400, description=f"shrink the mask by half of this, negative grows [-400…400, {_UNIT}]"
    )
    blur: int = Field(50, ge=0, le=400, description=f"width of the soft edge of the mask [0…400, {_UNIT}]")
    color_transfer: ColorTransfer = Field(
        ColorTransfer.RCT, description="give the swap the light of the frame (rct: Reinhard in Lab)"
    )
    output_face_scale: int = Field(
        0, ge=-50, le=50, description="positive pastes a smaller face, as in DFL [-50…50, percent]"
    )
