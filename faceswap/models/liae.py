"""LIAE: one encoder and decoder for both faces, the difference is in the inters (dfl-facts §7.2)."""

import torch
from torch import Tensor

from faceswap.models.arch import ModelSpec
from faceswap.models.coder import Decoder, Encoder, Inter
from faceswap.models.swap import Codes, Decoded, Swap, SwapModel


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
