"""DF: one encoder and inter for both faces, a decoder for each (dfl-facts §7.2)."""

import torch
from torch import Tensor

from faceswap.models.arch import ModelSpec
from faceswap.models.coder import Decoder, Encoder, Inter
from faceswap.models.swap import Reconstruction, Swap, SwapModel


class DF(SwapModel):
    """The code says pose and light, the decoder who it is."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.encoder = Encoder(spec)
        self.inter = Inter(spec, self.encoder.size, spec.ae_dims)
        self.decoder_src = Decoder(spec, spec.ae_dims)
        self.decoder_dst = Decoder(spec, spec.ae_dims)

    def forward(self, src: Tensor, dst: Tensor) -> Reconstruction:
        """See SwapModel; both sides are encoded in one batch."""
        codes: Tensor = self.inter(self.encoder(torch.cat((src, dst))))
        return Reconstruction(*self.decoder_src(codes[: len(src)]), *self.decoder_dst(codes[len(src) :]))

    def swap(self, dst: Tensor) -> Swap:
        """Src's decoder on dst's code."""
        code = self.inter(self.encoder(dst))
        face, mask_prd = self.decoder_src(code)
        return Swap(face, mask_prd, self.decoder_dst.decode_mask(code))
