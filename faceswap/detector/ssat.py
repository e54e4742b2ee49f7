"""Masked reconstruction beside classification: the second task of SSAT, and MAE's only one.

One encoder, two passes: the classifier reads all patches, the decoder must fill in the hidden three
quarters from the rest (He et al. 2022; Das et al. 2024). The decoder is never shipped.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import ViTConfig
from transformers.models.vit.modeling_vit import ViTLayer

from faceswap.detector.model import Shipped

MASK_RATIO = 0.75
_DECODER_DIM, _DECODER_LAYERS, _DECODER_HEADS = 128, 2, 4


class Kept(NamedTuple):
    """Which patches the encoder sees: kept (B, K) their indices, hidden (B, G²) bool the others."""

    kept: Tensor
    hidden: Tensor


def draw_mask(generator: torch.Generator, batch: int, patches: int, ratio: float = MASK_RATIO) -> Kept:
    """Hide all but ⌊patches · (1 − ratio)⌋ patches of each picture, chosen at random. On the CPU."""
    order = torch.rand(batch, patches, generator=generator).argsort(dim=1)
    kept = order[:, : int(patches * (1 - ratio))]
    hidden = torch.ones(batch, patches, dtype=torch.bool).scatter_(1, kept, False)
    return Kept(kept, hidden)


class Decoder(nn.Module):
    """Fills in hidden patches: SSAT's 128 × 2 decoder, with 4 heads in place of 16 of size 8 (facts §1.1)."""

    positions: Tensor

    def __init__(self, detector: Shipped) -> None:
        super().__init__()
        own = ViTConfig(
            hidden_size=_DECODER_DIM,
            num_attention_heads=_DECODER_HEADS,
            intermediate_size=4 * _DECODER_DIM,
            layer_norm_eps=1e-6,
            attn_implementation="sdpa",
        )
        self.embed = nn.Linear(detector.width, _DECODER_DIM)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, _DECODER_DIM))
        self.register_buffer("positions", sin_cos_positions(detector.grid, _DECODER_DIM), persistent=False)
        self.layers = nn.ModuleList([ViTLayer(own) for _ in range(_DECODER_LAYERS)])
        self.norm = nn.LayerNorm(_DECODER_DIM, eps=own.layer_norm_eps)
        self.to_pixels = nn.Linear(_DECODER_DIM, 3 * detector.patch_px**2)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, encoded: Tensor, kept: Tensor) -> Tensor:
        """encoded (B, 1 + K, C) with its class token, kept (B, K) -> (B, G², 3·p²) patches."""
        tokens = self.embed(encoded)
        batch, _, width = tokens.shape
        patches = self.mask_token.expand(batch, self.positions.shape[1] - 1, width)
        places = kept.unsqueeze(-1).expand(-1, -1, width)
        patches = patches.to(tokens.dtype).scatter(1, places, tokens[:, 1:])
        tokens = torch.cat((tokens[:, :1], patches), dim=1) + self.positions.to(tokens.dtype)
        for layer in self.layers:
            tokens = layer(tokens)
        made: Tensor = self.to_pixels(self.norm(tokens)[:, 1:])
        return made


def reconstruct(detector: Shipped, decoder: Decoder, pixels: Tensor, kept: Tensor) -> Tensor:
    """The pictures' patches (B, G², 3·p²) as told from those in `kept` (B, K) alone."""
    made: Tensor = decoder(detector.encode_kept(pixels, kept), kept)
    return made


def sin_cos_positions(grid: int, width: int) -> Tensor:
    """(1, 1 + G², C): fixed 2-D sine-cosine positions, zero for the class token (He et al. 2022, A.1).

    A quarter of the channels each: sine and cosine of the row, sine and cosine of the column.
    """
    frequencies = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat((angles.sin(), angles.cos()), dim=1)
    rows, columns = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    patches = torch.cat((rows, columns), dim=-1).flatten(0, 1)
    return torch.cat((torch.zeros(1, width, dtype=torch.float64), patches)).float().unsqueeze(0)
