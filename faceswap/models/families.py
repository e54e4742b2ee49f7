"""The families of models (DF, LIAE, AMP), and from a description to a model with fresh weights.

DeepFaceLab leaves both inters as they were initialised (§16.46); here they are trained like everything else.
"""

import torch
from torch import Tensor, nn

from faceswap.models.arch import Family, ModelSpec
from faceswap.models.blocks import initialise
from faceswap.models.coder import Decoder, Encoder, Inter
from faceswap.models.swap import Codes, Decoded, Swap, SwapModel


class DF(SwapModel):
    """The code says pose and light, the decoder who it is."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.encoder = Encoder(spec)
        self.inter = Inter(spec, self.encoder.size, spec.ae_dims)
        self.decoder_src = Decoder(spec, spec.ae_dims)
        self.decoder_dst = Decoder(spec, spec.ae_dims)

    def encode(self, src: Tensor, dst: Tensor, swap: bool = False, channels: Tensor | None = None) -> Codes:
        """See SwapModel; both sides are encoded in one batch, and the swap's code is dst's."""
        codes: Tensor = self.inter(self.encoder(torch.cat((src, dst))))
        of_dst = codes[len(src) :]
        return Codes(codes[: len(src)], of_dst, of_dst if swap else None)

    def decode(self, as_src: Tensor, as_dst: Tensor) -> tuple[Decoded, Decoded]:
        """See SwapModel."""
        return Decoded(*self.decoder_src(as_src)), Decoded(*self.decoder_dst(as_dst))

    def swap(self, dst: Tensor, _morph: float | Tensor = 1.0) -> Swap:
        """Src's decoder on dst's code."""
        code = self.inter(self.encoder(dst))
        face, mask_prd = self.decoder_src(code)
        return Swap(face, mask_prd, self.decoder_dst.decode_mask(code))


class LIAE(SwapModel):
    """inter_AB sees both faces, inter_B only dst's; the decoder's input is two codes side by side.

    src: [AB, AB]; dst: [B, AB]; swap: [AB, AB] of dst.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        channels = 2 * spec.ae_dims
        self.encoder = Encoder(spec)
        self.inter_AB = Inter(spec, self.encoder.size, channels)
        self.inter_B = Inter(spec, self.encoder.size, channels)
        self.decoder = Decoder(spec, 2 * channels)

    def encode(self, src: Tensor, dst: Tensor, swap: bool = False, channels: Tensor | None = None) -> Codes:
        """See SwapModel; the layers both sides share see them in one batch."""
        flat = self.encoder(torch.cat((src, dst)))
        ab = self.inter_AB(flat)
        of_src, of_dst = ab[: len(src)], ab[len(src) :]
        b = self.inter_B(flat[len(src) :])
        of_swap = torch.cat((of_dst, of_dst), dim=1) if swap else None
        return Codes(torch.cat((of_src, of_src), dim=1), torch.cat((b, of_dst), dim=1), of_swap)

    def decode(self, as_src: Tensor, as_dst: Tensor) -> tuple[Decoded, Decoded]:
        """See SwapModel; the one decoder sees all codes in one batch."""
        face, mask = self.decoder(torch.cat((as_src, as_dst)))
        count = len(as_src)
        return Decoded(face[:count], mask[:count]), Decoded(face[count:], mask[count:])

    def swap(self, dst: Tensor, _morph: float | Tensor = 1.0) -> Swap:
        """The code that B gives dst is replaced by AB's."""
        flat = self.encoder(dst)
        ab = self.inter_AB(flat)
        face, mask_prd = self.decoder(torch.cat((ab, ab), dim=1))
        mask_dst = self.decoder.decode_mask(torch.cat((self.inter_B(flat), ab), dim=1))
        return Swap(face, mask_prd, mask_dst)


