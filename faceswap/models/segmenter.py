"""Networks that tell face from the rest of a crop: a U-Net with a light encoder, or DeepFaceLab's XSeg."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self, get_args

import torch
from pydantic import Field, StringConstraints
from torch import Tensor, nn

from faceswap.errors import UserError
from faceswap.io.documents import DocumentError, fitted
from faceswap.models.arch import ENCODER, SegmenterArch
from faceswap.models.blocks import initialise
from faceswap.models.xseg import XSeg
from faceswap.types import Json

_Encoder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_Dims = Annotated[int, Field(ge=1, le=1024)]
# What the encoders' published weights expect (torchvision, timm): mean and deviation of ImageNet's RGB.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PIXELS_PER_CODE = {"unet": 32, "xseg": 64}


@dataclass(frozen=True)
class SegmenterSpec:
    """All that decides a network's shape.

    encoder, decoder_dims: of the U-Net, in the words of segmentation-models-pytorch. base_dims: of XSeg,
    32 as DeepFaceLab has it. input_px: side of the square input, a multiple of 32, for XSeg of 64.
    """

    arch: SegmenterArch = "unet"
    encoder: _Encoder = ENCODER
    decoder_dims: tuple[_Dims, ...] = (128, 64, 48, 32, 16)
    base_dims: _Dims = 32
    input_px: Annotated[int, Field(ge=32, le=4096)] = 256

    def to_json(self) -> Json:
        """Plain JSON; `from_json` gives back the same."""
        return asdict(self) | {"decoder_dims": list(self.decoder_dims)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises UserError where a field is missing, mistyped or impossible."""
        try:
            return fitted(data, cls)
        except DocumentError as error:
            raise UserError("the mask model's description is damaged", str(error)) from None


def build(spec: SegmenterSpec, seed: int = 0, encoder_weights: str | None = None) -> nn.Module:
    """A network on the CPU in float32: (B, 3, R, R) RGB in [0, 1] -> (B, 1, R, R) logits.

    The same seed gives the same weights. encoder_weights: name of published weights of the U-Net's
    encoder ("imagenet"), fetched from the internet or its cache. Raises UserError for an architecture,
    size or encoder that does not exist, for weights that cannot be had, and where smp is not installed.
    """
    _require_possible(spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if spec.arch == "unet":
            return UNet(spec, encoder_weights)
        network = XSeg(spec.input_px, spec.base_dims)
    if encoder_weights is not None:
        raise UserError("xseg has no published encoder weights", "", "leave --encoder-weights out")
    initialise(network, torch.Generator().manual_seed(seed))
    return network


def outline(spec: SegmenterSpec) -> nn.Module:
    """The network on the device "meta", which has names and shapes of weights but no numbers; see `build`."""
    _require_possible(spec)
    with torch.device("meta"):
        return UNet(spec) if spec.arch == "unet" else XSeg(spec.input_px, spec.base_dims)


def _require_possible(spec: SegmenterSpec) -> None:
    if spec.arch not in get_args(SegmenterArch):
        raise UserError(f"no mask network {spec.arch!r}", f"there are {', '.join(get_args(SegmenterArch))}")
    step = _PIXELS_PER_CODE[spec.arch]
    if spec.input_px % step:
        raise UserError(f"{spec.arch} wants inputs of a multiple of {step} px, not {spec.input_px}")


class UNet(nn.Module):
    """segmentation-models-pytorch's Unet, fed with pictures normalised as its encoders expect."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, spec: SegmenterSpec, encoder_weights: str | None = None) -> None:
        super().__init__()
        self.net = _unet(spec, encoder_weights)
        for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, R, R) RGB in [0, 1] -> (B, 1, R, R) logits."""
        made: Tensor = self.net((x - self.mean) / self.deviation)
        return made


def _unet(spec: SegmenterSpec, encoder_weights: str | None) -> nn.Module:
    try:
        import segmentation_models_pytorch as smp
    except ImportError:
        hint = 'install it: python -m pip install "faceswap-workbench[masks]"'
        raise UserError("segmentation-models-pytorch is not installed", "", hint) from None
    try:
        made: nn.Module = smp.Unet(
            spec.encoder, encoder_weights=encoder_weights, decoder_channels=spec.decoder_dims
        )
    except KeyError as error:
        what = f"the encoder {spec.encoder!r} or its weights {encoder_weights!r} do not exist"
        raise UserError(what, str(error.args[0])[:300]) from None
    except (OSError, RuntimeError) as error:
        if encoder_weights is None:
            raise
        raise UserError(
            f"the {encoder_weights} weights of {spec.encoder} cannot be fetched",
            str(error)[:300],
            "train without: leave --encoder-weights out",
        ) from None
    return made
