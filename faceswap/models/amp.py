"""AMP: two inters beside each other, whose channels a face is mixed from (dfl-facts §10.2).

DeepFaceLab leaves both inters as they were initialised (§16.46); here they are trained like everything else.
"""

import torch
from torch import Tensor, nn

from faceswap.models.arch import ModelSpec
from faceswap.models.coder import Decoder, Encoder
from faceswap.models.swap import Codes, Decoded, Swap, SwapModel


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