class AMP(SwapModel):
    """dst is decoded from its own inter's code; src from both, so that any mixture of the two is a face.

    The more channels of dst's code come from src's inter, the more the result is src.
    """

    morphs = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        if spec.inter_dims is None or spec.morph_factor is None:
            raise ValueError("an AMP model needs inter_dims and morph_factor")
        self.channels = spec.inter_dims
        self.from_src = int(spec.inter_dims * spec.morph_factor)
        self.encoder = CodeEncoder(spec)
        self.inter_src = ChannelInter(spec, spec.inter_dims)
        self.inter_dst = ChannelInter(spec, spec.inter_dims)
        self.decoder = Decoder(spec, spec.inter_dims)

    def draw(self, generator: torch.Generator, count: int) -> dict[str, Tensor]:
        """channels: (count, I) bool on the host, int(I · morph_factor) random ones of each face's."""
        order = torch.rand(count, self.channels, generator=generator).argsort(dim=1)
        return {"channels": order < self.from_src}

    def encode(self, src: Tensor, dst: Tensor, swap: bool = False, channels: Tensor | None = None) -> Codes:
        """See SwapModel. channels: (B, I) bool, which of src's come from its own inter; None: the first."""
        flat = self.encoder(torch.cat((src, dst)))
        by_dst = self.inter_dst(flat)
        by_src = self.inter_src(flat if swap else flat[: len(src)])
        if channels is None:
            channels = self._first(self.from_src)
        code = _mixed(by_src[: len(src)], by_dst[: len(src)], channels)
        return Codes(code, by_dst[len(src) :], by_src[len(src) :] if swap else None)

    def decode(self, as_src: Tensor, as_dst: Tensor) -> tuple[Decoded, Decoded]:
        """See SwapModel; the one decoder sees all codes in one batch."""
        face, mask = self.decoder(torch.cat((as_src, as_dst)))
        count = len(as_src)
        return Decoded(face[:count], mask[:count]), Decoded(face[count:], mask[count:])

    def swap(self, dst: Tensor, morph: float | Tensor = 1.0) -> Swap:
        """The first int(I · morph) channels of dst's code from src's inter."""
        flat = self.encoder(dst)
        by_dst = self.inter_dst(flat)
        # On the host, whose arithmetic is exact enough not to lose a channel.
        count = (self.channels * torch.as_tensor(morph, dtype=torch.float64, device="cpu")).long()
        face, mask_prd = self.decoder(_mixed(self.inter_src(flat), by_dst, self._first(count)))
        return Swap(face, mask_prd, self.decoder.decode_mask(by_dst))

    def _first(self, count: int | Tensor) -> Tensor:
        """(1 or B, I) bool on the host: the first `count` channels, () or (B,)."""
        return torch.arange(self.channels, device="cpu") < torch.as_tensor(count, device="cpu").view(-1, 1)


class CodeEncoder(Encoder):
    """The encoder down to the bottleneck, which both inters share."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.dense1 = nn.Linear(self.size, spec.ae_dims)

    def forward(self, face: Tensor) -> Tensor:
        """(B, 3, R, R) -> (B, ae)."""
        code: Tensor = self.dense1(super().forward(face))
        return code


class ChannelInter(nn.Module):
    """A dense layer from the bottleneck to a small map of `outputs` channels."""

    def __init__(self, spec: ModelSpec, outputs: int) -> None:
        super().__init__()
        side = spec.resolution // 32
        self.dense2 = nn.Linear(spec.ae_dims, side * side * outputs)
        self.to_map = nn.Unflatten(1, (outputs, side, side))

    def forward(self, code: Tensor) -> Tensor:
        """(B, ae) -> (B, outputs, R/32, R/32)."""
        made: Tensor = self.to_map(self.dense2(code))
        return made


def _mixed(src: Tensor, dst: Tensor, channels: Tensor) -> Tensor:
    """src's code in `channels`, (1 or B, I), dst's in the others."""
    return torch.where(channels[:, :, None, None].to(src.device), src, dst)


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
