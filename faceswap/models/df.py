"""DF: one encoder and inter for both faces, a decoder for each (dfl-facts §7.2)."""

import torch
from torch import Tensor

from faceswap.models.arch import ModelSpec
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
